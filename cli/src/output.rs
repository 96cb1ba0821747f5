//! Results on stdout, for people or (`--json`) for scripts; progress and errors on stderr.
//!
//! # JSON
//!
//! A result is one object on stdout, with `"format": 1`. An error is one object on one line, the last of stderr.

use std::{
    fmt::Write as _,
    io::{ErrorKind, IsTerminal as _, Write},
};

use holdfast_certificate::is_unfit;
use serde::Serialize;

use crate::{exit::ErrorRecord, target::standard_output};

/// The version of what `--json` prints: it changes when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// Columns of a terminal as it comes.
const COLUMNS: usize = 80;
/// Between two columns of a table.
const GAP: usize = 2;

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Document<T> {
    format: u32,
    #[serde(flatten)]
    result: T,
}

#[derive(Serialize)]
struct Failed {
    error: ErrorRecord,
}

/// A result of which all but its last field is printed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Open {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints one result: as JSON, or as the text that `human` makes of it.
    pub(crate) fn print<T: Serialize>(self, result: &T, human: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.json { line(&document(result)?) } else { line(human(result).trim_end()) }
    }

    /// Prints a result to which one more field will come, so that it stands on the screen before what makes that field is
    /// tried.
    pub(crate) fn begin<T: Serialize>(self, result: &T, human: impl FnOnce(&T) -> String) -> anyhow::Result<Open> {
        if self.json {
            let document = document(result)?;
            write(document.strip_suffix("\n}").unwrap_or(&document))?;
        } else {
            line(human(result).trim_end())?;
        }
        Ok(Open { json: self.json })
    }

    /// Prints an error.
    pub(crate) fn error(self, error: ErrorRecord, human: impl FnOnce() -> String) {
        if !self.json {
            return progress(human());
        }
        let document = Document { format: FORMAT, result: Failed { error } };
        progress(safe_json(&serde_json::to_string(&document).unwrap_or_else(|error| error.to_string())));
    }
}

impl Open {
    /// Prints the last field: as `name` in the JSON object, or as the text that `human` makes of it. Without a value it is
    /// `null` there and nothing for people.
    pub(crate) fn end<T: Serialize>(
        self,
        name: &str,
        value: Option<&T>,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            let value = serde_json::to_string_pretty(&value)?.replace('\n', "\n  ");
            return line(&safe_json(&format!(",\n  \"{name}\": {value}\n}}")));
        }
        value.map_or(Ok(()), |value| line(human(value).trim_end()))
    }
}

/// A line on stdout. Whoever reads it may stop early, as `head` does.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write(&format!("{text}\n"))
}

/// A line of progress, on stderr.
pub(crate) fn progress(line: impl AsRef<str>) {
    // Nobody may be reading; the work goes on.
    let _ = std::io::stderr().write_all(format!("{}\n", harmless(line.as_ref())).as_bytes());
}

/// Whether a stream takes colours: it is a terminal, and the user has not said no (<https://no-color.org>).
pub(crate) fn has_colours(is_terminal: bool) -> bool {
    let says_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !says_no && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// What somebody else wrote, for a terminal: on one line, and without what steers it or turns its direction.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_unfit(c) { '\u{fffd}' } else { c }).collect()
}

/// Rows as columns that fit a terminal: wide cells are broken between words, and where that does not do, each row is a block
/// of lines. The first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    match widths(&rows) {
        Some(widths) => columns(&rows, &widths),
        None => blocks(&rows),
    }
}

/// Bytes as a person reads them.
pub(crate) fn human_bytes(bytes: u64) -> String {
    let mut whole = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if whole < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{whole:.1} {unit}") };
        }
        whole /= 1024.0;
    }
    format!("{whole:.1} GiB")
}

fn document<T: Serialize>(result: &T) -> anyhow::Result<String> {
    Ok(safe_json(&serde_json::to_string_pretty(&Document { format: FORMAT, result })?))
}

