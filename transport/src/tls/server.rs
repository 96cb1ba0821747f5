//! How a member, or a gateway, proves who it is, with a certificate that can be replaced while it runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use super::{Error, client::provider, inspect};
use crate::trust::Pin;

/// A server's TLS identity, from a certificate and its key in PEM.
///
/// # The one that works stays
///
/// [`Self::reload`] takes a new pair only if it is whole; otherwise the one before goes on being used.
#[derive(Debug, Clone)]
pub struct ServerTls {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(RwLock<Loaded>);

#[derive(Debug, Clone)]
struct Loaded {
    key: Arc<CertifiedKey>,
    pin: Pin,
    not_after: u64,
}

impl ServerTls {
    /// Reads the pair.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Pair`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let current = Arc::new(Current(RwLock::new(load(certificate, key)?)));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| pair(certificate, key, error.to_string()))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&current) as _;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { certificate: certificate.into(), key: key.into(), config: Arc::new(config), current })
    }

    /// The same for what speaks another protocol than HTTP/2, by its name in ALPN (RFC 7301).
    #[must_use]
    pub fn speaking(mut self, protocol: &str) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.as_bytes().to_vec()];
        self
    }

    /// Reads the pair again; true if it is another one, which is used from the next connection on.
    ///
    /// # Errors
    /// As [`Self::load`]; the pair before stays.
    pub fn reload(&self) -> Result<bool, Error> {
        let loaded = load(&self.certificate, &self.key)?;
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = loaded.key.cert != current.key.cert;
        if changed {
            *current = loaded;
        }
        Ok(changed)
    }

    /// What turns a connection into one over TLS.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The pin of the key in use.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.current.loaded().pin
    }

    /// Until when the certificate in use is valid, unix seconds.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.current.loaded().not_after
    }
}

impl Current {
    fn loaded(&self) -> Loaded {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded().key)
    }
}

fn load(certificate: &Path, key: &Path) -> Result<Loaded, Error> {
    let file = |file: &Path, reason: String| Error::File { file: file.display().to_string(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| file(certificate, error.to_string()))?;
    let first = chain.first().ok_or_else(|| file(certificate, "it has no certificate in PEM".into()))?;
    let pin = inspect::pin(first).map_err(|error| file(certificate, error.to_string()))?;
    let not_after = inspect::not_after(first).map_err(|reason| file(certificate, reason))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error.to_string()))?;
    // Checks that the key is the certificate's.
    let certified = CertifiedKey::from_der(chain, secret, &provider())
        .map_err(|error| pair(certificate, key, error.to_string()))?;
    Ok(Loaded { key: Arc::new(certified), pin, not_after })
}

fn pair(certificate: &Path, key: &Path, reason: String) -> Error {
    Error::Pair { certificate: certificate.display().to_string(), key: key.display().to_string(), reason }
}
