//! The URL of one L1 node: what of it is used, and what is shown.

use std::net::{IpAddr, Ipv4Addr};

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

/// Whether a URL's host is this machine or one of a private network: by its address, or by a name that no public resolver
/// knows (RFC 6761, RFC 6762, RFC 8375; names without a dot, as containers have them).
pub(crate) fn is_private(host: &str) -> bool {
    const ZONES: [&str; 8] =
        [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".intranet", ".private"];
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(address)) => is_private_v4(address),
        Ok(IpAddr::V6(address)) => {
            let local = address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local();
            local || address.is_unspecified() || address.to_ipv4_mapped().is_some_and(is_private_v4)
        }
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.') || ZONES.iter().any(|zone| name.ends_with(zone))
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 100.64.0.0/10 is shared by carriers and by overlay networks (RFC 6598).
    let is_shared = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified() || is_shared
}

pub(crate) fn invalid_url(reason: String) -> Error {
    Error::Invalid { what: "L1 RPC URL", reason }
}
