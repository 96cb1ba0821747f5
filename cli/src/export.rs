//! `holdfast export` and `holdfast mirror run`: a namespace's payloads with what proves them, once or for good.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, Subcommand};
use futures::{StreamExt as _, stream};
use holdfast_certificate::Namespace;
use holdfast_client::{Client, Listing, LookupOptions, RetrieveOptions, Wanted};
use holdfast_erasure::{Blob, BlobId};
use holdfast_registry::{self as registry, Registry};
use serde::Serialize;

use crate::{
    bridge::Epoch,
    bundle::{Bundle, Head, Record},
    config::Config,
    exit::{Exit, fail},
    output::{Output, human_bytes, plain, progress},
    shutdown::Shutdown,
    times::{now, parse_span},
};

/// How long members may take to list what they hold.
const LIST_LIMIT: Duration = Duration::from_secs(600);
/// How long is waited for a blob's certificates.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
/// The most payload that is in memory at once, in payloads.
const MOST_AT_ONCE: u8 = 16;
/// A line of progress at least so often.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What, and where to.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder; what is in it already is kept, and only what it lacks is read.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// How many payloads at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_AT_ONCE)))]
    concurrency: u8,
    /// How long one payload may take.
    #[arg(long, default_value = "60s", value_parser = parse_span)]
    deadline: Duration,
}

