use std::sync::Arc;

use holdfast_certificate::{DisperserKey, Namespace};
use holdfast_registry::Registry;

use crate::{client::Client, config::Config, context::Context, error::Error};

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
    disperser: Option<DisperserKey>,
    config: Config,
}

impl Builder {
    /// Where committees are read from.
    #[must_use]
    pub fn registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The namespace to disperse to, and to search in.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// The key that signs statements; its address must be a disperser of the namespace.
    #[must_use]
    pub fn disperser(mut self, key: DisperserKey) -> Self {
        self.disperser = Some(key);
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
        Ok(Client::new(Context::new(registry, self.namespace, self.disperser, self.config)))
    }
}
