//! A gateway's settings: a TOML file, and `HOLDFAST_GATEWAY_*` in the environment over it.
//!
//! `HOLDFAST_GATEWAY_NAMESPACE` sets `namespace`, `HOLDFAST_GATEWAY_LISTEN_OP` sets `op` of the table `listen`. Relative
//! paths are relative to the file's folder. Unknown keys are refused. Everything is checked once, at the start.

mod environment;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use figment::{Figment, providers::Serialized};
use holdfast_certificate::{Address, HOUR, Namespace};
use holdfast_erasure::{Digest, Dispersal};
use holdfast_l1::RpcUrls;
use holdfast_transport::human;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const MIB: u64 = 1 << 20;

/// The longest a deadline may be.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// How often a checkpoint may be made.
const PUBLISH_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
/// The longest gap between two replies.
const MAX_GAP: Duration = Duration::from_secs(10);
/// The most memory that one setting may give away, 1 TiB.
const MAX_MIB: u64 = 1 << 20;
/// The most of anything at once.
const MAX_AT_ONCE: usize = 65_536;

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No TOML, an unknown key, a missing one, a value of the wrong type.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the nearest known key where one was misspelt.
        reason: String,
    },
    /// A value that cannot work.
    #[error("`{key}` {reason}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is expected, and what it is.
        reason: String,
    },
    /// The file, or one that it names, cannot be read or used.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The settings of one gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The rollup's namespace: what is written goes there, and digests are looked up there. Needed but by the backend
    /// `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// File with the disperser's secp256k1 key in hex. Without it the gateway only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disperser_key_file: Option<PathBuf>,
    /// The committee file, for a committee that is not read from L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committee_file: Option<PathBuf>,
    /// The registry on L1. Exactly one of this and `committee_file` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1: Option<L1>,
    /// Where payloads are stored.
    #[serde(default)]
    pub backend: BackendKind,
    /// The addresses; at least one of those that serve.
    #[serde(default)]
    pub listen: Listen,
    /// TLS on the listeners that serve payloads. Without it they speak in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Who may write.
    #[serde(default)]
    pub auth: Auth,
    /// How payloads are dispersed.
    #[serde(default)]
    pub put: Put,
    /// What becomes of certificates on L1. Nothing where absent: the rollup posts what it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,
    /// OP Stack Alt-DA.
    #[serde(default)]
    pub op: Op,
    /// Arbitrum Nitro.
    #[serde(default)]
    pub nitro: Nitro,
    /// What is kept of what was read.
    #[serde(default)]
    pub cache: Cache,
    /// What the gateway takes on at once, and how long each stage may take.
    #[serde(default)]
    pub limits: Limits,
}

/// Where the committee registry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1 {
    /// URL of an Ethereum JSON-RPC node, or a list of several: with two or more, two must give the same answer.
    pub rpc_url: RpcUrls,
    /// The CommitteeRegistry contract.
    pub registry: Address,
    /// keccak256 of that contract's code, where it is of another version than this gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<Digest>,
}

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

/// The addresses. Port 0 takes a free one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Plain HTTP: `/v1/...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    /// OP Stack Alt-DA: `/put`, `/get/...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<SocketAddr>,
    /// Arbitrum Nitro's DA provider: JSON-RPC at `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nitro: Option<SocketAddr>,
    /// Plain HTTP and OP Stack Alt-DA, only what reads: for the open network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<SocketAddr>,
    /// `/metrics` in the OpenMetrics text format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Fault injection of the backend `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<SocketAddr>,
}

/// The gateway's identity. Both files are looked at again every minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and what vouches for it, in PEM.
    pub certificate: PathBuf,
    /// Its secret key, in PEM.
    pub key: PathBuf,
}

/// Who may write. Reading never needs credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// A file with one credential a line, `basic USER:PASSWORD`, `bearer TOKEN`, or `jwt` and the 32 bytes in hex with
    /// which a client makes its tokens; without it anybody who reaches the listener may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_file: Option<PathBuf>,
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

fn hourly() -> Duration {
    Duration::from_secs(HOUR)
}

