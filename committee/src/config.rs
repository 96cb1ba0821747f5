//! A member's settings: a TOML file, and `HOLDFAST_MEMBER_*` in the environment over it.
//!
//! `HOLDFAST_MEMBER_LISTEN` sets `listen`, `HOLDFAST_MEMBER_L1_RPC_URL` sets `rpc_url` of the table `l1`. Relative paths
//! are relative to the file's folder. Everything is checked once, at the start.

mod archive;
mod known;
mod limits;
mod memory;

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use holdfast_certificate::{CommitteeParameters, Namespace};
use holdfast_erasure::{Digest, keccak256};
use holdfast_transport::{
    configuration::{self, password},
    human,
};
use serde::{Deserialize, Serialize};

use crate::store::GRACE;

pub(crate) use archive::Place;
pub use archive::{Archive, Lock};
pub use holdfast_l1::Settings as L1;
pub use holdfast_transport::configuration::{Error, Log, LogFormat};
pub use limits::Limits;
pub use memory::Outgrown;
pub(crate) use memory::{ARCHIVE_READ_KIB, ARCHIVE_SEND_KIB, LEAST_WINDOW, Memory, REPAIR_KIB, repair_copies};

/// What every variable of a member begins with.
pub const ENVIRONMENT: &str = "HOLDFAST_MEMBER_";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest that a blob is left to its disperser: a clock that was seen is believed for 15 minutes.
const MOST_REPAIR_DELAY: Duration = Duration::from_secs(600);

/// The settings of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the gRPC services listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate and key with which the services speak TLS; without it they speak plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Lets the services speak plain text on an address that is not loopback: whoever is on the way can read and disturb.
    #[serde(default)]
    pub insecure_plaintext: bool,
    /// Where the metrics are, over HTTP; nowhere if it is not given. They are for the operator: keep it on loopback or on a
    /// private network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// The folder of the store.
    pub data_dir: PathBuf,
    /// The Unix socket on which the member takes its operator's orders; beside the store's folder if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_socket: Option<PathBuf>,
    /// The ERC-2335 keystore of the BLS key; empty where a signer holds the key.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub keystore: PathBuf,
    /// The file with the keystore's password; a newline at its end does not count. `credential:NAME` is one that systemd hands
    /// over, `env:NAME` a variable.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub password_file: PathBuf,
    /// The process that holds the key, in place of `keystore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<crate::signer::Settings>,
    /// The committee file, for a committee that is not read from L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committee_file: Option<PathBuf>,
    /// The registry on L1. Exactly one of this and `committee_file` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1: Option<L1>,
    /// Where what is kept goes when it outgrows the disk; nowhere if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "archive::deserialize")]
    pub archive: Option<Archive>,
    /// What the member promises.
    #[serde(default)]
    pub policy: Policy,
    /// What it takes on at once.
    #[serde(default)]
    pub limits: Limits,
    /// How its log is written.
    #[serde(default)]
    pub log: Log,
}

/// A TLS identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and what vouches for it, in PEM.
    pub certificate: PathBuf,
    /// Its secret key, in PEM.
    pub key: PathBuf,
}

