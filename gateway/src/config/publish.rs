//! What becomes of certificates on L1.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use holdfast_certificate::HOUR;
use holdfast_transport::{configuration::Error, human};
use serde::{Deserialize, Serialize};

/// How often a checkpoint may be made.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);

/// What becomes of certificates on L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Whether, and how.
    pub mode: PublishMode,
    /// How often a checkpoint is made.
    #[serde(default = "hourly", with = "human")]
    pub interval: Duration,
    /// A folder that must not be lost: certificates that wait for L1, the checkpoints with their ids, and the account's
    /// journal. One gateway has it, and one account.
    pub dir: PathBuf,
    /// File with the account's secp256k1 key: 32 bytes in hex, or a keystore as geth and Foundry write.
    pub key_file: PathBuf,
    /// File with that keystore's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// How certificates are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// Not at all.
    Never,
    /// Each in a transaction of its own.
    Each,
    /// All of an interval in one checkpoint.
    Checkpoint,
}

impl Publish {
    pub(super) fn check(&self) -> Result<(), Error> {
        if !INTERVALS.contains(&self.interval) {
            let reason = format!("must be 1s to 7d, got {:?}", self.interval);
            return Err(Error::Invalid { key: "publish.interval", reason });
        }
        Ok(())
    }
}

fn hourly() -> Duration {
    Duration::from_secs(HOUR)
}