/// OP Stack Alt-DA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Op {
    /// What a generic PUT answers.
    pub commitment: CommitmentKind,
    /// How a commitment is refused that is invalid for ever.
    pub invalid: Invalid,
    /// Releases the replies to one client's PUTs in the order in which these arrived.
    pub in_order: bool,
    /// How long a reply that is ready waits for those before it.
    #[serde(with = "human")]
    pub in_order_wait: Duration,
    /// How long after one reply the next one leaves, so that a client with a connection for each reads them in their order.
    #[serde(with = "human")]
    pub in_order_gap: Duration,
    /// The most bytes of a payload in keccak mode; the committee's limit where absent. An op-node skips what is above its
    /// own `da_max_input_size` (130672 by default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keccak_max: Option<u32>,
}

/// What a generic PUT answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitmentKind {
    /// `01 ff` and keccak256 of the payload: 34 bytes, the same for the same payload.
    #[default]
    Digest,
    /// `01 ff` and the certificate, for readers that search no member. Another one each time it is made anew.
    Certificate,
}

/// How a commitment is refused that is invalid for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invalid {
    /// 400: stock op-node retries for ever.
    #[default]
    Stock,
    /// 418 with a derivation status, on which the forks of Layr Labs and Celo drop the commitment.
    Forks,
}

/// Arbitrum Nitro.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nitro {
    /// A file with 32 bytes in hex, as geth's `jwtsecret`: every call then needs a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_file: Option<PathBuf>,
    /// What `getMaxMessageSize` answers; the committee's limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<u32>,
}

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

impl Default for Put {
    fn default() -> Self {
        Self { retention: 28 * DAY, whole: 7 * DAY, by: By::Payload, reuse_within: DAY }
    }
}

impl Default for Op {
    fn default() -> Self {
        Self {
            commitment: CommitmentKind::Digest,
            invalid: Invalid::Stock,
            in_order: false,
            in_order_wait: Duration::from_secs(10),
            in_order_gap: Duration::from_millis(10),
            keccak_max: None,
        }
    }
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

impl Config {
    /// Reads `file` and the environment, and checks the result.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the first thing that is wrong.
    pub fn load(file: &Path) -> Result<Self, Error> {
        Self::load_with(file, |_| {})
    }

