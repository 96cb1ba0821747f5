//! Whether a node is asked through a proxy, and through which.

use alloy::transports::http::reqwest::{self, ClientBuilder, Proxy, Url};
use hyper_util::client::proxy::matcher::Matcher;

use super::url::{host_of, is_private};
use crate::error::Error;

/// Names the proxy for every L1 node, private ones included; `none` for no proxy at all.
const ASKED: &str = "HOLDFAST_L1_PROXY";

/// The way to a node.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Direct,
    /// Through the proxy that the environment's usual variables name, for all programs alike.
    Environment {
        proxy: String,
    },
    /// Through the proxy that was asked for.
    Asked(Url),
}

impl Way {
    /// The way as the environment has it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when what was asked for is no URL.
    pub(super) fn to(url: &Url) -> Result<Self, Error> {
        Self::choose(url, std::env::var(ASKED).ok().as_deref(), &Matcher::from_env())
    }

    /// A proxy that is there for all programs does not get what stays on this machine or in its network, unless that was
    /// asked for: it could not reach it, and need not know of it.
    fn choose(url: &Url, asked: Option<&str>, environment: &Matcher) -> Result<Self, Error> {
        match asked.map(str::trim).filter(|asked| !asked.is_empty()) {
            Some("none") => return Ok(Self::Direct),
            Some(asked) => {
                let proxy: Url = asked.parse().map_err(|error| invalid(format!("{error}")))?;
                return if proxy.has_host() { Ok(Self::Asked(proxy)) } else { Err(invalid("no host".to_owned())) };
            }
            None => {}
        }
        if url.host_str().is_none_or(is_private) {
            return Ok(Self::Direct);
        }
        let found = url.as_str().parse().ok().and_then(|uri| environment.intercept(&uri));
        Ok(found.map_or(Self::Direct, |found| {
            let uri = found.uri();
            let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            Self::Environment { proxy: format!("{}{port}", uri.host().unwrap_or_default()) }
        }))
    }

    pub(super) fn take(&self, client: ClientBuilder) -> Result<ClientBuilder, reqwest::Error> {
        Ok(match self {
            Self::Direct => client.no_proxy(),
            // The client reads the same variables by the same rules.
            Self::Environment { .. } => client,
            Self::Asked(proxy) => client.no_proxy().proxy(Proxy::all(proxy.clone())?),
        })
    }

    /// What an error says of it: a proxy's faults look like the node's.
    pub(super) fn note(&self) -> String {
        match self {
            Self::Direct => String::new(),
            Self::Environment { proxy } => {
                format!(" (through the proxy {proxy} of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY; NO_PROXY exempts a host)")
            }
            Self::Asked(proxy) => format!(" (through the proxy {} of {ASKED})", host_of(proxy)),
        }
    }
}

fn invalid(reason: String) -> Error {
    Error::Invalid { what: ASKED, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(url: &str, asked: Option<&str>) -> String {
        let environment = Matcher::builder().all("http://user:SECRET@proxy.example:3128").no("b.example").build();
        let url = url.parse().expect("a URL");
        Way::choose(&url, asked, &environment).map_or_else(|error| error.to_string(), |way| way.note())
    }

    #[test]
    fn the_environments_proxy_is_named_and_gets_no_private_names() {
        let through = way("https://a.example/key", None);
        assert!(through.contains("proxy.example:3128") && !through.contains("SECRET"), "{through}");
        for url in [
            "https://b.example",
            "http://127.0.0.1:8545",
            "http://127.9.9.9",
            "http://localhost:8545",
            "http://[::1]:8545",
            "http://10.0.0.7:8545",
            "http://172.20.1.1",
            "http://192.168.1.1",
            "http://169.254.1.1",
            "http://100.64.0.9",
            "http://[fd00::7]:8545",
            "http://[fe80::7]:8545",
            "http://geth:8545",
            "http://geth.local:8545",
            "http://geth.eth.svc.cluster.local:8545",
            "http://node.internal",
        ] {
            assert_eq!(way(url, None), "", "{url}");
        }
    }

    #[test]
    fn a_proxy_that_is_asked_for_gets_all_and_none_means_none() {
        for url in ["https://a.example", "http://10.0.0.7:8545"] {
            let through = way(url, Some("http://user:SECRET@other.example:8080"));
            assert!(through.contains("other.example:8080") && through.contains(ASKED), "{through}");
            assert!(!through.contains("SECRET"), "{through}");
            assert_eq!(way(url, Some("none")), "");
        }
        assert!(way("https://a.example", Some("proxy")).contains("invalid HOLDFAST_L1_PROXY"));
    }
}
