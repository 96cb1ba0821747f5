//! `holdfast get`: read a payload back.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use holdfast_client::{Client, Reference, RetrieveOptions};
use holdfast_registry::Registry;
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    failures::{FailureRecord, records},
    files::STANDARD,
    given::{Given, over},
    output::{Output, human_bytes, progress},
    target::Replace,
    times::{now, parse_span},
    waiting::Waiting,
};

/// What to read, from whom, and where to.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// A blob id, or a certificate: a file, its bytes in hex, or - for standard input.
    #[arg(value_name = "BLOB_ID|CERT")]
    what: String,
    /// Ask only these members of the certificate's epoch, or of the active one: m1,m3
    #[arg(long, value_delimiter = ',', value_parser = parse_member)]
    from: Vec<u16>,
    /// How long it may take.
    #[arg(long, default_value = "30s", value_parser = parse_span)]
    deadline: Duration,
    /// Ask every member, also when enough have answered, so that each faulty one is named.
    #[arg(long)]
    audit: bool,
    /// Where to write the payload; standard output if absent or -.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Got {
    blob_id: String,
    payload_bytes: usize,
    from: Vec<u16>,
    faults: Vec<FailureRecord>,
    /// Members that were asked and did not help.
    failures: Vec<FailureRecord>,
    milliseconds: f64,
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: &GetArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let reference = reference(&args.what)?;
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(STANDARD));
    let target = args.replace.target(&path)?;
    if target.is_standard_output() && output.is_json() {
        return fail(Exit::Usage, "--json prints the result on standard output, so the payload needs a file: -o FILE");
    }
    if target.is_standard_output() && std::io::stdout().is_terminal() {
        return fail(Exit::Usage, "the payload is binary and standard output a terminal: give -o FILE");
    }
    let config = Config::load(config)?;
    let registry = config.bridged_registry().await?;
    check_members(&args.from, &reference, registry.as_ref()).await?;
    let waiting = Waiting::begin();
    let client = Client::builder().registry(registry).observer(waiting.observer()).build()?;
    let mut options = RetrieveOptions::default().deadline(args.deadline).only(args.from.iter().copied());
    if args.audit {
        options = options.audit();
    }
    let started = std::time::Instant::now();
    let retrieved = client.retrieve(reference, options).await?;
    let elapsed = started.elapsed();
    drop(waiting);
    for fault in &retrieved.faults {
        progress(format!("fault: {fault}"));
    }
    if args.audit {
        let silent = retrieved.failures.iter().filter(|failure| failure.reason.fault().is_none());
        silent.for_each(|failure| progress(format!("without: {failure}")));
    }
    target.write(&retrieved.payload)?;
    if target.is_standard_output() {
        return Ok(());
    }
    let got = Got {
        blob_id: retrieved.blob.id().to_string(),
        payload_bytes: retrieved.payload.len(),
        from: retrieved.from.clone(),
        faults: records(&retrieved.faults),
        failures: records(&retrieved.failures),
        milliseconds: elapsed.as_secs_f64() * 1e3,
        file: args.output.clone(),
    };
    output.print(&got, |got| {
        let from: Vec<String> = got.from.iter().map(|slot| format!("m{slot}")).collect();
        format!(
            "{} to {}, from {}, {:.1} ms",
            human_bytes(got.payload_bytes as u64),
            path.display(),
            from.join(" "),
            got.milliseconds
        )
    })
}

/// Refuses members that the committee does not have.
async fn check_members(from: &[u16], reference: &Reference, registry: &dyn Registry) -> anyhow::Result<()> {
    let Some(highest) = from.iter().max() else { return Ok(()) };
    let record = match reference {
        Reference::Certificate(certificate) => registry.epoch(certificate.statement.epoch).await?,
        Reference::BlobId(_) => registry.newest_epoch(now()).await?,
    };
    let members = record.committee.parameters().total_shards();
    if *highest >= members {
        let epoch = record.committee.epoch();
        return fail(Exit::Usage, format!("no member m{highest} in epoch {epoch}, expected m0 to m{}", members - 1));
    }
    Ok(())
}

/// A blob id or a certificate; a checkpoint is none, though one may have been meant.
pub(crate) fn reference(text: &str) -> anyhow::Result<Reference> {
    match Given::read(text)? {
        Given::BlobId(id) => Ok(Reference::from(id)),
        Given::Certificate(certificate) => Ok(Reference::from(*certificate)),
        Given::Checkpoint(checkpoint) => {
            let what = over(&checkpoint);
            fail(Exit::Usage, format!("this is {what}: give the id or the certificate of one of its blobs"))
        }
    }
}

/// A member by its slot: m0, m1, or the number.
pub(crate) fn parse_member(text: &str) -> Result<u16, String> {
    text.trim_start_matches('m').parse().map_err(|_| format!("{text:?} is no member, expected m0, m1, ..."))
}
