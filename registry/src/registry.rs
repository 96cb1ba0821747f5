//! The one small interface through which members, clients and the CLI see the registry.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use holdfast_certificate::{Certificate, Domain, Namespace};

use crate::{
    error::Error,
    published::{Publication, Publications, Since},
    records::{EpochRecord, Finality, NamespaceRecord},
};

/// Where committees and namespaces come from: L1 (`ChainRegistry` of `holdfast-l1`) or a file
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

    /// The epoch that is active at unix time `at`, or else the newest that has begun by then: what its members hold can be
    /// read, closed or revoked.
    ///
    /// # Errors
    /// [`Error::NoActiveEpoch`] if none has begun; otherwise see [`Error::fault`].
    async fn newest_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.active_epoch(at).await
    }

    /// The rules of one namespace.
    ///
    /// # Errors
    /// [`Error::UnknownNamespace`] if there is none; otherwise see [`Error::fault`].
    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error>;

    /// [`Registry::namespace`] for a name that a stranger gave, who may have made it up: however many of these are looked up,
    /// they cost what the registry is read from a bounded number of questions, and hold up nobody who asks for what is
    /// known.
    ///
    /// # Errors
    /// As [`Registry::namespace`]; [`Error::TooManyUnknown`] for what is beyond that number.
    async fn look_up(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.namespace(namespace).await
    }

    /// What was published on L1 for these namespaces (for all, where none is named), in L1's order and final: as much of it as one
    /// answer holds. Whoever wants the rest asks again, since [`Publications::next`]. `None` for a registry that is not read
    /// from a chain.
    ///
    /// # Errors
    /// See [`Error::fault`].
    async fn published(&self, _namespaces: &[Namespace], _since: Since) -> Result<Option<Publications>, Error> {
        Ok(None)
    }

    /// The certificate that was given to the registry with a publication, from the data of its transaction; `None` where it is
    /// not found in there. Its statement is the one that the event names. Its signature is not verified.
    ///
    /// # Errors
    /// See [`Error::fault`].
    async fn published_certificate(&self, _publication: &Publication) -> Result<Option<Certificate>, Error> {
        Ok(None)
    }

    /// The EIP-712 domain of every statement made under this registry.
    fn domain(&self) -> Domain;

    /// How fresh what is returned is, for status pages; `None` for a registry that is not read from a chain.
    fn finality(&self) -> Option<Finality> {
        None
    }
}
