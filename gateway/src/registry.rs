//! The registry that the settings name, and whether they fit it.

use std::{path::Path, sync::Arc};

use holdfast_certificate::{CommitteeFile, DisperserKey};
use holdfast_registry::{FileRegistry, Registry};
use serde::Serialize;

use crate::{
    auth::Writers,
    clock::unix_now,
    config::{BackendKind, Config},
    error::Error,
    jwt::Secret,
    keys,
    listen::identity,
};

/// The registry that the settings name: a contract on L1, or a committee file.
pub(crate) async fn open(config: &Config) -> Result<Arc<dyn Registry>, Error> {
    if let Some(l1) = &config.l1 {
        return Ok(Arc::new(l1.connect().await.map_err(holdfast_registry::Error::from)?));
    }
    let file = config.committee_file.as_deref().unwrap_or(Path::new("committee.json"));
    let failed = |reason: String| Error::File { what: "committee file", file: file.into(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let parsed = CommitteeFile::parse(&text).map_err(|error| failed(error.to_string()))?;
    Ok(Arc::new(FileRegistry::from_file(parsed)?))
}

/// What [`check`] found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The settings in force; URLs of L1 nodes without their secrets.
    pub config: Config,
    /// The chain; zero for a committee file.
    pub chain_id: Option<u64>,
    /// The epoch that is active.
    pub epoch: Option<u64>,
    /// The most bytes of a payload.
    pub max_payload: Option<u32>,
    /// The disperser's address; none for a gateway that only reads.
    pub disperser: Option<String>,
    /// What keeps the gateway from working. Empty when it will.
    pub problems: Vec<String>,
}

/// Checks everything that a gateway needs and starts nothing: settings, files, the registry, that the disperser may write
/// to the namespace and that the retention is long enough for it, and that the addresses are free.
pub async fn check(config: &Config) -> Report {
    let mut shown = config.clone();
    if let Some(l1) = &mut shown.l1 {
        l1.rpc_url = l1.rpc_url.redacted();
    }
    let mut report =
        Report { config: shown, chain_id: None, epoch: None, max_payload: None, disperser: None, problems: Vec::new() };
    let mut problem = |error: String| report.problems.push(error);
    if let Err(error) = config.check() {
        problem(error.to_string());
    }
    if let Err(error) = Writers::load(config.auth.write_file.as_deref()) {
        problem(error.to_string());
    }
    if let Err(error) = Secret::load(config.nitro.jwt_file.as_deref()) {
        problem(error.to_string());
    }
    if let Some(publish) = &config.publish
        && let Err(error) = keys::account(publish)
    {
        problem(error.to_string());
    }
    if let Err(error) = identity(config) {
        problem(error.to_string());
    }
    for (key, address) in config.listen.all() {
        if let Err(error) = std::net::TcpListener::bind(address) {
            problem(format!("cannot listen on {address} (`listen.{key}`): {error}"));
        }
    }
    if let Some(folder) = &config.cache.disk_dir
        && let Err(error) = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop))
    {
        problem(format!("cannot write to {} (`cache.disk_dir`): {error}", folder.display()));
    }
    let key = match keys::disperser(config) {
        Ok(key) => key,
        Err(error) => {
            problem(error.to_string());
            None
        }
    };
    report.disperser = key.as_ref().map(|key| key.address().to_string());
    if config.backend == BackendKind::Committee {
        match open(config).await {
            Ok(registry) => against(&mut report, config, registry.as_ref(), key.as_ref()).await,
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    report
}

/// What the registry says of the settings.
async fn against(report: &mut Report, config: &Config, registry: &dyn Registry, key: Option<&DisperserKey>) {
    report.chain_id = Some(registry.domain().chain_id);
    match registry.active_epoch(unix_now()).await {
        Ok(record) => {
            report.epoch = Some(record.committee.epoch());
            report.max_payload = Some(record.committee.parameters().max_payload());
        }
        Err(error) => report.problems.push(error.to_string()),
    }
    let Some(namespace) = config.namespace else { return };
    match registry.namespace(&namespace).await {
        Ok(record) => {
            if let Some(key) = key
                && !record.dispersers.contains(&key.address())
            {
                report.problems.push(format!("{} is not a disperser of namespace {namespace}", key.address()));
            }
            let least = record.min_retention_at(unix_now());
            if config.put.retention.as_secs() < least {
                let got = config.put.retention;
                report
                    .problems
                    .push(format!("`put.retention` is {got:?}, and L1 wants {least} s left in this namespace"));
            }
        }
        Err(error) => report.problems.push(error.to_string()),
    }
}
