//! Whether what is sent to a URL stays on this machine.

use std::net::IpAddr;

use http::Uri;

/// Whether it is plain HTTP to this machine. A name is not looked up: only `localhost` is one.
pub(crate) fn is_plain_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    // What stands before an @ looks like a host, and is none.
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    uri.scheme_str() == Some("http")
        && (host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_this_machine_is_not_it() {
        for url in [
            "http://localhost",
            "http://localhost:1/",
            "http://127.0.0.1:9000/path",
            "http://[::1]:7410",
            "http://127.9.9.9",
        ] {
            assert!(is_plain_loopback(url), "{url}");
        }
        let others = [
            "http://localhost:x@evil.example:80",
            "http://127.0.0.1@evil.example",
            "http://localhost.example:9000",
            "https://localhost",
            "http://[::2]:1",
            "http://10.0.0.1",
            "http://",
            "localhost:80",
            "unix:127.0.0.1",
            "http://127.0.0.1.example",
            "",
        ];
        for url in others {
            assert!(!is_plain_loopback(url), "{url}");
        }
    }
}
