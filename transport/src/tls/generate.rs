//! A self-signed certificate for a member whose pin is on L1: nobody else need vouch for it.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::{Error, inspect};
use crate::pin::Pin;

/// The last year in which what is made here is valid. A pin is replaced by another pin, not by time; clients that check a pin
/// look at no date.
const LAST_YEAR: i32 = 2099;

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, in PEM.
    pub certificate: String,
    /// The secret key, in PEM (PKCS #8).
    pub key: String,
    /// The pin of the key.
    pub pin: Pin,
}

/// Makes a new key (ECDSA P-256) with a certificate of its own for these hosts, which are names or addresses.
///
/// # Errors
/// [`Error::Make`].
pub fn generate(hosts: Vec<String>) -> Result<Pair, Error> {
    let failed = |error: rcgen::Error| Error::Make(error.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(hosts).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Holdfast member");
    params.not_after = date_time_ymd(LAST_YEAR, 12, 31);
    let certificate = params.self_signed(&key).map_err(failed)?;
    let pin = inspect::pin(certificate.der()).map_err(|error| Error::Make(error.to_string()))?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem(), pin })
}
