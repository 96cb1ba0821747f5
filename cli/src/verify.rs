//! `holdfast verify`: a bundle, checked on this machine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use holdfast_certificate::{Address, Committee, ProvenKey};
use holdfast_erasure::BlobId;
use holdfast_registry::{self as registry, Registry};
use serde::Serialize;

use crate::{
    bundle::{Bundle, Head},
    config::Config,
    exit::{Exit, fail},
    output::{Output, human_bytes, plain, progress},
};

/// A line of progress after so many blobs.
const TELL_EVERY: usize = 1000;

/// What to check, and against what.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The folder that `holdfast export` or `holdfast mirror` has written.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// The registry that it must be of; the configured one if absent.
    #[arg(long)]
    registry: Option<Address>,
    /// Ask nobody: take the members' keys from the bundle. What they prove then rests on its word for the keys, which are
    /// printed to be compared.
    #[arg(long, requires = "registry")]
    offline: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    namespace: String,
    chain_id: u64,
    registry: String,
    /// Where the members' keys are from: `registry` or `bundle`.
    keys: &'static str,
    epochs: Vec<Keys>,
    blobs: usize,
    bytes: u64,
    certified: usize,
    uncertified: usize,
    bad: Vec<Bad>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    epoch: u64,
    threshold: u16,
    members: u16,
    /// The sum of the members' keys, as `holdfast committee show` has it.
    aggregate_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bad {
    blob_id: String,
    error: String,
}

type Committees = BTreeMap<u64, Arc<Committee>>;

pub(crate) async fn run(args: &VerifyArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let bundle = Bundle::at(&args.bundle);
    let Some(head) = bundle.head()? else {
        return fail(Exit::Usage, format!("there is no bundle.json in {}", args.bundle.display()));
    };
    if let Some(registry) = args.registry.filter(|registry| *registry != head.registry) {
        return fail(Exit::Verification, format!("the bundle is of registry {}, expected {registry}", head.registry));
    }
    let committees = if args.offline { of_bundle(&head)? } else { of_registry(&head, config).await? };
    let mut verified = Verified {
        namespace: head.namespace.to_string(),
        chain_id: head.chain_id,
        registry: head.registry.to_string(),
        keys: if args.offline { "bundle" } else { "registry" },
        epochs: committees.values().map(|committee| keys(committee)).collect(),
        blobs: 0,
        bytes: 0,
        certified: 0,
        uncertified: 0,
        bad: Vec::new(),
    };
    for id in &head.blobs {
        verified.blobs += 1;
        match one(&bundle, &head, &committees, id) {
            Ok((bytes, certified)) => {
                verified.bytes += bytes;
                *(if certified { &mut verified.certified } else { &mut verified.uncertified }) += 1;
            }
            Err(error) => {
                progress(format!("{id}: {}", plain(&error)));
                verified.bad.push(Bad { blob_id: id.to_string(), error });
            }
        }
        if verified.blobs.is_multiple_of(TELL_EVERY) {
            progress(format!("{} of {} blobs", verified.blobs, head.blobs.len()));
        }
    }
    output.print(&verified, text)?;
    match verified.bad.len() {
        0 => Ok(()),
        bad => fail(Exit::Verification, format!("{bad} of {} blobs are not as the bundle says", verified.blobs)),
    }
}

/// The length of a blob's payload, and whether it is certified; or what is wrong.
fn one(bundle: &Bundle, head: &Head, committees: &Committees, id: &BlobId) -> Result<(u64, bool), String> {
    let record = bundle.record(id).ok_or("its record cannot be read")?;
    let certificates = record.certificates()?;
    for certificate in &certificates {
        let statement = &certificate.statement;
        if statement.namespace != head.namespace {
            return Err(format!("it has a certificate of another namespace, {}", statement.namespace));
        }
        let committee =
            committees.get(&statement.epoch).ok_or_else(|| format!("nobody knows epoch {}", statement.epoch))?;
        certificate.verify(committee).map_err(|error| format!("a certificate is not genuine: {error}"))?;
    }
    let payload = bundle.payload(id)?;
    let length = payload.len() as u64;
    record.check(payload)?;
    Ok((length, !certificates.is_empty()))
}

/// The epochs as the configured registry has them, which must be the bundle's.
async fn of_registry(head: &Head, config: Option<&Path>) -> anyhow::Result<Committees> {
    let registry: Arc<dyn Registry> = Config::load(config)?.bridged_registry().await?;
    let domain = registry.domain();
    if domain != head.domain() {
        return fail(
            Exit::Verification,
            format!(
                "the bundle is of registry {} on chain {}, and the configured one is {} on chain {}",
                head.registry, head.chain_id, domain.registry, domain.chain_id
            ),
        );
    }
    let mut committees = Committees::new();
    for epoch in head.epochs.keys() {
        match registry.epoch(*epoch).await {
            Ok(record) => drop(committees.insert(*epoch, Arc::clone(&record.committee))),
            // Its certificates then fail by name.
            Err(registry::Error::UnknownEpoch { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(committees)
}

/// The epochs as the bundle has them. Without L1 the registry's address follows from the keys, so they are shown to be right.
fn of_bundle(head: &Head) -> anyhow::Result<Committees> {
    let mut committees = Committees::new();
    for (number, epoch) in &head.epochs {
        let Some(record) = epoch.record(*number, head.domain()) else {
            return fail(Exit::Verification, format!("epoch {number} of the bundle is no committee"));
        };
        let (parameters, keys) = (*record.committee.parameters(), record.committee.keys());
        let keys = keys.iter().map(|key| ProvenKey::from_registry(*key)).collect();
        if head.chain_id == 0 && Committee::off_chain(*number, parameters, keys)?.domain().registry != head.registry {
            return fail(
                Exit::Verification,
                format!("the keys of epoch {number} are not those of registry {}", head.registry),
            );
        }
        committees.insert(*number, record.committee);
    }
    Ok(committees)
}

fn keys(committee: &Committee) -> Keys {
    Keys {
        epoch: committee.epoch(),
        threshold: committee.parameters().threshold(),
        members: committee.len(),
        aggregate_key: committee.aggregate().to_string(),
    }
}

fn text(verified: &Verified) -> String {
    let mut text = format!(
        "{} blobs of namespace {} ({}): {} certified, {} without a certificate, {} bad\n",
        verified.blobs,
        verified.namespace,
        human_bytes(verified.bytes),
        verified.certified,
        verified.uncertified,
        verified.bad.len()
    );
    for keys in &verified.epochs {
        text += &format!(
            "epoch {}: {} of {} must sign, all keys together {}\n",
            keys.epoch, keys.threshold, keys.members, keys.aggregate_key
        );
    }
    if verified.keys == "bundle" && verified.chain_id != 0 {
        text += "the keys are the bundle's own word: compare them with `holdfast committee show`\n";
    }
    text
}
