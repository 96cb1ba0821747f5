//! What a registry knows: epochs, where their members are reached, namespaces, and how fresh all of it is.

use std::sync::Arc;

use holdfast_certificate::{Address, Committee};
use serde::Serialize;

/// A committee epoch as the registry knows it.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// Keys and parameters: never change once proposed.
    pub committee: Arc<Committee>,
    /// Unix seconds from which the epoch is active.
    pub active_from: u64,
    /// Unix seconds from which a successor is active; `None` while there is none.
    pub active_until: Option<u64>,
    /// Unix seconds from which L1 takes no certificate of the epoch any more: `active_until` and the registry's overlap.
    pub accepted_until: Option<u64>,
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
    /// Whether the epoch's members sign at unix time `at`: begun, not succeeded, not revoked.
    #[must_use]
    pub fn is_active(&self, at: u64) -> bool {
        self.active_from <= at
            && self.active_until.is_none_or(|until| at < until)
            && self.revoked_at.is_none_or(|revoked| at < revoked)
    }

    /// Whether L1 takes a certificate of the epoch at unix time `at`: also for the overlap after its end.
    #[must_use]
    pub fn is_accepted(&self, at: u64) -> bool {
        self.active_from <= at
            && self.accepted_until.is_none_or(|until| at < until)
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

/// The finalized block at which a registry is read, and how sure that is. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finality {
    /// The block's number.
    pub block: u64,
    /// The block's time.
    pub timestamp: u64,
    /// When enough nodes last said that this is the finalized block.
    pub read_at: u64,
    /// Whether the block is so old that nothing newer seems to become final.
    pub stalled: bool,
    /// Whether the nodes could not be asked for so long that what is known is no longer used: every answer is an error.
    pub expired: bool,
    /// Why the nodes could not be asked the last time; `None` if they could.
    pub failure: Option<String>,
    /// The nodes, by host, that have contradicted the others within the last hour.
    pub dissenters: Vec<String>,
}
