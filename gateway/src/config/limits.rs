//! What the gateway takes on at once and keeps, and how long each stage may take.

use std::{path::PathBuf, time::Duration};

use holdfast_transport::{configuration::Error, human};
use serde::{Deserialize, Serialize};

/// The longest a deadline may be.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// The most memory that one setting may give away, 1 TiB.
const MAX_MIB: u64 = 1 << 20;
/// The most of anything at once.
const MAX_AT_ONCE: usize = 65_536;

/// What is kept of what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Memory for payloads, MiB; 0 for none.
    pub memory_mib: u64,
    /// A folder for payloads; none where absent. It may be removed at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_dir: Option<PathBuf>,
    /// The most that lies in it, MiB.
    pub disk_mib: u64,
}

/// What the gateway takes on at once, and how long each stage may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections to each listener.
    pub connections: usize,
    /// PUTs whose payload is being received or dispersed.
    pub puts: usize,
    /// Memory for payloads on their way in, MiB.
    pub receiving_mib: u64,
    /// Payloads that are being fetched from members.
    pub reads: usize,
    /// How long a request's head may take, and how long a connection may idle.
    #[serde(with = "human")]
    pub head_deadline: Duration,
    /// How long a body may take.
    #[serde(with = "human")]
    pub body_deadline: Duration,
    /// How long a client may send, or take, nothing.
    #[serde(with = "human")]
    pub stall_deadline: Duration,
    /// How long a PUT waits for its place. (A read that has to be fetched waits for up to `read_deadline`.)
    #[serde(with = "human")]
    pub queue_deadline: Duration,
    /// How long members are asked for an existing certificate before a payload is dispersed.
    #[serde(with = "human")]
    pub lookup_deadline: Duration,
    /// How long a dispersal may take.
    #[serde(with = "human")]
    pub disperse_deadline: Duration,
    /// How long a read may take once it has its place, its search included.
    #[serde(with = "human")]
    pub read_deadline: Duration,
    /// How long a stop waits for requests that are under way.
    #[serde(with = "human")]
    pub drain_deadline: Duration,
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory_mib: 256, disk_dir: None, disk_mib: 4096 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            puts: 64,
            receiving_mib: 512,
            reads: 32,
            head_deadline: Duration::from_secs(30),
            body_deadline: Duration::from_secs(60),
            stall_deadline: Duration::from_secs(15),
            queue_deadline: Duration::from_secs(10),
            lookup_deadline: Duration::from_secs(1),
            disperse_deadline: Duration::from_secs(10),
            read_deadline: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(10),
        }
    }
}

impl Cache {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_mib("cache.memory_mib", 0, self.memory_mib)?;
        check_mib("cache.disk_mib", 1, self.disk_mib)
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), Error> {
        for (key, wait) in [
            ("limits.head_deadline", self.head_deadline),
            ("limits.body_deadline", self.body_deadline),
            ("limits.stall_deadline", self.stall_deadline),
            ("limits.queue_deadline", self.queue_deadline),
            ("limits.lookup_deadline", self.lookup_deadline),
            ("limits.disperse_deadline", self.disperse_deadline),
            ("limits.read_deadline", self.read_deadline),
            ("limits.drain_deadline", self.drain_deadline),
        ] {
            check_wait(key, wait)?;
        }
        for (key, number) in
            [("limits.connections", self.connections), ("limits.puts", self.puts), ("limits.reads", self.reads)]
        {
            if !(1..=MAX_AT_ONCE).contains(&number) {
                return Err(Error::Invalid { key, reason: format!("must be 1 to {MAX_AT_ONCE}, got {number}") });
            }
        }
        check_mib("limits.receiving_mib", 1, self.receiving_mib)
    }
}

/// A wait that is one, and ends.
pub(super) fn check_wait(key: &'static str, wait: Duration) -> Result<(), Error> {
    if wait.is_zero() || wait > MAX_WAIT {
        let reason = format!("must be more than 0s and at most 1h, got {wait:?}");
        return Err(Error::Invalid { key, reason });
    }
    Ok(())
}

fn check_mib(key: &'static str, least: u64, mib: u64) -> Result<(), Error> {
    if !(least..=MAX_MIB).contains(&mib) {
        return Err(Error::Invalid { key, reason: format!("must be {least} to {MAX_MIB}, got {mib}") });
    }
    Ok(())
}
