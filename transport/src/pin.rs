//! How a TLS key is named on L1.

/// SHA-256 of the DER SubjectPublicKeyInfo of a TLS certificate (the pin of RFC 7469).
pub type Pin = [u8; 32];
