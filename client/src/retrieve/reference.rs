use std::str::FromStr;

use holdfast_certificate::{Certificate, VerifiedCertificate};
use holdfast_erasure::BlobId;

/// What to read: a blob by its id, or by its certificate.
///
/// A certificate names the epoch, so that its members are asked; it is verified before anything is read.
#[derive(Clone, Debug)]
pub enum Reference {
    /// By id: members of the active epoch are asked, then those of the epochs before.
    BlobId(BlobId),
    /// By certificate.
    Certificate(Box<Certificate>),
}

impl From<BlobId> for Reference {
    fn from(id: BlobId) -> Self {
        Self::BlobId(id)
    }
}

impl From<Certificate> for Reference {
    fn from(certificate: Certificate) -> Self {
        Self::Certificate(Box::new(certificate))
    }
}

impl From<&VerifiedCertificate> for Reference {
    fn from(certificate: &VerifiedCertificate) -> Self {
        Self::Certificate(Box::new(Certificate::clone(certificate)))
    }
}

/// Text is neither a blob id nor a certificate in hex.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// Not hexadecimal digits, with or without `0x`.
    #[error("not hexadecimal: {0}")]
    Hex(String),
    /// The bytes are no certificate, and not the 32 bytes of a blob id.
    #[error("{got} bytes, expected 32 of a blob id or a certificate: {reason}")]
    Certificate {
        /// Bytes given.
        got: usize,
        /// What is wrong with them as a certificate.
        reason: String,
    },
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    /// Hexadecimal with or without `0x`: 32 bytes are a blob id, anything else a certificate in its compact encoding.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text))
            .map_err(|error| ParseReferenceError::Hex(error.to_string()))?;
        if let Ok(id) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::BlobId(id.into()));
        }
        Certificate::decode(&bytes)
            .map(Self::from)
            .map_err(|error| ParseReferenceError::Certificate { got: bytes.len(), reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bytes_are_a_blob_id_with_or_without_prefix() {
        let digits = "0b".repeat(32);
        for text in [digits.clone(), format!("0x{digits}"), format!(" 0x{digits}\n")] {
            let reference: Reference = text.parse().expect("a blob id");
            assert!(matches!(reference, Reference::BlobId(id) if *id.as_bytes() == [0x0b; 32]));
        }
    }

    #[test]
    fn what_is_neither_says_so() {
        assert!(matches!("0xzz".parse::<Reference>(), Err(ParseReferenceError::Hex(_))));
        let short = "0x0102".parse::<Reference>();
        assert!(matches!(short, Err(ParseReferenceError::Certificate { got: 2, .. })), "{short:?}");
    }
}
