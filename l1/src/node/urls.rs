//! The URLs of L1 nodes, as settings have them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::url::{host_of, is_local, parse};
use crate::error::Error;

/// The most nodes: each is asked everything.
const MAX_URLS: usize = 16;

/// One or more URLs of JSON-RPC nodes: a string in settings, or a list of strings.
///
/// `Debug` and `Display` show hosts only: a provider's URL may hold an API key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMore", into = "OneOrMore")]
pub struct RpcUrls(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a URL or a list of URLs")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl RpcUrls {
    /// Takes them as they are; see [`RpcUrls::check`].
    #[must_use]
    pub fn new(urls: Vec<String>) -> Self {
        Self(urls)
    }

    /// Checks that there is at least one, that each is an http or https URL, and that none stands there twice.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what is wrong without showing a URL.
    pub fn check(&self) -> Result<(), Error> {
        check(&self.0)
    }

    /// The first one, for what is asked of one node only; empty if there is none.
    #[must_use]
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The same without what may be a secret: `…` stands for user, path and query.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let redact = |url: &String| match parse(url) {
            Ok(parsed) => {
                let secret = parsed.path() != "/" || parsed.query().is_some() || !parsed.username().is_empty();
                format!("{}://{}{}", parsed.scheme(), host_of(&parsed), if secret { "/…" } else { "" })
            }
            Err(_) => "…".to_owned(),
        };
        Self(self.0.iter().map(redact).collect())
    }

    /// The URLs, secrets included.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl From<&str> for RpcUrls {
    fn from(url: &str) -> Self {
        Self(vec![url.to_owned()])
    }
}

impl From<OneOrMore> for RpcUrls {
    fn from(urls: OneOrMore) -> Self {
        match urls {
            OneOrMore::One(url) => Self(vec![url]),
            OneOrMore::More(urls) => Self(urls),
        }
    }
}

impl From<RpcUrls> for OneOrMore {
    fn from(RpcUrls(mut urls): RpcUrls) -> Self {
        match urls.pop() {
            Some(only) if urls.is_empty() => Self::One(only),
            Some(last) => {
                urls.push(last);
                Self::More(urls)
            }
            None => Self::More(urls),
        }
    }
}

impl fmt::Display for RpcUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, url) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let host = parse(url).map_or_else(|_| "(no URL)".to_owned(), |url| host_of(&url));
            write!(f, "{separator}{host}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RpcUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcUrls({self})")
    }
}

/// See [`RpcUrls::check`].
pub(crate) fn check<S: AsRef<str>>(urls: &[S]) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::Invalid { what: "L1 RPC URLs", reason });
    if urls.is_empty() || urls.len() > MAX_URLS {
        return invalid(format!("expected 1 to {MAX_URLS}, got {}", urls.len()));
    }
    let parsed: Vec<_> = urls.iter().map(|url| parse(url.as_ref())).collect::<Result<_, _>>()?;
    for (index, url) in parsed.iter().enumerate() {
        // Asked twice, one node would agree with itself.
        if parsed[..index].contains(url) {
            return invalid(format!("{} stands there twice", host_of(url)));
        }
    }
    Ok(())
}

/// The hosts that more than one of the URLs name: whoever runs such a host has as many votes. On this machine that is as
/// it should be.
pub(crate) fn shared_hosts<S: AsRef<str>>(urls: &[S]) -> Vec<String> {
    let mut hosts: Vec<String> =
        urls.iter().filter_map(|url| parse(url.as_ref()).ok()?.host_str().map(str::to_owned)).collect();
    hosts.retain(|host| !is_local(host));
    hosts.sort_unstable();
    let mut shared: Vec<String> =
        hosts.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    shared.dedup();
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_and_a_list_are_read_and_written_as_they_were() {
        for text in [r#""http://a.example""#, r#"["https://a.example/key","https://b.example"]"#] {
            let urls: RpcUrls = serde_json::from_str(text).expect("URLs");
            urls.check().expect("good URLs");
            assert_eq!(serde_json::to_string(&urls).expect("text"), text);
        }
        let error = serde_json::from_str::<RpcUrls>("7").expect_err("a number");
        assert!(error.to_string().contains("expected a URL or a list of URLs"), "{error}");
    }

    #[test]
    fn keys_in_urls_are_not_shown() {
        let urls = RpcUrls::new(vec!["https://user:SECRET@a.example/v3/SECRET?key=SECRET".into(), "SECRET".into()]);
        assert_eq!(format!("{urls} {urls:?}"), "a.example, (no URL) RpcUrls(a.example, (no URL))");
        assert_eq!(urls.redacted().as_slice(), ["https://a.example/…", "…"]);
        assert_eq!(RpcUrls::from("http://127.0.0.1:8545").redacted().first(), "http://127.0.0.1:8545");
        let error = urls.check().expect_err("no URL");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }

    #[test]
    fn one_node_does_not_stand_for_two() {
        for (urls, says) in [
            (vec!["http://a.example", "http://a.example/"], "a.example stands there twice"),
            (vec![], "expected 1 to 16, got 0"),
            (vec!["ftp://a.example"], "expected http or https, got ftp"),
        ] {
            let error = check(&urls).expect_err("no good");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn one_operator_with_two_urls_is_named() {
        let urls = ["https://a.example/1", "https://b.example", "https://a.example:8545/2", "https://a.example/3"];
        assert_eq!(shared_hosts(&urls), ["a.example"]);
        assert!(shared_hosts(&["http://127.0.0.1:1", "http://127.0.0.1:2", "no URL"]).is_empty());
    }
}