fn write(text: &str) -> anyhow::Result<()> {
    match standard_output(harmless(text).as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Text of several lines without anything else that steers a terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_unfit(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The same JSON, with what would steer a terminal escaped.
fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unfit(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// A width for each column with which all fit, or none.
fn widths(rows: &[Vec<String>]) -> Option<Vec<usize>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize, measure: &dyn Fn(&str) -> usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| measure(cell)).max().unwrap_or(0)
    };
    let longest_word = |cell: &str| cell.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let least: Vec<usize> = (0..columns).map(|column| widest(column, &longest_word)).collect();
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(column, &|cell| cell.chars().count())).collect();
    let gaps = GAP * columns.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > COLUMNS {
        let shrinkable = (0..columns).filter(|column| widths[*column] > least[*column]);
        let widest = shrinkable.max_by_key(|column| widths[*column])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

fn columns(rows: &[Vec<String>], widths: &[usize]) -> String {
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| wrapped(cell, *width)).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let parts: Vec<String> = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{:<width$}", cell.get(line).map_or("", String::as_str), width = *width))
                .collect();
            text.push_str(parts.join("  ").trim_end());
            text.push('\n');
        }
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rule.join("  "));
            text.push('\n');
        }
    }
    text
}

fn wrapped(cell: &str, width: usize) -> Vec<String> {
    if cell.chars().count() <= width {
        return vec![cell.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in cell.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn blocks(rows: &[Vec<String>]) -> String {
    let Some((heading, rows)) = rows.split_first() else { return String::new() };
    let width = heading.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        // A row that only goes on with the one before has nothing in its first cells.
        for (position, (name, cell)) in heading.iter().zip(row).enumerate().filter(|(_, (_, cell))| !cell.is_empty()) {
            let indent = if position == 0 { "" } else { "  " };
            let width = if position == 0 { width + indent.len() + GAP } else { width };
            let _ = writeln!(text, "{}", format!("{indent}{name:<width$}  {cell}").trim_end());
        }
    }
    text
}

/// Whether stderr takes colours.
pub(crate) fn stderr_has_colours() -> bool {
    has_colours(std::io::stderr().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn a_table_fits_eighty_columns_whatever_its_cells() {
        let long = "a reason of many words ".repeat(12);
        let id = format!("0x{}", "ab".repeat(32));
        for cells in [
            rows(&[&["slot", "state"], &["m0", &long]]),
            rows(&[&["slot", "state", "why"], &["m0", &long, &long]]),
            rows(&[&["slot", "key id", "account"], &["m0", &id, &id], &["m1", &id, "-"]]),
        ] {
            let text = table(&cells);
            assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
            let words: Vec<&str> = text.split_whitespace().collect();
            for word in cells.iter().flatten().flat_map(|cell| cell.split_whitespace()) {
                assert!(words.contains(&word), "{word} is lost in {text}");
            }
        }
        assert_eq!(table(&rows(&[&["a", "b"], &["1", ""]])), "a  b\n-  -\n1\n");
    }

    #[test]
    fn a_peers_text_turns_no_direction_and_steers_no_terminal() {
        let evil = "ok\u{202e}gpj.exe\u{1b}[2J\u{2066}x\u{200f}\r";
        assert!(!table(&rows(&[&["state"], &[evil]])).chars().any(|c| is_unfit(c) && c != '\n'));
        assert_eq!(harmless("one\ntwo\u{202e}"), "one\ntwo\u{fffd}");
        let json = safe_json(&serde_json::to_string(evil).expect("JSON"));
        assert!(!json.chars().any(is_unfit), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), evil);
    }

    #[test]
    fn a_result_in_two_parts_is_one_json_object() {
        let first = document(&serde_json::json!({"blobId": "0x1"})).expect("JSON");
        let open = first.strip_suffix("\n}").expect("an object").to_owned();
        let value = serde_json::to_string_pretty(&Some(serde_json::json!({"block": 7}))).expect("JSON");
        let whole = format!("{open},\n  \"published\": {}\n}}", value.replace('\n', "\n  "));
        let parsed: serde_json::Value = serde_json::from_str(&whole).expect("one object");
        assert_eq!(parsed, serde_json::json!({"format": 1, "blobId": "0x1", "published": {"block": 7}}));
    }
}
