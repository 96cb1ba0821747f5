//! `holdfast verify`: a bundle, checked on this machine.

mod order;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use holdfast_certificate::{Address, Committee, ProvenKey};
use holdfast_erasure::BlobId;
use holdfast_registry::{self as registry, Registry};
use serde::Serialize;

use self::order::Ordered;
use crate::{
    bundle::{Bundle, Found, Head, index::Published},
    config::Config,
    exit::{Exit, fail},
    output::{Output, human_bytes, plain, progress},
    target::Replace,
};

/// A line of progress after so many blobs.
const TELL_EVERY: usize = 1000;
/// After so many epochs that the registry does not know it is asked for no more: a bundle can name any.
const MOST_UNKNOWN: usize = 64;

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
    #[arg(long)]
    offline: bool,
    /// Ask L1 for the publish events as well: that the bundle has each of them, up to the block that it names, and no other.
    #[arg(long, conflicts_with = "offline")]
    positions: bool,
    /// Write the order of the blobs, a line of JSON for each: those published by their first event on L1, then the others by their
    /// ids.
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
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
    /// Publish events in the bundle, and the last block that was looked at for them; none where there is no L1.
    events: Option<usize>,
    through_block: Option<u64>,
    /// Where the events' places on L1 are from: `bundle`, whose word they are, or `L1`, which was asked.
    positions: &'static str,
    /// Blobs of the bundle that were published, and that were not.
    published: usize,
    unpublished: usize,
    /// Events whose certificate is not in the bundle, though the payload is.
    unproven: usize,
    /// Blobs that were published and are not in the bundle.
    absent: usize,
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
    let order = args.replace.optional(args.order.as_ref())?;
    let bundle = Bundle::at(&args.bundle);
    let folder = args.bundle.display();
    let head = match bundle.head()? {
        Found::Sound(head) => head,
        Found::Nothing => return fail(Exit::Usage, format!("there is no bundle.json in {folder}")),
        Found::Damaged(error) => {
            let remedy = bundle.remedy("makes it anew");
            return fail(Exit::Verification, format!("{folder}/bundle.json is damaged: {error}; {remedy}"));
        }
    };
    let expected = match (args.registry, args.offline) {
        (None, true) => Some(Config::load(config)?.registry_address().await?),
        (given, _) => given,
    };
    if let Some(registry) = expected.filter(|registry| *registry != head.registry) {
        return fail(Exit::Verification, format!("the bundle is of registry {}, expected {registry}", head.registry));
    }
    let ordered = Ordered::read(&bundle, &head)?;
    let (committees, positions) = if args.offline {
        (of_bundle(&head)?, "bundle")
    } else {
        let registry = registry_of(&head, config).await?;
        if args.positions {
            order::confirm(&ordered, &head, &*registry).await?;
        }
        let epochs = epochs(&bundle, &head, &ordered);
        (of_registry(&epochs, &*registry).await?, if args.positions { "L1" } else { "bundle" })
    };
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
        events: head.l1.map(|_| ordered.events()),
        through_block: head.l1.map(|l1| l1.through),
        positions,
        published: 0,
        unpublished: 0,
        unproven: 0,
        absent: 0,
        bad: Vec::new(),
    };
    for id in ordered.blobs() {
        verified.blobs += 1;
        let published = ordered.published(id);
        *(if published.is_empty() { &mut verified.unpublished } else { &mut verified.published }) += 1;
        match one(&bundle, &head, &committees, (id, published)) {
            Ok(One { bytes, certified, unproven }) => {
                verified.bytes += bytes;
                verified.unproven += unproven;
                *(if certified { &mut verified.certified } else { &mut verified.uncertified }) += 1;
            }
            Err(error) => bad(&mut verified, id, error),
        }
        if verified.blobs.is_multiple_of(TELL_EVERY) {
            progress(format!("{} of {} blobs", verified.blobs, ordered.blobs().len()));
        }
    }
    for (id, until) in ordered.absent() {
        verified.absent += 1;
        if head.complete && until > head.read_at {
            bad(&mut verified, id, "it was published, and is not in a bundle that is said to be complete".to_owned());
        }
    }
    if let Some(order) = order.filter(|_| ordered.damage().is_none()) {
        order.write(ordered.text()?.as_bytes())?;
    }
    output.print(&verified, text)?;
    let bad = match verified.bad.len() {
        0 => None,
        bad => Some(format!("{bad} of {} blobs are not as the bundle says", verified.blobs)),
    };
    let wrong: Vec<&str> = bad.as_deref().into_iter().chain(ordered.damage()).collect();
    if wrong.is_empty() { Ok(()) } else { fail(Exit::Verification, wrong.join("; ")) }
}

fn bad(verified: &mut Verified, id: &BlobId, error: String) {
    progress(format!("{id}: {}", plain(&error)));
    verified.bad.push(Bad { blob_id: id.to_string(), error });
}

/// What one blob is found to be.
struct One {
    /// The length of its payload.
    bytes: u64,
    certified: bool,
    /// Events of it whose certificate is not there.
    unproven: usize,
}

/// What a blob of the bundle is; or what is wrong.
fn one(
    bundle: &Bundle,
    head: &Head,
    committees: &Committees,
    (id, published): (&BlobId, &[Published]),
) -> Result<One, String> {
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
    let mut unproven = 0;
    for event in published {
        let Some(of) = certificates.iter().find(|it| it.digest(&head.domain()) == event.statement) else {
            unproven += 1;
            continue;
        };
        let of = &of.statement;
        let says = (event.epoch, event.retain_until, event.payload_digest);
        if (of.epoch, of.retain_until, of.blob.payload_digest) != says {
            return Err(format!(
                "event {} of block {} says something else than its certificate",
                event.log_index, event.block
            ));
        }
    }
    let payload = bundle.payload(id)?;
    let bytes = payload.len() as u64;
    record.check(payload)?;
    Ok(One { bytes, certified: !certificates.is_empty(), unproven })
}

/// The configured registry, which must be the bundle's.
async fn registry_of(head: &Head, config: Option<&Path>) -> anyhow::Result<Arc<dyn Registry>> {
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
    Ok(registry)
}

/// The epochs that the head names, and those of the certificates.
fn epochs(bundle: &Bundle, head: &Head, ordered: &Ordered) -> BTreeSet<u64> {
    let records = ordered.blobs().iter().filter_map(|id| bundle.record(id));
    let certificates = records.flat_map(|record| record.certificates().unwrap_or_default());
    head.epochs.keys().copied().chain(certificates.map(|it| it.statement.epoch)).collect()
}

/// These epochs as that registry has them.
async fn of_registry(epochs: &BTreeSet<u64>, registry: &dyn Registry) -> anyhow::Result<Committees> {
    let (mut committees, mut unknown) = (Committees::new(), 0);
    for epoch in epochs {
        match registry.epoch(*epoch).await {
            Ok(record) => drop(committees.insert(*epoch, Arc::clone(&record.committee))),
            // Its certificates then fail by name.
            Err(registry::Error::UnknownEpoch { .. }) => {
                unknown += 1;
                if unknown == MOST_UNKNOWN {
                    break;
                }
            }
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
    if let (Some(events), Some(block)) = (verified.events, verified.through_block) {
        text += &format!(
            "{events} publish events up to block {block}: {} of the blobs published, {} not",
            verified.published, verified.unpublished
        );
        for (count, what) in
            [(verified.unproven, "events without their certificate"), (verified.absent, "blobs absent")]
        {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        text += if verified.positions == "L1" {
            "\n"
        } else {
            "; where they stand on L1 is the bundle's own word (--positions asks)\n"
        };
    }
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
