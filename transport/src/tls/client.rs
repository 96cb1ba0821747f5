//! How a client knows a member: by its pin, or else by what its BLS key has endorsed, or else by the machine's roots.

use std::{fmt, sync::Arc};

use holdfast_certificate::Endorsement;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier as PlatformVerifier;
use tonic::transport::{ClientTlsConfig, Endpoint};

use super::inspect;
use crate::trust::{MemberKey, Trust};

/// Why whoever answers is not the member.
#[derive(thiserror::Error)]
enum Stranger {
    #[error("its TLS key has the pin 0x{}, expected 0x{}", hex::encode(got), hex::encode(expected))]
    Pin { expected: [u8; 32], got: [u8; 32] },
    #[error("its TLS key is not endorsed: {0}")]
    Endorsement(String),
    #[error("no pin, no endorsement, and this machine has no roots to go by: {0}")]
    NoRoots(String),
}

/// In words: rustls shows the errors of others by this alone.
impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The provider of cryptography of the whole program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

/// The same channel over TLS.
pub(crate) fn secure(endpoint: Endpoint, trust: &Trust) -> Result<Endpoint, String> {
    let algorithms = provider().signature_verification_algorithms;
    let roots = match trust.pin {
        Some(_) => Err("they are not asked where there is a pin".to_owned()),
        None => PlatformVerifier::new(provider()).map_err(|error| error.to_string()),
    };
    let host = endpoint.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let tls = ClientTlsConfig::new().domain_name(host);
    let verifier = Arc::new(Verifier { trust: *trust, roots, algorithms });
    endpoint.tls_config_with_verifier(tls, verifier).map_err(|error| {
        // tonic's own text says only that there was an error.
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })
}

/// Of a pinned or endorsed key neither the certificate's name nor its dates are looked at: the key is the identity.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    roots: Result<PlatformVerifier, String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// True if the member's key has endorsed this one; false where it says nothing of any.
    fn is_endorsed(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        let Some(MemberKey { key, domain }) = &self.trust.member else { return Ok(false) };
        let refused = |reason: String| refuse(Stranger::Endorsement(reason));
        let Some(bytes) = inspect::endorsement(certificate).map_err(refused)? else { return Ok(false) };
        let endorsement = Endorsement::from_bytes(&bytes).map_err(|error| refused(error.to_string()))?;
        let tls_key = inspect::pin(certificate)?;
        endorsement.verify(key, domain, &tls_key, now.as_secs()).map_err(|error| refused(error.to_string()))?;
        Ok(true)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(expected) = self.trust.pin {
            let got = inspect::pin(end_entity)?;
            return if got == expected {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(refuse(Stranger::Pin { expected, got }))
            };
        }
        if self.is_endorsed(end_entity, now)? {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.roots {
            Ok(roots) => roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            Err(reason) => Err(refuse(Stranger::NoRoots(reason.clone()))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn refuse(why: Stranger) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}
