//! The one small interface through which members, clients and the CLI see the registry.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use holdfast_certificate::{Address, Committee, Domain, Namespace};

use crate::Error;

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
    /// Where each slot's member can be reached, in slot order; empty string where none is set.
    pub endpoints: Vec<String>,
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
    /// The accounts whose signature a member takes a blob from.
    pub dispersers: Vec<Address>,
    /// Seconds that a certificate's data must at least still be retained when L1 accepts it.
    pub min_retention: u64,
    /// The guardian's hold, unix seconds: before this time members drop nothing of the namespace. Zero for none.
    pub hold_until: u64,
}