/// What a member promises to dispersers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The longest retention, such as `90d`.
    #[serde(with = "human")]
    pub max_retention: Duration,
    /// The longest time that payloads are kept whole, such as `7d`.
    #[serde(with = "human")]
    pub max_whole: Duration,
    /// What each namespace may have outstanding, in GiB times days: 30720 is 1 TiB for 30 days.
    pub namespace_quota_gib_days: u64,
    /// The namespaces that the member serves; every one that the registry has if empty. Anybody can make a namespace on
    /// L1, and each has a quota of its own, so a member on an open network names those it serves.
    pub namespaces: Vec<Namespace>,
    /// What the member keeps at most, in GiB: nothing new is promised beyond it. More than the disk has for it is refused at the
    /// start. Nine tenths of what the disk has if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_budget_gib: Option<u64>,
    /// Within which time all that is stored is read and checked again, such as `7d`.
    #[serde(with = "human")]
    pub scrub_period: Duration,
    /// How long a blob that another member has is left to its disperser before this one gets it from the others, and how often
    /// their lists are read, such as `60s`.
    #[serde(with = "human")]
    pub repair_delay: Duration,
    /// How much is fetched a second, in MiB, of what this member lacks.
    pub repair_mib_per_second: u32,
    /// How long data is kept, and served, past its time before it is dropped, such as `72h`; within it a longer promise or a
    /// hold brings it back.
    #[serde(with = "human")]
    pub deletion_grace: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_retention: 90 * DAY,
            max_whole: 30 * DAY,
            namespace_quota_gib_days: 30_720,
            namespaces: Vec::new(),
            disk_budget_gib: None,
            scrub_period: 7 * DAY,
            repair_delay: Duration::from_secs(60),
            repair_mib_per_second: 128,
            deletion_grace: 3 * DAY,
        }
    }
}

impl Policy {
    /// The quota in bytes times seconds.
    #[must_use]
    pub fn namespace_quota(&self) -> u128 {
        u128::from(self.namespace_quota_gib_days) * (1 << 30) * u128::from(DAY.as_secs())
    }

    /// Tells one set of [`Self::namespaces`] from another, in whatever order they are given; zero for every one that there is.
    pub(crate) fn served(&self) -> Digest {
        if self.namespaces.is_empty() {
            return Digest::ZERO;
        }
        let all: BTreeSet<[u8; 32]> = self.namespaces.iter().map(|namespace| *namespace.as_bytes()).collect();
        keccak256(&all.into_iter().collect::<Vec<_>>().concat())
    }
}

impl Config {
    /// The parts of this member's memory that the largest payload of a committee does not fit in.
    #[must_use]
    pub fn outgrown(&self, parameters: &CommitteeParameters) -> Vec<Outgrown> {
        let archive = self.archive.is_some();
        Memory::of(&self.limits, archive).map(|memory| memory.outgrown(archive, parameters)).unwrap_or_default()
    }

    /// Settings with defaults for a member that has all its files in `folder`: `keystore.json`, `password.txt`,
    /// `committee.json` and `data`.
    #[must_use]
    pub fn in_folder(listen: SocketAddr, folder: &Path) -> Self {
        Self {
            listen,
            tls: None,
            insecure_plaintext: false,
            metrics_listen: None,
            data_dir: folder.join("data"),
            keystore: folder.join("keystore.json"),
            password_file: folder.join("password.txt"),
            signer: None,
            admin_socket: None,
            committee_file: Some(folder.join("committee.json")),
            l1: None,
            archive: None,
            policy: Policy::default(),
            limits: Limits::default(),
            log: Log::default(),
        }
    }

