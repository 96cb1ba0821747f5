//! The commitments that an OP Stack chain puts on L1.
//!
//! ```text
//! 00 | keccak256 of the payload 32            keccak mode
//! 01 | ff | keccak256 of the payload 32       generic: 34 bytes, the same for the same payload
//! 01 | ff | certificate, compact              generic, for readers that search no member
//! ```
//!
//! `ff` is the byte that the reference server and base use; nodes do not look at it.

use holdfast_certificate::Certificate;
use holdfast_erasure::Digest;

use crate::failure::Failure;

const KECCAK: u8 = 0x00;
const GENERIC: u8 = 0x01;
const LAYER: u8 = 0xff;
/// The longest commitment in hex that is looked at: a certificate of the largest committee.
const MAX_DIGITS: usize = 1024;

/// A commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Commitment {
    /// Keccak mode.
    Keccak(Digest),
    /// Generic, the digest.
    Digest(Digest),
    /// Generic, the certificate.
    Certificate(Box<Certificate>),
}

impl Commitment {
    /// Reads a path: hex of either case, with or without `0x`.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if digits.len() > MAX_DIGITS {
            return Err(Failure::Commitment(format!("expected at most {MAX_DIGITS} digits, got {}", digits.len())));
        }
        let bytes = hex::decode(digits).map_err(|error| Failure::Commitment(format!("not hex: {error}")))?;
        Self::decode(&bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        match bytes {
            [KECCAK, digest @ ..] => match <[u8; 32]>::try_from(digest) {
                Ok(digest) => Ok(Self::Keccak(digest.into())),
                Err(_) => Err(Failure::Commitment(format!("keccak: expected 33 bytes, got {}", bytes.len()))),
            },
            [GENERIC, LAYER, rest @ ..] => match <[u8; 32]>::try_from(rest) {
                Ok(digest) => Ok(Self::Digest(digest.into())),
                Err(_) => match Certificate::decode(rest) {
                    Ok(certificate) => Ok(Self::Certificate(Box::new(certificate))),
                    Err(error) => Err(Failure::Commitment(format!(
                        "generic: {} bytes after 01ff are neither a digest nor a certificate: {error}",
                        rest.len()
                    ))),
                },
            },
            [GENERIC, layer, ..] => {
                Err(Failure::Commitment(format!("generic: of DA layer 0x{layer:02x}, this gateway's is 0xff")))
            }
            _ => Err(Failure::Commitment("it begins with neither 00 nor 01".into())),
        }
    }

    /// The bytes that go to L1 after the version byte.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Keccak(digest) => [&[KECCAK], digest.as_bytes().as_slice()].concat(),
            Self::Digest(digest) => [&[GENERIC, LAYER], digest.as_bytes().as_slice()].concat(),
            Self::Certificate(certificate) => [&[GENERIC, LAYER], certificate.encode().as_slice()].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_case_with_and_without_prefix_is_the_same_commitment() {
        let digest = Digest::from([0xab; 32]);
        for (commitment, digits) in [
            (Commitment::Keccak(digest), format!("00{}", "ab".repeat(32))),
            (Commitment::Digest(digest), format!("01ff{}", "ab".repeat(32))),
        ] {
            assert_eq!(hex::encode(commitment.encode()), digits);
            for text in
                [format!("0x{digits}"), digits.clone(), digits.to_uppercase(), format!("0X{}", digits.to_uppercase())]
            {
                assert_eq!(Commitment::parse(&text), Ok(commitment.clone()), "{text}");
            }
        }
    }

    #[test]
    fn what_no_gateway_makes_is_refused() {
        for text in [
            String::new(),
            "0x".into(),
            "00".into(),
            "01".into(),
            "01ff".into(),
            "02".repeat(33),
            format!("00{}", "ab".repeat(31)),
            format!("00{}", "ab".repeat(33)),
            format!("01ff{}", "ab".repeat(31)),
            format!("0100{}", "ab".repeat(32)),
            format!("010c{}", "ab".repeat(32)),
            format!("0x0x00{}", "ab".repeat(32)),
            "zz".repeat(33),
            "0".repeat(67),
            "ab".repeat(50_000),
        ] {
            assert!(matches!(Commitment::parse(&text), Err(Failure::Commitment(_))), "{}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn fuzz_commitments() {
        let certificates = holdfast_fuzz::golden(include_str!("../../../testdata/golden/certificate.json"), "compact");
        let with_head = |head: &[u8], rest: &[u8]| hex::encode([head, rest].concat());
        let mut seeds: Vec<String> = certificates.iter().map(|it| with_head(&[GENERIC, LAYER], it)).collect();
        seeds.extend([with_head(&[KECCAK], &[7; 32]), format!("0x{}", with_head(&[GENERIC, LAYER], &[7; 32]))]);
        holdfast_fuzz::Target::new("commitments of an OP Stack", seeds).run(|bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let Ok(commitment) = Commitment::parse(text) else { return };
            // What goes to L1 is what was asked for, and there is no other way to say it.
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
            assert_eq!(hex::encode(commitment.encode()), digits.to_ascii_lowercase());
            assert_eq!(Commitment::decode(&commitment.encode()), Ok(commitment));
        });
    }
}
