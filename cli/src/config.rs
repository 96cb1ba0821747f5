//! What `put`, `get`, `cert` and `status` need to know: TOML, with `HOLDFAST_*` variables over it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use figment::{Figment, providers::Serialized, value::Value};
use holdfast_certificate::{Address, CommitteeFile, DisperserKey, Namespace};
use holdfast_client::Client;
use holdfast_erasure::Digest;
use holdfast_l1::{ChainRegistry, Moment, Publisher, RegistryView, RpcUrls, Settings as L1};
use holdfast_registry::{self as registry, FileRegistry, Registry};
use holdfast_transport::configuration::{
    environment::{self, Remark},
    password,
};
use serde::Deserialize;

use crate::{
    account::{AccountFiles, L1Account},
    bridge::{Bridge, Origin, places},
    exit::{Exit, fail},
    files,
};

/// What every variable of this program begins with.
const PREFIX: &str = "HOLDFAST_";

/// Names the file where no `--config` is given.
const FILE_VARIABLE: &str = "HOLDFAST_CONFIG";

/// Variables that are no settings of a client, and what settings of members and gateways begin with.
const OTHERS: [&str; 5] = [FILE_VARIABLE, "HOLDFAST_LOG", "HOLDFAST_MEMBER_", "HOLDFAST_SIGNER_", "HOLDFAST_GATEWAY_"];

/// Read where neither is given.
const DEFAULT_FILE: &str = "holdfast.toml";

/// The settings, each also a variable: `HOLDFAST_NAMESPACE`, `HOLDFAST_L1_RPC_URL`, ...
const KEYS: [&str; 10] = [
    "namespace",
    "disperser_key_file",
    "disperser_password_file",
    "l1_key_file",
    "l1_password_file",
    "l1_journal",
    "committee_file",
    "l1.rpc_url",
    "l1.registry",
    "l1.code_hash",
];

/// Where what was sent to L1 is kept, unless the configuration says otherwise.
const DEFAULT_JOURNAL: &str = "holdfast-journal";

/// Where L1 is, on the command line; goes over the configuration.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "L1")]
pub(crate) struct L1Args {
    /// URL of an Ethereum JSON-RPC node, in place of the configured ones; given more than once, the nodes must agree.
    #[arg(long, value_name = "URL")]
    rpc: Vec<String>,
    /// The CommitteeRegistry contract, in place of the configured one.
    #[arg(long, value_name = "ADDRESS")]
    registry: Option<Address>,
}

/// A client's configuration. File names in it are relative to the file they stand in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    namespace: Option<Namespace>,
    disperser_key_file: Option<PathBuf>,
    disperser_password_file: Option<PathBuf>,
    l1_key_file: Option<PathBuf>,
    l1_password_file: Option<PathBuf>,
    l1_journal: Option<PathBuf>,
    committee_file: Option<PathBuf>,
    l1: Option<L1>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    base: PathBuf,
    #[serde(skip)]
    from_file: bool,
}

