//! What an L1 node says, made fit for errors and the log: without what is secret of its URL, and harmless to a terminal.

use std::fmt;

use alloy::transports::http::reqwest::Url;
use holdfast_certificate::is_unfit;

/// The most characters of a node's text that an error shows.
const SHOWN: usize = 200;

/// Parts of a URL shorter than this are words like `v3`, not keys; they are hidden only where the whole stands.
const SHORT: usize = 5;

/// What stands for what is hidden.
const HIDDEN: &str = "…";

/// Cleans what one node says.
///
/// # No key in an error
///
/// Gateways echo what they were asked: `Cannot POST /v3/KEY`. The node's own path, query, user and password are replaced
/// by `…`, as a whole and in their parts, whatever their case.
#[derive(Clone)]
pub(crate) struct SafeText {
    /// Longest first, in lower case.
    secrets: Vec<String>,
}

impl SafeText {
    /// Knows what of the node's URL may be secret.
    pub(crate) fn new(url: &Url) -> Self {
        let path = url.path();
        let user = [url.username(), url.password().unwrap_or_default()];
        let mut secrets: Vec<String> = path.split('/').chain(user).map(str::to_owned).collect();
        secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        secrets.extend(url.query().into_iter().flat_map(|query| query.split(['&', '='])).map(str::to_owned));
        secrets.extend(secrets.clone().iter().map(|part| decoded(part)));
        secrets.retain(|part| part.chars().count() >= SHORT);
        secrets.extend([path.to_owned(), decoded(path)].into_iter().filter(|path| path.len() > 1));
        secrets.extend(url.query().map(|query| format!("?{query}")));
        secrets.extend((user != ["", ""]).then(|| user.join(":")));
        for secret in &mut secrets {
            secret.make_ascii_lowercase();
        }
        secrets.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// The text as an error shows it.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.cut(text, SHOWN)
    }

    /// The text in one line of at most so many characters. What is hidden is hidden before it is cut, or half a key
    /// would be left.
    pub(crate) fn cut(&self, text: &str, most: usize) -> String {
        let mut text = text.replace(is_unfit, " ");
        for secret in &self.secrets {
            text = without(&text, secret);
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(most) {
            Some((end, _)) => format!("{}{HIDDEN}", &line[..end]),
            None => line,
        }
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafeText(…)")
    }
}

/// The text without a secret that is given in lower case.
fn without(text: &str, secret: &str) -> String {
    // Of the same length, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in lower.match_indices(secret) {
        kept.push_str(&text[from..at]);
        kept.push_str(HIDDEN);
        from = at + found.len();
    }
    kept.push_str(&text[from..]);
    kept
}

/// A part of a URL without percent encoding.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let value = after.get(..2).and_then(|two| hex::decode(two).ok()).and_then(|byte| byte.first().copied());
        let (byte, taken) = value.filter(|_| first == b'%').map_or((first, 1), |byte| (byte, 3));
        bytes.push(byte);
        rest = &rest[taken..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(url: &str) -> SafeText {
        SafeText::new(&url.parse().expect("a URL"))
    }

    #[test]
    fn a_node_that_echoes_its_url_leaks_no_key() {
        let safe = safe("https://user:p%40ssword@a.example/v3/SECRETKEY?key=QUERYKEY&x=1");
        for (said, shown) in [
            ("Cannot POST /v3/SECRETKEY", "Cannot POST …"),
            ("Cannot POST /v3/SECRETKEY?key=QUERYKEY&x=1", "Cannot POST ……"),
            ("project id secretkey is unknown", "project id … is unknown"),
            ("https://user:p%40ssword@a.example/v3/SECRETKEY", "https://…@a.example…"),
            ("{\"path\":\"\\/v3\\/SECRETKEY\"}", "{\"path\":\"\\/v3\\/…\"}"),
            ("key QUERYKEY, password p@ssword", "key …, password …"),
            ("missing trie node", "missing trie node"),
        ] {
            assert_eq!(safe.shown(said), shown);
        }
        assert!(!format!("{safe:?}").contains("secret"));
    }

    #[test]
    fn a_node_cannot_draw_on_the_terminal_or_forge_a_line_of_the_log() {
        let safe = safe("http://a.example");
        assert_eq!(
            safe.shown("\u{1b}[2Jgone\r\n2026 ERROR made up\u{202e}\u{9b}31m"),
            "[2Jgone 2026 ERROR made up 31m"
        );
    }

    #[test]
    fn a_long_text_is_cut_after_what_is_secret_is_hidden() {
        let safe = safe("http://a.example/SECRETKEY");
        let long = safe.shown(&format!("{} /SECRETKEY {}", "x".repeat(195), "y".repeat(5 << 20)));
        assert_eq!(long, format!("{} … yy…", "x".repeat(195)));
        assert_eq!(long.chars().count(), SHOWN + 1);
    }
}
