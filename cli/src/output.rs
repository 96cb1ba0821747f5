//! Results on stdout, for people or (`--json`) for scripts; progress on stderr.

use std::io::{ErrorKind, Write};

use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
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
        if self.json { line(&serde_json::to_string_pretty(result)?) } else { line(human(result).trim_end()) }
    }
}

/// A line on stdout. Whoever reads it may stop early, as `head` does.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line of progress, on stderr.
pub(crate) fn progress(line: impl AsRef<str>) {
    // Nobody may be reading; the work goes on.
    let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
}

/// What somebody else wrote, for a terminal: on one line, and without what steers it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Rows as columns as wide as their widest cell; the first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rule.join("  "));
            text.push('\n');
        }
    }
    text
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
