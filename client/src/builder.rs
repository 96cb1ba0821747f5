use std::sync::Arc;

#[cfg(feature = "l1")]
use holdfast_certificate::Address;
use holdfast_certificate::Namespace;
#[cfg(feature = "l1")]
use holdfast_l1::{ChainRegistry, ReaderOptions};
use holdfast_registry::Registry;
use holdfast_transport::Network;

use crate::{
    client::Client, config::Config, context::Context, error::Error, observer::Observer, signer::DisperserSigner,
};

impl Client {
    /// Begins a client.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Makes a [`Client`]. Only the registry is needed to read; to write, also a namespace and a disperser's key.
#[derive(Debug, Default)]
pub struct Builder {
    registry: Option<Arc<dyn Registry>>,
    namespace: Option<Namespace>,
    disperser: Option<Arc<dyn DisperserSigner>>,
    observer: Option<Arc<dyn Observer>>,
    network: Option<Arc<dyn Network>>,
    config: Config,
}

impl Builder {
    /// Where committees are read from.
    #[must_use]
    pub fn registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Reads committees from the registry's contract on L1, through these JSON-RPC nodes: with two or more, two must agree.
    ///
    /// ```no_run
    /// # async fn build() -> Result<(), Box<dyn std::error::Error>> {
    /// use holdfast_client::Client;
    ///
    /// let registry = "0x5fbdb2315678afecb367f032d93f642f64180aa3".parse()?;
    /// let client = Client::builder().l1(&["https://l1.example", "https://l1.example.org"], registry).await?.build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Registry`] where the nodes, their chain or the contract cannot be used.
    #[cfg(feature = "l1")]
    pub async fn l1<S: AsRef<str> + Sync>(self, urls: &[S], registry: Address) -> Result<Self, Error> {
        let connected = ChainRegistry::connect_with(urls, registry, ReaderOptions::default()).await;
        Ok(self.registry(Arc::new(connected.map_err(|error| Error::Registry(error.into()))?)))
    }

    /// The namespace to disperse to, and to search in.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Who signs statements, a [`DisperserKey`](crate::DisperserKey) or a signer of one's own; its address must be a disperser
    /// of the namespace.
    #[must_use]
    pub fn disperser(mut self, signer: impl DisperserSigner + 'static) -> Self {
        self.disperser = Some(Arc::new(signer));
        self
    }

    /// Who hears how far the client's calls have come.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Reaches members over another network than the machine's: for simulations. What it connects is not encrypted.
    #[must_use]
    pub fn network(mut self, network: Arc<dyn Network>) -> Self {
        self.network = Some(network);
        self
    }

    /// Replaces the defaults.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Makes the client; connects to nobody yet.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] without a registry; [`Error::Invalid`] for a deadline or retention of zero or past its
    /// bound.
    pub fn build(self) -> Result<Client, Error> {
        self.config.check()?;
        let registry = self.registry.ok_or(Error::NotConfigured { what: "registry" })?;
        let Self { namespace, disperser, observer, network, config, .. } = self;
        Ok(Client::new(Context::new(registry, namespace, disperser, observer, network, config)))
    }
}
