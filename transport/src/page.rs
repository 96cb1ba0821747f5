//! What the status pages of daemons share (feature `page`): how they look, how texts of others stand in them, and what is sent with
//! them. Plain HTML, made anew for each request; no script, and the policy that is sent with it allows none.

mod text;

use std::fmt::{self, Formatter};

pub use text::{Ago, Bytes, Span, Text, Took, utc};

/// The style sheet, at `/status.css`.
pub const SHEET: &str = include_str!("page/status.css");
/// The mark, for the page's head and for the browser's tab, at `/status.svg`.
pub const MARK: &str = include_str!("page/status.svg");
/// How often a browser asks again, in seconds.
pub const REFRESH: u32 = 30;

/// Headers of a page, its style sheet and its mark. Nothing but these three is loaded, and nothing runs: what somebody could smuggle
/// in would do neither.
pub const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
];
/// The content type of the page.
pub const HTML: &str = "text/html; charset=utf-8";
/// The content type of its style sheet.
pub const CSS: &str = "text/css; charset=utf-8";
/// The content type of its mark.
pub const SVG: &str = "image/svg+xml";

/// How something is: `good`, `poor` or `bad`, and a word for it.
pub type Verdict = (&'static str, &'static str);

/// Writes a page up to where it says which daemon this is: `name`, and how it is.
///
/// # Errors
///
/// What the formatter says.
pub fn begin(f: &mut Formatter<'_>, name: &str, (class, word): Verdict) -> fmt::Result {
    write!(
        f,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"{REFRESH}\"><title>{word} · {name}</title>\
         <link rel=\"icon\" href=\"/status.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"/status.css\"></head>\
         <body><header><img src=\"/status.svg\" alt=\"\"><h1>{name}</h1>\
         <span class=\"state {class}\" id=\"state\">{word}</span>"
    )
}

/// Writes the end of a page of `now`, unix seconds.
///
/// # Errors
///
/// What the formatter says.
pub fn end(f: &mut Formatter<'_>, now: u64) -> fmt::Result {
    write!(
        f,
        "</main><footer>{} · version {} · asks again every {REFRESH} s · <a href=\"/metrics\">metrics</a></footer></body></html>",
        utc(now),
        env!("CARGO_PKG_VERSION")
    )
}

/// Writes one number with its name, within a `<dl class="tiles">`. All three are markup of the page's own, or [`Text`].
///
/// # Errors
///
/// What the formatter says.
pub fn tile(f: &mut Formatter<'_>, name: &str, value: &str, more: &str) -> fmt::Result {
    write!(f, "<div><dt>{name}<dd>{value}<small>{more}</small></div>")
}

/// Writes the beginning of a long number, and all of it for the pointer.
///
/// # Errors
///
/// What the formatter says.
pub fn short(f: &mut Formatter<'_>, whole: &str) -> fmt::Result {
    /// Characters that are shown, with `0x`.
    const SHOWN: usize = 12;
    write!(f, "<code title=\"{}\">{}…</code>", Text(whole), Text(whole.get(..SHOWN).unwrap_or(whole)))
}
