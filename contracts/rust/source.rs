//! The one small interface through which members, clients and the CLI see the registry.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use holdfast_certificate::{Address, Committee, Domain, Namespace};

use crate::{Error, Finality};

/// Where committees and namespaces come from: L1 ([`ChainRegistry`](crate::ChainRegistry)) or a file
/// ([`FileRegistry`](crate::FileRegistry)).
///
/// # Final, not latest
///
/// What an implementation returns cannot be undone by a reorganisation of L1.
#[async_trait]
pub trait Registry: Send + Sync + Debug {
    /// One epoch, whether active, closed or revoked: old epochs stay readable.
    ///
    /// # Errors
    /// [`Error::UnknownEpoch`] if there is none or it was cancelled; otherwise see [`Error::fault`].
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error>;

    /// The epoch that is active at unix time `at`.
    ///
    /// # Errors
    /// [`Error::NoActiveEpoch`] if there is none; otherwise see [`Error::fault`].
    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error>;

    /// The rules of one namespace.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`] if there is none; otherwise see [`Error::fault`].
    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error>;

    /// The EIP-712 domain of every statement made under this registry.
    fn domain(&self) -> Domain;

    /// How fresh what is returned is, for status pages; `None` for a registry that is not read from a chain.
    fn finality(&self) -> Option<Finality> {
        None
    }
}

/// A committee epoch as the registry knows it.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// Keys and parameters: never change once proposed.
    pub committee: Arc<Committee>,
    /// Unix seconds from which the epoch is active.
    pub active_from: u64,
    /// Unix seconds from which a successor is active; `None` while there is none.
    pub active_until: Option<u64>,
    /// Unix seconds from which the guardian has revoked the epoch; `None` if not.
    pub revoked_at: Option<u64>,
    /// Where each slot's member can be reached, in slot order.
    pub endpoints: Vec<Endpoint>,
}

/// Where a slot's member can be reached, as its own account has said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoint {
    /// URL of its gRPC services; empty where none is set.
    pub url: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo of its TLS certificate (the pin of RFC 7469); `None` for any.
    pub tls_pin: Option<[u8; 32]>,
}

impl Endpoint {
    /// An endpoint without a TLS pin.
    #[must_use]
    pub fn unpinned(url: impl Into<String>) -> Self {
        Self { url: url.into(), tls_pin: None }
    }
}

impl EpochRecord {
    /// Whether the epoch is active at unix time `at`: begun, not succeeded, not revoked.
    #[must_use]
    pub fn is_active(&self, at: u64) -> bool {
        self.active_from <= at
            && self.active_until.is_none_or(|until| at < until)
            && self.revoked_at.is_none_or(|revoked| at < revoked)
    }
}

/// A namespace as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceRecord {
    /// Who decides on dispersers and retention; zero where nobody can, as in a committee file.
    pub owner: Address,
    /// The accounts whose signature a member takes a blob from.
    pub dispersers: Vec<Address>,
    /// Seconds that a certificate's data must at least still be retained when L1 accepts it.
    pub min_retention: u64,
    /// What that will be, and from which unix second on, where a change is pending.
    pub next_min_retention: Option<(u64, u64)>,
    /// Unix seconds before which members drop nothing of this namespace; 0 if the guardian does not hold it.
    pub hold_until: u64,
}

impl NamespaceRecord {
    /// The minimum retention at unix time `at`, now or later: a change that is pending takes effect whether or not a
    /// newer block has become final.
    #[must_use]
    pub fn min_retention_at(&self, at: u64) -> u64 {
        match self.next_min_retention {
            Some((seconds, from)) if from <= at => seconds,
            _ => self.min_retention,
        }
    }
}