    /// The same with what the command line says over it, before the check.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the first thing that is wrong.
    pub fn load_with(file: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, Error> {
        let failed = |reason: String| Error::File { file: file.into(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        let absolute = std::path::absolute(file).map_err(|error| failed(error.to_string()))?;
        let syntax = |reason: String| Error::Syntax { file: file.into(), reason };
        let table: toml::Table = toml::from_str(&text).map_err(|error| syntax(error.to_string()))?;
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let (settings, passed_over) = environment::read(variables);
        for variable in passed_over {
            tracing::warn!(%variable, "no setting has this variable's name: passed over");
        }
        let file_alone = Figment::from(Serialized::defaults(table));
        let figment = settings.iter().fold(file_alone, |figment, (key, value)| figment.merge((*key, value)));
        let mut config: Self = figment.extract().map_err(|error| syntax(explain(&error)))?;
        config.resolve(absolute.parent().unwrap_or(Path::new("/")));
        change(&mut config);
        config.check()?;
        Ok(config)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: String| Err(Error::Invalid { key, reason });
        let memory = self.backend == BackendKind::Memory;
        match (&self.l1, &self.committee_file) {
            (Some(_), Some(_)) => {
                return invalid("l1", "and `committee_file` are both given, expected one of them".into());
            }
            (None, None) if !memory => {
                return invalid("l1", "and `committee_file` are both missing, expected one of them".into());
            }
            (Some(l1), None) => l1.rpc_url.check().or_else(|error| invalid("l1.rpc_url", error.to_string()))?,
            (None, _) => {}
        }
        if self.namespace.is_none() && !memory {
            return invalid("namespace", "is missing".into());
        }
        if self.listen.serving().next().is_none() {
            return invalid("listen", "has no address: give `http`, `op`, `nitro` or `read`".into());
        }
        if let Some(publish) = &self.publish {
            if publish.mode != PublishMode::Never && (self.l1.is_none() || memory) {
                return invalid("publish.mode", "needs `l1` and the backend `committee`".into());
            }
            if !PUBLISH_INTERVALS.contains(&publish.interval) {
                return invalid("publish.interval", format!("must be 1s to 7d, got {:?}", publish.interval));
            }
        }
        if self.listen.admin.is_some() && !memory {
            return invalid("listen.admin", "is only for the backend `memory`".into());
        }
        self.check_waits()?;
        self.check_sizes()
    }

    fn check_waits(&self) -> Result<(), Error> {
        let limits = &self.limits;
        for (key, wait) in [
            ("limits.head_deadline", limits.head_deadline),
            ("limits.body_deadline", limits.body_deadline),
            ("limits.stall_deadline", limits.stall_deadline),
            ("limits.queue_deadline", limits.queue_deadline),
            ("limits.lookup_deadline", limits.lookup_deadline),
            ("limits.disperse_deadline", limits.disperse_deadline),
            ("limits.read_deadline", limits.read_deadline),
            ("limits.drain_deadline", limits.drain_deadline),
            ("op.in_order_wait", self.op.in_order_wait),
        ] {
            if wait.is_zero() || wait > MAX_WAIT {
                let reason = format!("must be more than 0s and at most 1h, got {wait:?}");
                return Err(Error::Invalid { key, reason });
            }
        }
        if self.op.in_order_gap > MAX_GAP {
            let reason = format!("must be at most {MAX_GAP:?}, got {:?}", self.op.in_order_gap);
            return Err(Error::Invalid { key: "op.in_order_gap", reason });
        }
        let hour = Duration::from_secs(HOUR);
        if self.put.retention < hour {
            let reason = format!("must be at least 1h, got {:?}", self.put.retention);
            return Err(Error::Invalid { key: "put.retention", reason });
        }
        if self.put.whole < hour || self.put.whole > self.put.retention {
            let reason = format!("must be at least 1h and at most put.retention, got {:?}", self.put.whole);
            return Err(Error::Invalid { key: "put.whole", reason });
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), Error> {
        let limits = &self.limits;
        for (key, number) in
            [("limits.connections", limits.connections), ("limits.puts", limits.puts), ("limits.reads", limits.reads)]
        {
            if !(1..=MAX_AT_ONCE).contains(&number) {
                return Err(Error::Invalid { key, reason: format!("must be 1 to {MAX_AT_ONCE}, got {number}") });
            }
        }
        for (key, least, mib) in [
            ("limits.receiving_mib", 1, limits.receiving_mib),
            ("cache.memory_mib", 0, self.cache.memory_mib),
            ("cache.disk_mib", 1, self.cache.disk_mib),
        ] {
            if !(least..=MAX_MIB).contains(&mib) {
                return Err(Error::Invalid { key, reason: format!("must be {least} to {MAX_MIB}, got {mib}") });
            }
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        let paths = [
            self.disperser_key_file.as_mut(),
            self.committee_file.as_mut(),
            self.auth.write_file.as_mut(),
            self.nitro.jwt_file.as_mut(),
            self.cache.disk_dir.as_mut(),
        ];
        for path in paths.into_iter().flatten() {
            // An absolute path replaces the folder.
            *path = folder.join(&*path);
        }
        if let Some(publish) = &mut self.publish {
            let password = publish.password_file.as_mut();
            for path in [&mut publish.dir, &mut publish.key_file].into_iter().chain(password) {
                *path = folder.join(&*path);
            }
        }
        for path in self.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]) {
            *path = folder.join(&*path);
        }
    }
}

impl Listen {
    /// The addresses that serve payloads, with their keys.
    pub(crate) fn serving(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [("http", self.http), ("op", self.op), ("nitro", self.nitro), ("read", self.read)];
        all.into_iter().filter_map(|(key, address)| Some((key, address?)))
    }

    /// Every address, with its key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let more = [("metrics", self.metrics), ("admin", self.admin)];
        self.serving().chain(more.into_iter().filter_map(|(key, address)| Some((key, address?))))
    }
}

/// What figment says, with the nearest known key where one was misspelt.
fn explain(error: &figment::Error) -> String {
    let figment::error::Kind::UnknownField(field, known) = &error.kind else { return error.to_string() };
    let nearest = known.iter().max_by(|a, b| strsim::jaro(a, field).total_cmp(&strsim::jaro(b, field)));
    let place = error.path.join(".");
    match nearest {
        Some(nearest) => format!("unknown key `{place}`, did you mean `{nearest}`?"),
        None => format!("unknown key `{place}`"),
    }
}

#[cfg(test)]
mod tests;