impl Config {
    /// Reads the configuration in force.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let named = file.map(Path::to_owned).or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let mut figment = Figment::new();
        let from_file = named.is_some() || path.exists();
        if from_file {
            match toml::from_str::<toml::Table>(&files::read_text(&path)?) {
                Ok(parsed) => figment = figment.merge(Serialized::defaults(parsed)),
                Err(error) => return fail(Exit::Usage, format!("configuration {}: {error}", path.display())),
            }
        }
        let settings = environment::variables(PREFIX, &KEYS).settings;
        figment = settings.iter().fold(figment, |figment, (key, value)| figment.merge((key, value)));
        match figment.extract::<Self>() {
            Ok(config) => {
                let base = path.parent().map(Path::to_owned).unwrap_or_default();
                Ok(Self { path, base, from_file, ..config })
            }
            Err(error) => {
                fail(Exit::Usage, format!("configuration {}: {}", path.display(), explain(&error, &settings)))
            }
        }
    }

    /// This configuration with what the command line says of L1.
    pub(crate) fn with_l1(mut self, args: &L1Args) -> anyhow::Result<Self> {
        let configured = self.l1.take();
        let named = (!args.rpc.is_empty()).then(|| RpcUrls::new(args.rpc.clone()));
        let rpc_url = named.or_else(|| configured.as_ref().map(|l1| l1.rpc_url.clone()));
        let registry = args.registry.or(configured.as_ref().map(|l1| l1.registry));
        // A hash that stands in the file is of the registry that stands there.
        let code_hash = configured.filter(|l1| Some(l1.registry) == registry).and_then(|l1| l1.code_hash);
        self.l1 = match (rpc_url, registry) {
            (Some(rpc_url), Some(registry)) => Some(L1 { rpc_url, registry, code_hash }),
            (None, None) => None,
            (Some(_), None) => return fail(Exit::Usage, "an L1 node but no registry: give --registry ADDRESS"),
            (None, Some(_)) => return fail(Exit::Usage, "a registry but no L1 node: give --rpc URL"),
        };
        Ok(self)
    }

    /// The L1 nodes, where there are any.
    pub(crate) fn l1_urls(&self) -> Option<&RpcUrls> {
        self.l1.as_ref().map(|l1| &l1.rpc_url)
    }

    /// The file that was read; `None` where there is none.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.from_file.then_some(self.path.as_path())
    }

    /// Whether a key for dispersals is configured.
    pub(crate) fn disperses(&self) -> bool {
        self.disperser_key_file.is_some()
    }

    /// Whether an account for L1 is configured.
    pub(crate) fn publishes(&self) -> bool {
        self.l1_key_file.is_some()
    }

    /// Whether the committee is read from L1.
    pub(crate) fn has_l1(&self) -> bool {
        self.l1.is_some()
    }

    /// The registry at one block of L1, with accounts.
    pub(crate) async fn view(&self, moment: Moment) -> anyhow::Result<RegistryView> {
        let l1 = self.l1()?;
        let view = RegistryView::connect(l1.rpc_url.as_slice(), l1.registry, l1.code_hash, moment).await;
        view.with_context(|| format!("L1 at {}", l1.rpc_url))
    }

    /// The registry on L1 or in a file.
    pub(crate) async fn registry(&self) -> anyhow::Result<Arc<dyn Registry>> {
        match (&self.l1, &self.committee_file) {
            (Some(_), _) => Ok(Arc::new(self.chain().await?)),
            (None, Some(file)) => {
                let path = self.base.join(file);
                let registry = FileRegistry::from_file(read_committee_file(&path)?);
                Ok(Arc::new(registry.with_context(|| format!("committee file {}", path.display()))?))
            }
            (None, None) => fail(
                Exit::Usage,
                "no committee is configured: set [l1] rpc_url and registry, or committee_file, in holdfast.toml or in the \
                 file that --config names (a devnet writes one: holdfast-devnet/client.toml)",
            ),
        }
    }

    /// The registry's address, for which nobody is asked.
    pub(crate) async fn registry_address(&self) -> anyhow::Result<Address> {
        match (&self.l1, &self.committee_file) {
            (Some(l1), _) => Ok(l1.registry),
            (None, Some(_)) => Ok(self.registry().await?.domain().registry),
            (None, None) => fail(
                Exit::Usage,
                "no registry is configured: give --registry ADDRESS, or the file that names one with --config",
            ),
        }
    }

    /// The registry for dispersing and reading: while L1 is away, what was last final of it.
    pub(crate) async fn bridged_registry(&self) -> anyhow::Result<Arc<dyn Registry>> {
        let Some(l1) = &self.l1 else { return self.registry().await };
        let origin = Origin::new(l1.registry, l1.rpc_url.as_slice());
        let places = places(self.from_file.then_some(self.base.as_path()), &state_folder());
        match self.chain().await {
            Ok(chain) => Ok(Arc::new(Bridge::over(chain, origin, places))),
            Err(error) => {
                let cause = error.chain().find_map(|cause| cause.downcast_ref::<holdfast_l1::Error>());
                let away = cause.filter(|cause| cause.fault() == registry::Fault::L1).cloned();
                let known = away.and_then(|away| Bridge::without(away.into(), &origin, places));
                known.map_or(Err(error), |known| Ok(Arc::new(known) as Arc<dyn Registry>))
            }
        }
    }

    /// The registry on L1, for what only a contract can answer.
    pub(crate) async fn chain(&self) -> anyhow::Result<ChainRegistry> {
        let l1 = self.l1()?;
        l1.connect().await.with_context(|| format!("L1 at {}", l1.rpc_url))
    }

    /// The nodes, the registry and its pinned code hash, where they are configured.
    pub(crate) fn l1_parts(&self) -> Option<(&RpcUrls, Address, Option<Digest>)> {
        self.l1.as_ref().map(|l1| (&l1.rpc_url, l1.registry, l1.code_hash))
    }

    /// The namespace to work on: the one given, else the configured one.
    pub(crate) fn namespace(&self, given: Option<Namespace>) -> anyhow::Result<Namespace> {
        match given.or(self.namespace) {
            Some(namespace) => Ok(namespace),
            None => fail(Exit::Usage, "no namespace: give --namespace, or set namespace in the configuration"),
        }
    }

    /// The account in the files given, or else in the configured `l1_key_file`, that writes to the configured registry.
    pub(crate) fn account(&self, given: Option<AccountFiles>) -> anyhow::Result<L1Account> {
        let l1 = self.l1()?;
        Ok(L1Account {
            rpc_url: l1.rpc_url.clone(),
            registry: l1.registry,
            account: self.account_files(given)?.open()?,
            journal: self.journal(),
        })
    }

    /// The files given, or else the configured ones.
    pub(crate) fn account_files(&self, given: Option<AccountFiles>) -> anyhow::Result<AccountFiles> {
        let configured = || {
            let key = self.base.join(self.l1_key_file.as_ref()?);
            Some(AccountFiles {
                key,
                password: self.l1_password_file.as_ref().map(|file| password::place(&self.base, file)),
            })
        };
        match given.or_else(configured) {
            Some(files) => Ok(files),
            None => fail(
                Exit::Usage,
                "no L1 account is configured: set l1_key_file (a secp256k1 key in hex, or a keystore with l1_password_file)",
            ),
        }
    }

    /// The folder in which what was sent to L1 is kept: the configured one, or beside the configuration, or, without one, the
    /// same from wherever a command is given.
    pub(crate) fn journal(&self) -> PathBuf {
        match (&self.l1_journal, self.from_file) {
            (Some(folder), _) => self.base.join(folder),
            (None, true) => self.base.join(DEFAULT_JOURNAL),
            (None, false) => state_folder().join(DEFAULT_JOURNAL),
        }
    }

    /// Sends transactions to the registry, from the configured account.
    pub(crate) async fn publisher(&self) -> anyhow::Result<Publisher> {
        self.account(None)?.publisher().await
    }

    fn l1(&self) -> anyhow::Result<&L1> {
        match &self.l1 {
            Some(l1) => Ok(l1),
            None => {
                fail(Exit::Usage, "no L1 is configured: set [l1] rpc_url and registry, or give --rpc and --registry")
            }
        }
    }

    /// A client that reads.
    pub(crate) async fn reader(&self) -> anyhow::Result<Client> {
        Ok(Client::builder().registry(self.bridged_registry().await?).build()?)
    }

    /// The key that signs statements.
    pub(crate) fn disperser_key(&self) -> anyhow::Result<DisperserKey> {
        let Some(file) = &self.disperser_key_file else {
            return fail(
                Exit::Usage,
                "no disperser key is configured: set disperser_key_file (a secp256k1 key in hex, or a keystore with \
                 disperser_password_file)",
            );
        };
        let password = self.disperser_password_file.as_ref().map(|file| password::place(&self.base, file));
        AccountFiles { key: self.base.join(file), password }.disperser()
    }

    /// A client that also disperses, for `namespace` or else the configured one.
    pub(crate) async fn disperser(&self, namespace: Option<Namespace>) -> anyhow::Result<Client> {
        self.disperser_of(self.registry().await?, namespace)
    }

    /// The same through a registry that is connected already.
    pub(crate) fn disperser_of(
        &self,
        registry: Arc<dyn Registry>,
        namespace: Option<Namespace>,
    ) -> anyhow::Result<Client> {
        let namespace = self.namespace(namespace)?;
        let key = self.disperser_key()?;
        Ok(Client::builder().registry(registry).namespace(namespace).disperser(key).build()?)
    }
}