/// Keep a namespace's payloads whole, without anybody's consent: whoever runs this needs no key.
#[derive(Debug, Subcommand)]
pub(crate) enum Mirror {
    /// Export again and again, until it is stopped: what is new is read, and what is there is kept for good.
    ///
    /// Example: holdfast mirror run --dir /srv/mirror --every 5m
    Run {
        #[command(flatten)]
        export: ExportArgs,
        /// How often members are asked for their lists.
        #[arg(long, default_value = "5m", value_parser = parse_span)]
        every: Duration,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    namespace: String,
    folder: PathBuf,
    /// Whether nothing certified is missing, as far as members' lists show.
    complete: bool,
    /// Blobs whose payload is in the folder.
    blobs: usize,
    /// Of them, those that were read now, and their bytes.
    read: usize,
    read_bytes: u64,
    /// Blobs without a certificate so far.
    uncertified: usize,
    /// Blobs that too few members list to be believed, and that nobody could be made to give.
    doubtful: usize,
    missing: Vec<Missing>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing {
    blob_id: String,
    error: String,
}

pub(crate) async fn export(args: &ExportArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let exported = Exporter::open(args, config).await?.pass().await?;
    output.print(&exported, text)?;
    verdict(&exported)
}

pub(crate) async fn mirror(command: &Mirror, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let Mirror::Run { export, every } = command;
    let exporter = Exporter::open(export, config).await?;
    let stop = Shutdown::listen(false)?;
    loop {
        let next = tokio::time::Instant::now() + *every;
        tokio::select! {
            () = stop.requested() => return Ok(()),
            exported = exporter.pass() => match exported {
                Ok(exported) => output.print(&exported, text)?,
                // Members and L1 come back.
                Err(error) => progress(format!("nothing was read: {}", plain(&format!("{error:#}")))),
            },
        }
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// What goes on from one pass to the next.
struct Exporter<'a> {
    args: &'a ExportArgs,
    namespace: Namespace,
    registry: Arc<dyn Registry>,
    client: Client,
    bundle: Bundle,
}

/// What became of one blob.
enum Fate {
    There(Record),
    Read(Record, u64),
    Missing(Missing),
}

impl<'a> Exporter<'a> {
    async fn open(args: &'a ExportArgs, config: Option<&Path>) -> anyhow::Result<Self> {
        let config = Config::load(config)?;
        let namespace = config.namespace(args.namespace)?;
        let registry = config.bridged_registry().await?;
        let bundle = Bundle::make(&args.dir)?;
        if let Some(head) = bundle.head()? {
            let (domain, folder) = (registry.domain(), args.dir.display());
            if head.namespace != namespace || head.domain() != domain {
                return fail(
                    Exit::Unsafe,
                    format!("{folder} has the payloads of namespace {} of registry {}", head.namespace, head.registry),
                );
            }
        }
        let client = Client::builder().registry(Arc::clone(&registry)).namespace(namespace).build()?;
        Ok(Self { args, namespace, registry, client, bundle })
    }

    async fn pass(&self) -> anyhow::Result<Exported> {
        let listing = self.client.list(None, LIST_LIMIT).await?;
        listing.failures.iter().for_each(|failure| progress(format!("without {}", plain(&failure.to_string()))));
        let mut head = self.bundle.head()?.unwrap_or_else(|| Head::new(&self.registry.domain(), self.namespace));
        let wanted = wanted(&listing, &head, now());
        let mut exported = Exported {
            namespace: self.namespace.to_string(),
            folder: self.args.dir.clone(),
            complete: listing.complete,
            blobs: 0,
            read: 0,
            read_bytes: 0,
            uncertified: 0,
            doubtful: 0,
            missing: Vec::new(),
        };
        let mut fates = stream::iter(&wanted)
            .map(|(blob, witnessed)| async { (blob.id(), *witnessed, self.one(blob).await) })
            .buffered(self.args.concurrency.into());
        let (mut told, mut there) = (tokio::time::Instant::now(), Vec::new());
        while let Some((id, witnessed, fate)) = fates.next().await {
            let record = match fate? {
                Fate::There(record) => record,
                Fate::Read(record, bytes) => {
                    exported.read += 1;
                    exported.read_bytes += bytes;
                    record
                }
                Fate::Missing(_) if !witnessed => {
                    exported.doubtful += 1;
                    continue;
                }
                Fate::Missing(missing) => {
                    progress(format!("{id} is missing: {}", plain(&missing.error)));
                    exported.missing.push(missing);
                    continue;
                }
            };
            exported.uncertified += usize::from(record.certificates.is_empty());
            self.note_epochs(&mut head, &record).await?;
            there.push(id);
            if told.elapsed() >= TELL_EVERY {
                told = tokio::time::Instant::now();
                progress(format!(
                    "{} of {} blobs, {} read",
                    there.len(),
                    wanted.len(),
                    human_bytes(exported.read_bytes)
                ));
            }
        }
        drop(fates);
        // What members have forgotten stays, before what they still list.
        let listed: BTreeSet<BlobId> = there.iter().copied().collect();
        let gone = head.blobs.iter().filter(|id| !listed.contains(id)).copied();
        head.blobs = gone.chain(there.iter().copied()).collect();
        exported.blobs = head.blobs.len();
        head.complete = exported.complete && exported.missing.is_empty();
        head.read_at = now();
        self.bundle.write_head(&head)?;
        Ok(exported)
    }

    /// Brings one blob into the folder: its record with every certificate that members have, and its payload.
    async fn one(&self, blob: &Blob) -> anyhow::Result<Fate> {
        let id = blob.id();
        let known = self.bundle.record(&id);
        let mut record = known.clone().unwrap_or_else(|| Record::new(blob));
        if record.certificates.is_empty() {
            let options = LookupOptions::default().deadline(LOOKUP_LIMIT).enough(0);
            let found = self.client.lookup(Wanted::Blob(id), options).await.unwrap_or_default();
            let certificates = found.iter().flat_map(|found| &found.certificates);
            for certificate in certificates.filter(|it| it.statement.namespace == self.namespace) {
                record.add(certificate);
            }
        }
        let has_payload = self.bundle.has_payload(&record);
        let mut read = 0;
        if !has_payload {
            let options = RetrieveOptions::default().deadline(self.args.deadline);
            match self.client.retrieve(id, options).await {
                Ok(got) => {
                    read = got.payload.len() as u64;
                    self.bundle.write_payload(&id, &got.payload)?;
                }
                Err(error) => {
                    return Ok(Fate::Missing(Missing { blob_id: id.to_string(), error: error.to_string() }));
                }
            }
        }
        if known.as_ref() != Some(&record) {
            self.bundle.write_record(&record)?;
        }
        Ok(if has_payload { Fate::There(record) } else { Fate::Read(record, read) })
    }

    /// The epochs of its certificates, so that they can be verified without a registry.
    async fn note_epochs(&self, head: &mut Head, record: &Record) -> anyhow::Result<()> {
        for certificate in record.certificates().unwrap_or_default() {
            let epoch = certificate.statement.epoch;
            if let Entry::Vacant(place) = head.epochs.entry(epoch) {
                match self.registry.epoch(epoch).await {
                    Ok(record) => drop(place.insert(Epoch::of(&record))),
                    Err(registry::Error::UnknownEpoch { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// The blobs to have, each once, in the order in which they were signed, and whether so many list it that one is honest: what
/// is still held, and of the rest what the bundle has.
fn wanted(listing: &Listing, head: &Head, now: u64) -> Vec<(Blob, bool)> {
    let had: BTreeSet<&BlobId> = head.blobs.iter().collect();
    let mut places = BTreeMap::new();
    let mut wanted: Vec<(Blob, bool)> = Vec::new();
    for listed in &listing.listed {
        let blob = listed.statement.blob;
        let id = blob.id();
        match places.get(&id) {
            Some(&place) => {
                let (_, witnessed): &mut (Blob, bool) = &mut wanted[place];
                *witnessed |= listed.witnessed;
            }
            None if listed.statement.retain_until > now || had.contains(&id) => {
                places.insert(id, wanted.len());
                wanted.push((blob, listed.witnessed));
            }
            None => {}
        }
    }
    wanted
}

fn verdict(exported: &Exported) -> anyhow::Result<()> {
    match (exported.missing.len(), exported.complete) {
        (0, true) => Ok(()),
        (0, false) => fail(Exit::Unreachable, "too few members gave their lists: blobs may be missing"),
        (missing, _) => fail(Exit::Unreachable, format!("{missing} blobs are missing; run it again")),
    }
}

fn text(exported: &Exported) -> String {
    let mut text = format!(
        "{} blobs in {}, {} of them read now ({})\n",
        exported.blobs,
        exported.folder.display(),
        exported.read,
        human_bytes(exported.read_bytes)
    );
    for (count, what) in [
        (exported.uncertified, "have no certificate that members know"),
        (exported.missing.len(), "are missing"),
        (exported.doubtful, "that too few members list were passed over"),
    ] {
        if count > 0 {
            text += &format!("{count} {what}\n");
        }
    }
    if !exported.complete {
        text += "too few members gave their lists: blobs may be missing\n";
    }
    text
}
