//! A self-signed certificate for a member: its pin is on L1, or its BLS key has endorsed it, and nobody else need vouch for it.

use std::time::Duration;

use holdfast_certificate::{Domain, Endorsement, SecretKey};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PublicKeyData as _, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_cert::der::{Encode as _, asn1::OctetString};

use super::{Error, inspect};
use crate::trust::Pin;

/// The last year in which what is made here is valid, unless it is endorsed. A pin is replaced by another pin, not by time;
/// clients that check a pin look at no date.
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

/// Who endorses a TLS key, where, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Endorser<'a> {
    /// The member's BLS key.
    pub secret: &'a SecretKey,
    /// Chain and registry.
    pub domain: Domain,
    /// From when on, unix seconds.
    pub from: u64,
    /// For how long, at most [`Endorsement::LONGEST`].
    pub span: Duration,
}

/// A key (ECDSA P-256) that has no certificate yet.
#[derive(Debug)]
pub struct NewKey {
    key: KeyPair,
    pin: Pin,
}

impl NewKey {
    /// Makes one.
    ///
    /// # Errors
    /// [`Error::Make`].
    pub fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(|error| Error::Make(error.to_string()))?;
        let pin = Sha256::digest(key.subject_public_key_info()).into();
        Ok(Self { key, pin })
    }

    /// What is endorsed, or pinned.
    #[must_use]
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// With a certificate of its own for these hosts, which are names or addresses, and an endorsement in it, if there is one.
    ///
    /// # Errors
    /// [`Error::Make`].
    pub fn certify(self, hosts: Vec<String>, endorsement: Option<&Endorsement>) -> Result<Pair, Error> {
        let Self { key, pin } = self;
        let failed = |error: rcgen::Error| Error::Make(error.to_string());
        let mut params = CertificateParams::new(hosts).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Holdfast member");
        params.not_after = date_time_ymd(LAST_YEAR, 12, 31);
        if let Some(endorsement) = endorsement {
            params.custom_extensions.push(extension(endorsement)?);
            // So whoever watches the certificate's date watches the endorsement's.
            params.not_after = time(endorsement.not_after())?;
        }
        let certificate = params.self_signed(&key).map_err(failed)?;
        debug_assert_eq!(inspect::pin(certificate.der()), Ok(pin));
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem(), pin })
    }
}

/// Makes a new key with a certificate of its own for these hosts; endorsed, if there is an endorser.
///
/// # Errors
/// [`Error::Make`].
pub fn generate(hosts: Vec<String>, endorser: Option<Endorser<'_>>) -> Result<Pair, Error> {
    let new = NewKey::generate()?;
    let endorsement = endorser.map(|endorser| {
        let until = endorser.from.saturating_add(endorser.span.as_secs());
        Endorsement::sign(endorser.secret, &endorser.domain, new.pin(), endorser.from, until)
            .map_err(|error| Error::Make(error.to_string()))
    });
    let endorsement = endorsement.transpose()?;
    new.certify(hosts, endorsement.as_ref())
}

fn extension(endorsement: &Endorsement) -> Result<CustomExtension, Error> {
    let value = OctetString::new(endorsement.to_bytes()).and_then(|octets| octets.to_der());
    let value = value.map_err(|error| Error::Make(error.to_string()))?;
    Ok(CustomExtension::from_oid_content(&inspect::ENDORSEMENT, value))
}

fn time(seconds: u64) -> Result<OffsetDateTime, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Make(error.to_string());
    let seconds = i64::try_from(seconds).map_err(|error| failed(&error))?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| failed(&error))
}
