//! Where payloads are stored, and how they are dispersed.

use std::time::Duration;

use holdfast_certificate::HOUR;
use holdfast_erasure::Dispersal;
use holdfast_transport::{configuration::Error, human};
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Where payloads are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// At the committee.
    #[default]
    Committee,
    /// In this process, until it ends: for tests of software that talks to a gateway.
    Memory,
}

/// How payloads are dispersed where a request says nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Put {
    /// How long members keep the shards.
    #[serde(with = "human")]
    pub retention: Duration,
    /// How long they keep the whole payload, by payload.
    #[serde(with = "human")]
    pub whole: Duration,
    /// `payload`, so that the certificate binds keccak256 and the payload is found by it, or `shard`. Plain HTTP only: the
    /// stacks' protocols need `payload`.
    pub by: By,
    /// An existing certificate of the same payload is given again if it holds until at most this much sooner than asked
    /// (and at most a quarter of the retention).
    #[serde(with = "human")]
    pub reuse_within: Duration,
}

/// What each member receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The whole payload.
    #[default]
    Payload,
    /// Its shard.
    Shard,
}

impl From<By> for Dispersal {
    fn from(by: By) -> Self {
        match by {
            By::Payload => Self::ByPayload,
            By::Shard => Self::ByShard,
        }
    }
}

impl Default for Put {
    fn default() -> Self {
        Self { retention: 28 * DAY, whole: 7 * DAY, by: By::Payload, reuse_within: DAY }
    }
}

impl Put {
    pub(super) fn check(&self) -> Result<(), Error> {
        let hour = Duration::from_secs(HOUR);
        if self.retention < hour {
            let reason = format!("must be at least 1h, got {:?}", self.retention);
            return Err(Error::Invalid { key: "put.retention", reason });
        }
        if self.whole < hour || self.whole > self.retention {
            let reason = format!("must be at least 1h and at most put.retention, got {:?}", self.whole);
            return Err(Error::Invalid { key: "put.whole", reason });
        }
        Ok(())
    }
}
