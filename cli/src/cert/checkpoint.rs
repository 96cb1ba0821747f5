//! `holdfast cert checkpoint` and `cert prove`: one certificate over many blobs, and that a blob is in it.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_certificate::{CheckpointCertificate, CheckpointProof, Namespace};
use holdfast_client::{Checkpointed, folded};
use holdfast_erasure::BlobId;
use holdfast_l1::Until;
use holdfast_registry::Status;
use serde::Serialize;

use super::{publish, subject::Verified};
use crate::{
    config::Config,
    exit::{Exit, fail, not_published},
    failures::{FailureRecord, records},
    feeding::feed,
    files,
    given::{Given, over},
    output::{Output, progress},
    target::{Replace, Target},
    times::{human_time, parse_time},
};

/// The blobs of a checkpoint, and what to do with it.
#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// Certificates (files, or bytes in hex) or blob ids, of one namespace and of the active epoch; in any order.
    #[arg(required = true, value_name = "CERT|BLOB_ID")]
    blobs: Vec<String>,
    /// The rollup's namespace; the certificates' or the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// Until when members hold every blob, a whole hour: unix seconds or RFC 3339. Default: the least of the certificates'.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    retain_until: Option<u64>,
    /// Write the checkpoint (compact encoding) to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the blob ids to this file, one a line, ascending: `cert prove` needs them, and nobody else keeps them.
    #[arg(long, value_name = "FILE")]
    ids_out: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
    /// Also publish the checkpoint on L1.
    #[arg(long)]
    publish: bool,
}

/// What to prove.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The blob: its id, or its certificate (a file, or bytes in hex).
    #[arg(value_name = "BLOB_ID|CERT")]
    blob: String,
    /// The checkpoint: a file, or its bytes in hex.
    #[arg(long, value_name = "FILE")]
    checkpoint: String,
    /// All its blob ids, as `cert checkpoint --ids-out` writes them.
    #[arg(long, value_name = "FILE")]
    ids: PathBuf,
    /// Also ask the registry contract, which knows a checkpoint once it is published.
    #[arg(long)]
    on_chain: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    checkpoint_id: String,
    checkpoint: String,
    checkpoint_bytes: usize,
    namespace: Namespace,
    epoch: u64,
    blobs_root: String,
    retain_until: u64,
    attested: usize,
    blob_ids: Vec<String>,
    failures: Vec<FailureRecord>,
    #[serde(skip)]
    without: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proven {
    blob_id: String,
    index: u32,
    count: u32,
    proof: String,
    on_chain: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    namespace: Namespace,
    epoch: u64,
    blobs_root: String,
    count: u32,
    retain_until: u64,
    signers: Vec<u16>,
    signature: String,
    bytes: usize,
}

pub(super) async fn make(args: &CheckpointArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    // Without its ids a checkpoint proves nothing: no slip may cost them.
    let target = args.replace.optional(args.output.as_ref())?;
    let ids_target = args.replace.optional(args.ids_out.as_ref())?;
    if let (Some(target), Some(ids_target)) = (&target, &ids_target)
        && target.is(ids_target)
    {
        return fail(Exit::Usage, "-o and --ids-out name the same file");
    }
    if target.iter().chain(&ids_target).any(Target::is_standard_output) {
        return fail(
            Exit::Usage,
            "the result itself goes to standard output: give files, or leave -o and --ids-out out",
        );
    }
    let blobs = read_blobs(args)?;
    let config = Config::load(config)?;
    if args.publish {
        // An account that cannot sign is found out here.
        config.account(None)?;
    }
    let registry = config.registry().await?;
    let domain = registry.domain();
    let client = config.disperser_of(registry, blobs.namespace)?;
    let count = blobs.ids.len();
    progress(format!("asking the committee to sign for {count} blobs until {}", human_time(blobs.retain_until)));
    let Checkpointed { certificate, ids, attested, failures, .. } =
        client.checkpoint(None, &blobs.ids, blobs.retain_until).await?;
    let encoded = certificate.encode();
    let blob_ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let ids_written = ids_target.as_ref().map_or(Ok(()), |target| {
        let text = blob_ids.join("\n") + "\n";
        target.write(text.as_bytes())
    });
    let written = ids_written.and(target.as_ref().map_or(Ok(()), |target| target.write(&encoded)));
    let checkpoint = certificate.checkpoint;
    let made = Made {
        checkpoint_id: certificate.digest(&domain).to_string(),
        checkpoint: format!("0x{}", hex::encode(&encoded)),
        checkpoint_bytes: encoded.len(),
        namespace: checkpoint.namespace,
        epoch: checkpoint.epoch,
        blobs_root: checkpoint.blobs_root.to_string(),
        retain_until: checkpoint.retain_until,
        attested: attested.len(),
        blob_ids,
        failures: records(&failures),
        without: folded(&failures),
    };
    // What could not be written is shown in full.
    let files = written.is_ok().then_some(args);
    if !args.publish {
        output.print(&made, |made| human_made(made, files))?;
    } else {
        let open = output.begin(&made, |made| human_made(made, files))?;
        let published = publish(&config, &Verified::Checkpoint(Box::new(certificate)), Until::Mined).await;
        open.end("published", published.as_ref().ok(), ToString::to_string)?;
        if let Err(error) = &published {
            let what = args.output.as_ref().map_or_else(|| "CHECKPOINT".to_owned(), |path| path.display().to_string());
            let failed = not_published(error, &format!("`holdfast cert publish {what}` goes on with it"));
            feed(&client).await;
            return Err(failed);
        }
    }
    feed(&client).await;
    written
}