/// Variables that look like this program's and are none of a client's settings. Those of a member and of a gateway are theirs to
/// judge.
pub(crate) fn remarks() -> Vec<Remark> {
    let is_others =
        |name: &str| OTHERS.iter().any(|other| name == *other || (other.ends_with('_') && name.starts_with(other)));
    let mut remarks = environment::variables(PREFIX, &KEYS).remarks;
    remarks.retain(|remark| !is_others(&remark.name));
    remarks
}

/// Where a user's programs keep what they must know again (XDG Base Directory).
fn state_folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state"))).unwrap_or_default()
}

/// Reads and parses a committee file.
pub(crate) fn read_committee_file(path: &Path) -> anyhow::Result<CommitteeFile> {
    match CommitteeFile::parse(&files::read_text(path)?) {
        Ok(file) => Ok(file),
        Err(error) => fail(Exit::Usage, format!("committee file {}: {error}", path.display())),
    }
}

/// A configuration error, with the nearest known key where one was misspelt.
fn explain(error: &figment::Error, set: &[(String, Value)]) -> String {
    let figment::error::Kind::UnknownField(field, known) = &error.kind else {
        return environment::explain(PREFIX, set, error);
    };
    let nearest = known.iter().max_by(|a, b| strsim::jaro(a, field).total_cmp(&strsim::jaro(b, field)));
    nearest.map_or_else(|| error.to_string(), |nearest| format!("unknown setting {field:?}; did you mean {nearest:?}?"))
}
