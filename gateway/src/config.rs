//! A gateway's settings: a TOML file, and `HOLDFAST_GATEWAY_*` in the environment over it.
//!
//! `HOLDFAST_GATEWAY_NAMESPACE` sets `namespace`, `HOLDFAST_GATEWAY_LISTEN_OP` sets `op` of the table `listen`. Relative
//! paths are relative to the file's folder. Unknown keys are refused. Everything is checked once, at the start.

mod keys;
mod limits;
mod listen;
mod publish;
mod put;
mod stacks;

use std::path::{Path, PathBuf};

use holdfast_certificate::Namespace;
use holdfast_transport::configuration::{self, password};
use serde::{Deserialize, Serialize};

use keys::KEYS;

pub use holdfast_l1::Settings as L1;
pub use holdfast_transport::configuration::{Error, Log, LogFormat};
pub use limits::{Cache, Limits};
pub use listen::{Auth, Listen, Tls};
pub use publish::{Publish, PublishMode};
pub use put::{BackendKind, By, Put};
pub use stacks::{CommitmentKind, Invalid, Nitro, Op};

pub(crate) const MIB: u64 = 1 << 20;

/// What every variable of a gateway begins with.
pub const PREFIX: &str = "HOLDFAST_GATEWAY_";

/// The settings of one gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The rollup's namespace: what is written goes there, and digests are looked up there. Needed but by the backend
    /// `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// File with the disperser's secp256k1 key: 32 bytes in hex, or a keystore as geth and Foundry write. Without it the
    /// gateway only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disperser_key_file: Option<PathBuf>,
    /// File with that keystore's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disperser_password_file: Option<PathBuf>,
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
    /// How its log is written.
    #[serde(default)]
    pub log: Log,
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
        let (mut config, folder): (Self, _) = configuration::load(file, PREFIX, &KEYS)?;
        config.resolve(&folder);
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
            publish.check()?;
        }
        if self.listen.admin.is_some() && !memory {
            return invalid("listen.admin", "is only for the backend `memory`".into());
        }
        self.put.check()?;
        self.op.check()?;
        self.cache.check()?;
        self.limits.check()
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
            for path in [&mut publish.dir, &mut publish.key_file] {
                *path = folder.join(&*path);
            }
        }
        let publish = self.publish.as_mut().and_then(|publish| publish.password_file.as_mut());
        for password in self.disperser_password_file.as_mut().into_iter().chain(publish) {
            *password = password::place(folder, password);
        }
        for path in self.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]) {
            *path = folder.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests;
