//! What a certificate says.

use rustls::{pki_types::CertificateDer, server::ParsedCertificate};
use sha2::{Digest, Sha256};
use x509_cert::{Certificate, der::Decode};

use crate::pin::Pin;

/// The pin of a certificate's key.
pub(super) fn pin(certificate: &CertificateDer<'_>) -> Result<Pin, rustls::Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Sha256::digest(parsed.subject_public_key_info().as_ref()).into())
}

/// Until when it is valid, unix seconds.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Result<u64, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}
