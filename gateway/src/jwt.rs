//! Tokens that clients make themselves, as geth-style JSON-RPC clients do: HS256 over a secret that both sides have in a file, with the time of its
//! making (`iat`) within a minute (the Engine API's authentication specification).

use std::path::Path;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use crate::{clock::unix_now, error::Error, failure::Failure};

/// How far a token's time may be off, seconds.
const MAX_SKEW: u64 = 60;

/// The secret.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: Option<u64>,
}

impl Secret {
    /// Reads a file that holds nothing else.
    pub(crate) fn load(file: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(file) = file else { return Ok(None) };
        let failed = |reason: String| Error::File { what: "JWT secret", file: file.into(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        Self::parse(text.trim()).map(Some).map_err(failed)
    }

    /// 32 bytes in hex, with or without `0x`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut secret = [0; 32];
        hex::decode_to_slice(text.trim_start_matches("0x"), &mut secret)
            .map_err(|error| format!("expected 32 bytes in hex: {error}"))?;
        Ok(Self(secret))
    }

    /// Checks a request's bearer token.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if token.is_some_and(|token| self.is_good(token.trim(), unix_now())) {
            Ok(())
        } else {
            Err(Failure::Unauthorized)
        }
    }

    /// Whether a token is this secret's, and of this minute.
    pub(crate) fn is_good(&self, token: &str, now: u64) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let Some((header, claims)) = signed.split_once('.') else { return false };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let (Some(header), Some(claims), Some(signature)) = (decode(header), decode(claims), decode(signature)) else {
            return false;
        };
        // Before the claims are looked at, and in constant time.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return false };
        mac.update(signed.as_bytes());
        if mac.verify_slice(&signature).is_err() {
            return false;
        }
        let right_kind = serde_json::from_slice::<Header>(&header).is_ok_and(|header| header.alg == "HS256");
        let in_time = serde_json::from_slice::<Claims>(&claims)
            .is_ok_and(|claims| claims.iat.abs_diff(now) <= MAX_SKEW && claims.exp.is_none_or(|exp| now < exp));
        right_kind && in_time
    }

    /// A token, as a client makes it.
    #[cfg(test)]
    pub(crate) fn token(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn a_token_is_good_for_a_minute_around_its_making_and_for_this_secret_only() {
        let (secret, other) = (Secret([7; 32]), Secret([8; 32]));
        let made = |iat: u64| secret.token(HS256, &format!(r#"{{"iat":{iat}}}"#));
        for (token, good) in [
            (made(1000), true),
            (made(940), true),
            (made(1060), true),
            (made(939), false),
            (made(1061), false),
            (other.token(HS256, r#"{"iat":1000}"#), false),
            (secret.token(r#"{"alg":"none"}"#, r#"{"iat":1000}"#), false),
            (secret.token(HS256, r#"{"iat":1000,"exp":1000}"#), false),
            (secret.token(HS256, r#"{"iat":1000,"exp":1001}"#), true),
            (secret.token(HS256, "{}"), false),
            (made(1000).replace('.', ""), false),
            (format!("{}A", made(1000)), false),
            (String::new(), false),
        ] {
            assert_eq!(secret.is_good(&token, 1000), good, "{token}");
        }
        // A token made with openssl, of another implementation.
        let secret = Secret(*b"0123456789abcdef0123456789abcdef");
        let known = include_str!("../tests/jwt.txt").trim();
        assert!(secret.is_good(known, 1_700_000_000));
    }

    #[test]
    fn fuzz_tokens() {
        let secret = Secret([7; 32]);
        let good = secret.token(HS256, r#"{"iat":1000}"#);
        let seeds =
            [good.clone(), secret.token(HS256, r#"{"iat":1000,"exp":1001}"#), Secret([8; 32]).token(HS256, "{}")];
        let honest = seeds.clone();
        holdfast_fuzz::Target::new("tokens", seeds).run(|bytes| {
            let Ok(token) = std::str::from_utf8(bytes) else { return };
            if secret.is_good(token, 1000) {
                assert!(honest.iter().any(|made| made == token), "nobody else can make one: {token}");
            }
        });
    }
}
