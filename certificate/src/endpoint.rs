//! Where a member is reached: the form of an endpoint, in committee files, on cards, on L1, and where it is connected to.

/// The longest endpoint, in bytes: as much as the registry contract takes.
const MOST_BYTES: usize = 255;

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`: gRPC without TLS.
    Http,
    /// `https`: gRPC over TLS.
    Https,
}

/// Why a text is no endpoint; each names the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// Longer than the registry contract takes.
    #[error("it has {got} bytes, expected at most {MOST_BYTES}")]
    Length {
        /// Bytes it has.
        got: usize,
    },
    /// A character that no URL has, such as a space.
    #[error("it has the character {got:?}, which no URL has")]
    Character {
        /// The first one.
        got: char,
    },
    /// Not `http://` or `https://`.
    #[error("it begins with neither http:// nor https://")]
    Scheme,
    /// A user or a password, which gRPC has no place for.
    #[error("it has a user before the host")]
    User,
    /// Nothing where the host should be.
    #[error("it has no host")]
    Host,
    /// An IPv6 address that is none, or one without brackets.
    #[error("its host {got:?} is no name and no address (an IPv6 address stands in brackets)")]
    HostForm {
        /// The host it has.
        got: String,
    },
    /// A port that is no number from 1 to 65535.
    #[error("its port {got:?} is no number from 1 to 65535")]
    Port {
        /// The port it has.
        got: String,
    },
    /// A path: members are reached at the root.
    #[error("it has the path {got:?}, and members are reached at none")]
    Path {
        /// The path it has.
        got: String,
    },
    /// A query.
    #[error("it has a query")]
    Query,
    /// A fragment.
    #[error("it has a fragment")]
    Fragment,
    /// A pin of a TLS key, where nothing is encrypted: nobody connects to it.
    #[error("it is http, and a TLS key is pinned for it: expected https")]
    PinnedPlain,
}

/// Checks an endpoint and the pin of its TLS key, if it has one.
///
/// # Errors
///
/// What [`check_endpoint`] says, and [`BadEndpoint::PinnedPlain`].
pub fn check_pinned_endpoint(text: &str, pin: Option<&[u8; 32]>) -> Result<Scheme, BadEndpoint> {
    match (check_endpoint(text)?, pin) {
        (Scheme::Http, Some(_)) => Err(BadEndpoint::PinnedPlain),
        (scheme, _) => Ok(scheme),
    }
}

/// Checks that a text is an endpoint: `http` or `https`, a host, and perhaps a port, `https://m0.example:7400`. One slash may
/// follow. IPv6 addresses stand in brackets.
///
/// # Errors
///
/// [`BadEndpoint`] names the first part that is wrong.
pub fn check_endpoint(text: &str) -> Result<Scheme, BadEndpoint> {
    if text.len() > MOST_BYTES {
        return Err(BadEndpoint::Length { got: text.len() });
    }
    if let Some(got) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
        return Err(BadEndpoint::Character { got });
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(BadEndpoint::Scheme),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return Err(BadEndpoint::User);
    }
    let port = check_host(authority)?;
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|number| number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(BadEndpoint::Port { got: port.to_owned() });
    }
    let (before_fragment, fragment) =
        tail.split_once('#').map_or((tail, None), |(before, after)| (before, Some(after)));
    let (path, query) =
        before_fragment.split_once('?').map_or((before_fragment, None), |(path, query)| (path, Some(query)));
    if !matches!(path, "" | "/") {
        return Err(BadEndpoint::Path { got: path.to_owned() });
    }
    match (query, fragment) {
        (Some(_), _) => Err(BadEndpoint::Query),
        (None, Some(_)) => Err(BadEndpoint::Fragment),
        (None, None) => Ok(scheme),
    }
}

/// Checks the host, and gives what stands behind its colon.
fn check_host(authority: &str) -> Result<Option<&str>, BadEndpoint> {
    let form = |got: &str| Err(BadEndpoint::HostForm { got: got.to_owned() });
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once(']') else { return form(authority) };
        if address.parse::<core::net::Ipv6Addr>().is_err() {
            return form(address);
        }
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => Ok(None),
            (_, Some(port)) => Ok(Some(port)),
            _ => form(authority),
        };
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    if host.is_empty() {
        return Err(BadEndpoint::Host);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !host.bytes().all(fits) || port.is_some_and(|port| port.contains(':')) {
        return form(authority);
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_endpoints() {
        for (text, scheme) in [
            ("http://127.0.0.1:7400", Scheme::Http),
            ("http://m0.example", Scheme::Http),
            ("https://m0.example:7400/", Scheme::Https),
            ("https://[2001:db8::7]:7400", Scheme::Https),
            ("http://[::1]", Scheme::Http),
            ("http://member_0:65535", Scheme::Http),
        ] {
            assert_eq!(check_endpoint(text), Ok(scheme), "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_part_that_is_wrong() {
        for (text, says) in [
            ("", "neither http"),
            ("m0.example:7400", "neither http"),
            ("ftp://m0.example", "neither http"),
            ("HTTP://m0.example", "neither http"),
            ("http://", "no host"),
            ("http://:7400", "no host"),
            ("http:///x", "no host"),
            ("http://user@m0:7400", "a user"),
            ("http://user:word@m0:7400", "a user"),
            ("http://m0:0", "port \"0\""),
            ("http://m0:99999", "port \"99999\""),
            ("http://m0:", "port \"\""),
            ("http://m0:+80", "port \"+80\""),
            ("http://m0:7400/v1", "path \"/v1\""),
            ("http://m0:7400//", "path \"//\""),
            ("http://m0:7400?key=1", "a query"),
            ("http://m0:7400/?", "a query"),
            ("http://m0:7400/#top", "a fragment"),
            ("http://2001:db8::7:7400", "in brackets"),
            ("http://[2001:db8::7", "in brackets"),
            ("http://[::1]7400", "in brackets"),
            ("http://m0 m1:7400", "' '"),
            ("http://m\u{202e}0:7400", "202e"),
            ("http://m0:7400\n", "'\\n'"),
            ("http://m%30:7400", "m%30"),
        ] {
            let error = check_endpoint(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let long = format!("http://{}", "m".repeat(250));
        assert_eq!(check_endpoint(&long), Err(BadEndpoint::Length { got: 257 }));
    }
}
