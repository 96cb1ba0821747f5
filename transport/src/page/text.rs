//! Text as it may stand in the page.

use std::{
    fmt::{self, Display, Formatter, Write as _},
    time::{Duration, UNIX_EPOCH},
};

/// The most characters that are shown of a text of somebody else.
const MOST: usize = 300;

/// A text that stands for itself, whoever wrote it: nothing in it is markup, and what cannot be seen, or turns the direction of what
/// follows, is shown by its number.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(
    /// The text.
    pub &'a str,
);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, character) in self.0.chars().enumerate() {
            if number == MOST {
                return f.write_char('…');
            }
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                hidden if is_hidden(hidden) => write!(f, "\\u{{{:x}}}", u32::from(hidden))?,
                shown => f.write_char(shown)?,
            }
        }
        Ok(())
    }
}

/// Controls, what has no width, and what changes the direction of text (Unicode categories Cc and Cf, as far as they matter here).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A time that something took.
#[derive(Clone, Copy, Debug)]
pub struct Took(
    /// How long.
    pub Duration,
);

impl Display for Took {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_secs_f64() * 1000.0;
        match milliseconds {
            ..1.0 => write!(f, "{:.0} µs", milliseconds * 1000.0),
            ..10.0 => write!(f, "{milliseconds:.1} ms"),
            ..1000.0 => write!(f, "{milliseconds:.0} ms"),
            _ => write!(f, "{:.1} s", milliseconds / 1000.0),
        }
    }
}

/// How long ago something was, with the time itself for machines and for the pointer.
#[derive(Clone, Copy, Debug)]
pub struct Ago {
    /// When it was, unix seconds.
    pub at: u64,
    /// When that is said.
    pub now: u64,
}

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let time = utc(self.at);
        write!(f, "<time datetime=\"{time}\" title=\"{time}\">{} ago</time>", Span(self.now.saturating_sub(self.at)))
    }
}

/// Seconds in their largest whole unit.
#[derive(Clone, Copy, Debug)]
pub struct Span(
    /// How many.
    pub u64,
);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds @ 0..=119 => write!(f, "{seconds} s"),
            seconds @ 120..=7199 => write!(f, "{} min", seconds / 60),
            seconds @ 7200..=172_799 => write!(f, "{} h", seconds / 3600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}

/// Bytes in the largest unit of a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(
    /// How many.
    pub u64,
);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..=999 => write!(f, "{bytes} B"),
            bytes @ 1000..=999_999 => write!(f, "{:.1} kB", bytes as f64 / 1e3),
            bytes @ 1_000_000..=999_999_999 => write!(f, "{:.1} MB", bytes as f64 / 1e6),
            bytes => write!(f, "{:.1} GB", bytes as f64 / 1e9),
        }
    }
}

/// Unix seconds as RFC 3339. No year has more than four digits.
#[must_use]
pub fn utc(at: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.min(LAST))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_somebody_else_is_markup_or_turns_what_follows() {
        for (given, shown) in [
            ("https://m0.example:7400", "https://m0.example:7400"),
            ("</td><script>alert(1)</script>", "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onerror='x' &amp;", "&quot; onerror=&#39;x&#39; &amp;amp;"),
            ("a\u{202e}b\u{0}\r\n\u{200b}", "a\\u{202e}b\\u{0}\\u{d}\\u{a}\\u{200b}"),
            ("grün 東", "grün 東"),
        ] {
            assert_eq!(Text(given).to_string(), shown);
        }
        assert_eq!(Text(&"x".repeat(10_000)).to_string().chars().count(), MOST + 1);
    }

    #[test]
    fn numbers_are_shown_in_the_unit_that_people_use() {
        for (took, shown) in [(0, "0 µs"), (450, "450 µs"), (1_234, "1.2 ms"), (45_600, "46 ms"), (1_500_000, "1.5 s")]
        {
            assert_eq!(Took(Duration::from_micros(took)).to_string(), shown);
        }
        for (seconds, shown) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")] {
            assert_eq!(Span(seconds).to_string(), shown);
        }
        assert_eq!((Bytes(999).to_string(), Bytes(120_000).to_string()), ("999 B".into(), "120.0 kB".into()));
        assert_eq!(utc(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