fn human_made(made: &Made, files: Option<&CheckpointArgs>) -> String {
    let mut text = format!(
        "checkpoint id {}\nblobs         {}, root {}\ncheckpoint    {} bytes, {} signers\nretain until  {}\n",
        made.checkpoint_id,
        made.blob_ids.len(),
        made.blobs_root,
        made.checkpoint_bytes,
        made.attested,
        human_time(made.retain_until),
    );
    match files.and_then(|files| files.output.as_ref()) {
        Some(path) => text += &format!("written to    {}\n", path.display()),
        None => text += &format!("{}\n", made.checkpoint),
    }
    match files.and_then(|files| files.ids_out.as_ref()) {
        Some(path) => text += &format!("blob ids in   {}\n", path.display()),
        None => text += &format!("{}\n", made.blob_ids.join("\n")),
    }
    for failure in &made.without {
        text += &format!("without       {failure}\n");
    }
    text
}

pub(super) async fn prove(args: &ProveArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let blob = match Given::read(&args.blob)? {
        Given::BlobId(id) => id,
        Given::Certificate(certificate) => certificate.statement.blob.id(),
        Given::Checkpoint(it) => {
            return fail(Exit::Usage, format!("this is {}, expected one of its blobs", over(&it)));
        }
    };
    let certificate = Given::checkpoint(&args.checkpoint)?;
    let ids = read_ids(&args.ids)?;
    let proof = match CheckpointProof::build(certificate.checkpoint, &ids, &blob) {
        Ok(proof) => proof,
        Err(error) => return fail(Exit::Verification, format!("cannot prove it with {}: {error}", args.ids.display())),
    };
    let status = match args.on_chain {
        true => Some(Config::load(config)?.chain().await?.verify_in_checkpoint(&blob, &proof, None).await?),
        false => None,
    };
    let proven = Proven {
        blob_id: blob.to_string(),
        index: proof.index(),
        count: proof.checkpoint().count,
        proof: format!("0x{}", hex::encode(proof.encode())),
        on_chain: status.map(|status| status.to_string()),
    };
    output.print(&proven, |proven| {
        let mut text =
            format!("blob          {} of {}\nproof         {}\n", proven.index + 1, proven.count, proven.proof);
        if let Some(status) = &proven.on_chain {
            text += &format!("on L1         {status}\n");
        }
        text
    })?;
    match status {
        Some(status) if status != Status::Ok => fail(Exit::Verification, format!("the registry says {status}")),
        _ => Ok(()),
    }
}

pub(super) fn show(certificate: &CheckpointCertificate, output: Output) -> anyhow::Result<()> {
    let checkpoint = &certificate.checkpoint;
    let shown = Shown {
        namespace: checkpoint.namespace,
        epoch: checkpoint.epoch,
        blobs_root: checkpoint.blobs_root.to_string(),
        count: checkpoint.count,
        retain_until: checkpoint.retain_until,
        signers: certificate.signer_slots(),
        signature: certificate.signature().to_string(),
        bytes: certificate.encode().len(),
    };
    output.print(&shown, |shown| {
        let signers: Vec<String> = shown.signers.iter().map(|slot| format!("m{slot}")).collect();
        format!(
            "checkpoint    over {} blobs\nblobs root    {}\nnamespace     {}\nepoch         {}\nretain until  {}\n\
             signers       {}\nsignature     {}\nencoding      {} bytes\n",
            shown.count,
            shown.blobs_root,
            shown.namespace,
            shown.epoch,
            human_time(shown.retain_until),
            signers.join(" "),
            shown.signature,
            shown.bytes,
        )
    })
}

/// What the arguments name.
struct Blobs {
    ids: Vec<BlobId>,
    namespace: Option<Namespace>,
    retain_until: u64,
}

fn read_blobs(args: &CheckpointArgs) -> anyhow::Result<Blobs> {
    let (mut ids, mut namespace, mut least) = (Vec::new(), args.namespace, None::<u64>);
    for text in &args.blobs {
        if let Ok(id) = text.parse::<BlobId>() {
            ids.push(id);
            continue;
        }
        let statement = Given::certificate(text)?.statement;
        let expected = *namespace.get_or_insert(statement.namespace);
        if statement.namespace != expected {
            let got = statement.namespace;
            return fail(
                Exit::Usage,
                format!("{text} is of namespace {got}, expected {expected}: a checkpoint has one"),
            );
        }
        least = Some(least.map_or(statement.retain_until, |least| least.min(statement.retain_until)));
        ids.push(statement.blob.id());
    }
    match args.retain_until.or(least) {
        Some(retain_until) => Ok(Blobs { ids, namespace, retain_until }),
        None => fail(Exit::Usage, "blob ids do not say until when they are held: give --retain-until, or certificates"),
    }
}

fn read_ids(path: &Path) -> anyhow::Result<Vec<BlobId>> {
    let text = files::read_text(path)?;
    let mut ids = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match line.trim().parse() {
            Ok(id) => ids.push(id),
            Err(error) => {
                return fail(Exit::Usage, format!("{}, line {}: no blob id: {error}", path.display(), number + 1));
            }
        }
    }
    Ok(ids)
}
