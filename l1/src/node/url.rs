//! The URL of one L1 node: what of it is used, and what is shown.

use alloy::transports::http::reqwest::Url;

use crate::error::Error;

/// The URL of a node. Errors do not show it: it may hold an API key.
pub(crate) fn parse(url: &str) -> Result<Url, Error> {
    let url: Url = url.parse().map_err(|error| invalid_url(format!("{error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid_url(format!("expected http or https, got {}", url.scheme())));
    }
    Ok(url)
}

/// What of a URL is shown: host, and port if it is not the usual one.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a URL's host is this machine.
pub(crate) fn is_local(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

pub(crate) fn invalid_url(reason: String) -> Error {
    Error::Invalid { what: "L1 RPC URL", reason }
}
