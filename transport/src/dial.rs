//! From the URL of a member, and the pin of its TLS key, to something that connects to it.

use std::time::Duration;

use tonic::transport::Endpoint;

use crate::{settings, trust::Trust};

/// Why a member cannot be connected to as its record says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Not a URL of a member.
    #[error("{url:?} is no URL of a member: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pin where nothing is encrypted: whoever answers there cannot prove that it is the pinned one.
    #[error("{url} is http, and a TLS key is pinned for it: expected https")]
    PinnedPlain {
        /// The URL.
        url: String,
    },
    /// TLS is asked for and not compiled in (feature `tls`).
    #[error("{url} is https, and this program is built without TLS")]
    NoTls {
        /// The URL.
        url: String,
    },
    /// TLS cannot be set up.
    #[error("TLS for {url}: {reason}")]
    Tls {
        /// The URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

/// A channel to the member at `url`, with the settings of all channels.
///
/// With `https` nothing is sent before the member has proved who it is: by the pinned key if there is a pin; or else
/// by a key that the member's BLS key has endorsed, if that is known and its certificate has an endorsement; or else by a
/// certificate for the URL's host that the machine's roots vouch for. Of a pinned or endorsed key neither name nor date is
/// checked: the key is the identity.
///
/// # Errors
/// [`DialError`]: a pin with `http`, and `https` without TLS compiled in, are refused.
pub fn endpoint(url: &str, trust: &Trust, connect_timeout: Duration) -> Result<Endpoint, DialError> {
    let invalid = |reason: String| DialError::Url { url: url.to_owned(), reason };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| invalid(error.to_string()))?;
    let endpoint = settings::channel(endpoint, connect_timeout);
    match (endpoint.uri().scheme_str(), &trust.pin) {
        (Some("http"), None) => Ok(endpoint),
        (Some("http"), Some(_)) => Err(DialError::PinnedPlain { url: url.to_owned() }),
        #[cfg(feature = "tls")]
        (Some("https"), _) => {
            crate::tls::client::secure(endpoint, trust).map_err(|reason| DialError::Tls { url: url.to_owned(), reason })
        }
        #[cfg(not(feature = "tls"))]
        (Some("https"), _) => Err(DialError::NoTls { url: url.to_owned() }),
        (scheme, _) => Err(invalid(format!("expected http or https, got {}", scheme.unwrap_or("no scheme")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Pin;

    fn dial(url: &str, pin: Option<Pin>) -> Result<Endpoint, DialError> {
        endpoint(url, &Trust::pinned(pin), Duration::from_secs(1))
    }

    #[test]
    fn what_cannot_be_as_safe_as_its_record_says_is_refused_by_name() {
        assert!(dial("http://127.0.0.1:7400", None).is_ok());
        let pinned = dial("http://127.0.0.1:7400", Some([1; 32])).expect_err("a pin for plain text");
        assert!(matches!(&pinned, DialError::PinnedPlain { .. }), "{pinned}");
        for url in ["ftp://127.0.0.1", "127.0.0.1:7400", "/a"] {
            assert!(matches!(dial(url, None), Err(DialError::Url { .. })), "{url}");
        }
        #[cfg(not(feature = "tls"))]
        assert!(matches!(dial("https://127.0.0.1:7400", None), Err(DialError::NoTls { .. })));
        #[cfg(feature = "tls")]
        for pin in [None, Some([1; 32])] {
            for url in ["https://member.example:7400", "https://192.0.2.1:7400", "https://[2001:db8::1]:7400"] {
                dial(url, pin).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
