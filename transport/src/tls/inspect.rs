//! What a certificate says.

use rustls::{pki_types::CertificateDer, server::ParsedCertificate};
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{
        Decode,
        asn1::{ObjectIdentifier, OctetString},
    },
};

use crate::trust::Pin;

/// The extension with a member's endorsement (docs/protocol.md section 5), in an arc for experiments.
pub(super) const ENDORSEMENT: [u64; 7] = [1, 3, 6, 1, 3, 7400, 1];
const ENDORSEMENT_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.3.7400.1");

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

/// The endorsement in it, if there is one; it proves nothing yet.
pub(super) fn endorsement(certificate: &CertificateDer<'_>) -> Result<Option<Vec<u8>>, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let all = parsed.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
    let mut found = all.iter().filter(|extension| extension.extn_id == ENDORSEMENT_OID);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(extension), None) => {
            let value = OctetString::from_der(extension.extn_value.as_bytes()).map_err(|error| error.to_string())?;
            Ok(Some(value.as_bytes().to_vec()))
        }
        (Some(_), Some(_)) => Err("there are two endorsements".into()),
    }
}
