//! Who may write.

use std::path::Path;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{clock::unix_now, error::Error, failure::Failure, jwt::Secret};

/// The most credentials in a file.
const MAX_CREDENTIALS: usize = 1000;

/// Credentials that may write. Reading never needs any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writers(Option<Vec<Credential>>);

/// Who, and how it is shown.
#[derive(Clone)]
struct Credential {
    name: String,
    proof: Proof,
}

#[derive(Clone)]
enum Proof {
    /// SHA-256 of what the header holds after the scheme.
    Digest([u8; 32]),
    /// A token of the minute, made with this secret.
    Token(Secret),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({}, redacted)", self.name)
    }
}

impl Writers {
    /// Reads a file of credentials; without one anybody may write.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Error> {
        let Some(file) = file else { return Ok(Self(None)) };
        let failed = |reason: String| Error::File { what: "credentials", file: file.into(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(failed)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut credentials = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let credential = match line.split_once(' ').map(|(scheme, rest)| (scheme, rest.trim())) {
                Some(("basic", pair)) => {
                    let name = pair.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty());
                    name.map(|(user, _)| Credential::new(user, "basic", pair.as_bytes()))
                }
                Some(("bearer", token)) if !token.is_empty() && !token.contains(' ') => {
                    Some(Credential::new(&format!("bearer {number}"), "bearer", token.as_bytes()))
                }
                Some(("jwt", secret)) => Secret::parse(secret)
                    .ok()
                    .map(|secret| Credential { name: format!("jwt {number}"), proof: Proof::Token(secret) }),
                _ => None,
            };
            // The line may hold a secret: only its number is told.
            credentials.push(credential.ok_or_else(|| {
                format!("line {number}: expected `basic USER:PASSWORD`, `bearer TOKEN` or `jwt` and 32 bytes in hex")
            })?);
        }
        match credentials.len() {
            0 => Err("it has no credentials: nobody could write".to_owned()),
            1..=MAX_CREDENTIALS => Ok(Self(Some(credentials))),
            got => Err(format!("expected at most {MAX_CREDENTIALS} credentials, got {got}")),
        }
    }

    /// Whether anybody may write.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Who writes, by the request's headers: a name, or nobody in particular where anybody may.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        let Some(credentials) = &self.0 else { return Ok(None) };
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Failure::Unauthorized)?;
        let (given, token) = (digest_of(header).ok_or(Failure::Unauthorized)?, token_of(header));
        // All are compared, each in constant time: how long it takes says nothing.
        let mut found = None;
        for credential in credentials {
            let shown = match &credential.proof {
                Proof::Digest(digest) => bool::from(digest.ct_eq(&given)),
                Proof::Token(secret) => token.is_some_and(|token| secret.is_good(token, unix_now())),
            };
            if shown {
                found = Some(credential.name.clone());
            }
        }
        found.map(Some).ok_or(Failure::Unauthorized)
    }
}

impl Credential {
    fn new(name: &str, scheme: &str, secret: &[u8]) -> Self {
        Self { name: name.to_owned(), proof: Proof::Digest(digest(scheme, secret)) }
    }
}

/// What a bearer gives.
fn token_of(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
}

fn digest_of(header: &str) -> Option<[u8; 32]> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        Some(digest("basic", &STANDARD.decode(rest).ok()?))
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Some(digest("bearer", rest.as_bytes()))
    } else {
        None
    }
}

fn digest(scheme: &str, secret: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(scheme).chain_update([0]).chain_update(secret).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header"))])
    }

    #[test]
    fn only_who_stands_in_the_file_may_write() {
        let writers = Writers::parse("# who\nbasic batcher:p:w d\nbearer t0ken\n").expect("good");
        let basic = |pair: &str| headers(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(writers.check(&basic("batcher:p:w d")), Ok(Some("batcher".to_owned())));
        assert_eq!(writers.check(&headers("bearer t0ken")), Ok(Some("bearer 3".to_owned())));
        for refused in [
            HeaderMap::new(),
            basic("batcher:pw"),
            basic("other:p:w d"),
            basic(""),
            headers("Basic t0ken"),
            headers("Bearer T0ken"),
            // The two schemes have secrets of their own.
            headers("Bearer batcher:p:w d"),
            basic("t0ken"),
            headers("Digest t0ken"),
            headers("t0ken"),
        ] {
            assert_eq!(writers.check(&refused), Err(Failure::Unauthorized), "{refused:?}");
        }
        assert!(Writers::default().is_open() && Writers::default().check(&HeaderMap::new()) == Ok(None));
    }

    #[test]
    fn a_token_that_a_writer_makes_itself_is_good_for_its_minute() {
        let secret = "0b".repeat(32);
        let writers = Writers::parse(&format!("jwt 0x{secret}\nbearer t0ken")).expect("good");
        let token = |secret: &str, iat: u64| {
            let made = Secret::parse(secret).expect("good").token(r#"{"alg":"HS256"}"#, &format!(r#"{{"iat":{iat}}}"#));
            headers(&format!("Bearer {made}"))
        };
        assert_eq!(writers.check(&token(&secret, unix_now())), Ok(Some("jwt 1".to_owned())));
        assert_eq!(writers.check(&headers("Bearer t0ken")), Ok(Some("bearer 2".to_owned())));
        for refused in [
            token(&secret, unix_now() - 120),
            token(&"0c".repeat(32), unix_now()),
            // The secret itself is no token.
            headers(&format!("Bearer {secret}")),
            headers(&format!("Basic {}", STANDARD.encode(&secret))),
        ] {
            assert_eq!(writers.check(&refused), Err(Failure::Unauthorized), "{refused:?}");
        }
    }

    #[test]
    fn a_bad_file_is_refused_without_showing_its_secrets() {
        for text in [
            "",
            "# nobody\n",
            "basic batcher\n",
            "basic :secret",
            "basic batcher:",
            "secret",
            "bearer a secret",
            "jwt secret",
            "jwt",
        ] {
            let error = Writers::parse(text).expect_err(text);
            assert!(!error.contains("secret"), "{error}");
        }
        let shown = format!("{:?}", Writers::parse("basic batcher:secret").expect("good"));
        assert!(shown.contains("batcher") && !shown.contains("secret"), "{shown}");
    }
}