    /// Where it takes its operator's orders: `data.sock` for the store in `data`, unless the settings say otherwise.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.admin_socket.clone().unwrap_or_else(|| {
            let mut name = self.data_dir.file_name().unwrap_or_default().to_owned();
            name.push(".sock");
            self.data_dir.with_file_name(name)
        })
    }

    /// Reads `file` and the environment, and checks the result.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the first thing that is wrong.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let (mut config, folder): (Self, _) = configuration::load(file, ENVIRONMENT, &known::KEYS)?;
        config.resolve(&folder);
        config.check()?;
        Ok(config)
    }

    /// Writes the settings as TOML, for `holdfast member init` and the like.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn write(&self, file: &Path) -> Result<(), Error> {
        let failed = |reason: String| Error::File { file: file.into(), reason };
        let text = toml::to_string_pretty(self).map_err(|e| failed(e.to_string()))?;
        let head = "# A Holdfast member. Relative paths are relative to this file's folder; HOLDFAST_MEMBER_* in the\n\
                    # environment goes over it.\n\n";
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // The URL of an L1 node may hold a key.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(file).and_then(|mut opened| opened.write_all(format!("{head}{text}").as_bytes()));
        written.map_err(|e| failed(e.to_string()))
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: String| Err(Error::Invalid { key, reason });
        if self.tls.is_none() && !self.insecure_plaintext && !self.listen.ip().is_loopback() {
            let reason = format!(
                "is {}, which is not loopback, and there is no `tls`: give it, or set `insecure_plaintext = true`",
                self.listen
            );
            return invalid("listen", reason);
        }
        match &self.signer {
            Some(_) if !is_empty(&self.keystore) => {
                return invalid("signer", "and `keystore` are both given, expected one of them".into());
            }
            Some(signer) => signer.check().or_else(|(key, reason)| invalid(key, reason))?,
            None if is_empty(&self.keystore) => {
                return invalid("keystore", "and `signer` are both missing, expected one of them".into());
            }
            None if is_empty(&self.password_file) => return invalid("password_file", "is missing".into()),
            None => {}
        }
        match (&self.l1, &self.committee_file) {
            (Some(_), Some(_)) => {
                return invalid("l1", "and `committee_file` are both given, expected one of them".into());
            }
            (None, None) => return invalid("l1", "and `committee_file` are both missing, expected one of them".into()),
            (Some(l1), None) => l1.rpc_url.check().or_else(|error| invalid("l1.rpc_url", error.to_string()))?,
            (None, Some(_)) => {}
        }
        if self.policy.max_retention < Duration::from_secs(3600) {
            return invalid(
                "policy.max_retention",
                format!("must be at least 1h, got {:?}", self.policy.max_retention),
            );
        }
        if self.policy.max_whole > self.policy.max_retention {
            let reason = format!(
                "must be at most max_retention ({:?}), got {:?}",
                self.policy.max_retention, self.policy.max_whole
            );
            return invalid("policy.max_whole", reason);
        }
        if self.policy.scrub_period.is_zero() {
            return invalid("policy.scrub_period", "must be more than 0s, got 0s".into());
        }
        if self.policy.deletion_grace < Duration::from_secs(GRACE) {
            let reason = format!("must be at least 1h, got {:?}", self.policy.deletion_grace);
            return invalid("policy.deletion_grace", reason);
        }
        if self.policy.repair_delay > MOST_REPAIR_DELAY {
            // The others' clocks and lists are looked at as often.
            let reason = format!("must be at most {MOST_REPAIR_DELAY:?}, got {:?}", self.policy.repair_delay);
            return invalid("policy.repair_delay", reason);
        }
        if self.policy.disk_budget_gib == Some(0) {
            return invalid("policy.disk_budget_gib", "must be at least 1, got 0".into());
        }
        if self.policy.repair_mib_per_second == 0 {
            return invalid("policy.repair_mib_per_second", "must be at least 1, got 0".into());
        }
        if let Err((key, reason)) = self.limits.check() {
            return invalid(key, reason);
        }
        if let Err(needed) = Memory::of(&self.limits, self.archive.is_some()) {
            let Limits { calls, connections, memory_mib, .. } = self.limits;
            let reason = format!(
                "must be at least {needed} for these budgets, {calls} calls and {connections} connections, got {memory_mib}"
            );
            return invalid("limits.memory_mib", reason);
        }
        self.archive.as_ref().map_or(Ok(()), Archive::check)
    }

    fn resolve(&mut self, folder: &Path) {
        if let Some(key) = self.archive.as_mut().and_then(|archive| archive.secret_key_file.as_mut()) {
            *key = password::place(folder, key);
        }
        let mut paths = vec![&mut self.data_dir];
        if let Some(signer) = &mut self.signer {
            signer.resolve(folder);
        }
        // What is not given stays so, to be missed by the check.
        if !is_empty(&self.keystore) {
            paths.push(&mut self.keystore);
        }
        if !is_empty(&self.password_file) {
            self.password_file = password::place(folder, &self.password_file);
        }
        paths.extend(self.admin_socket.as_mut());
        paths.extend(self.committee_file.as_mut());
        paths.extend(self.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]));
        for path in paths {
            // An absolute path replaces the folder.
            *path = folder.join(&*path);
        }
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

#[cfg(test)]
mod tests;
