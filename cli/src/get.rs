//! `holdfast get`: read a payload back.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use holdfast_certificate::Certificate;
use holdfast_client::{Reference, RetrieveOptions};
use holdfast_erasure::BlobId;
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    files,
    output::{Output, human_bytes, progress},
    times::{now, parse_span},
};

/// What to read, from whom, and where to.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// A blob id, or a certificate: a file, or its bytes in hex.
    #[arg(value_name = "BLOB_ID|CERT")]
    what: String,
    /// Ask only these members of the certificate's epoch, or of the active one: m1,m3
    #[arg(long, value_delimiter = ',', value_parser = parse_member)]
    from: Vec<u16>,
    /// How long it may take.
    #[arg(long, default_value = "30s", value_parser = parse_span)]
    deadline: Duration,
    /// Where to write the payload; standard output if absent.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Got {
    blob_id: String,
    payload_bytes: usize,
    from: Vec<u16>,
    faults: Vec<String>,
    milliseconds: f64,
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: &GetArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let reference = parse_reference(&args.what)?;
    if args.output.is_none() && output.is_json() {
        return fail(Exit::Usage, "--json prints the result on standard output, so the payload needs a file: -o FILE");
    }
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return fail(Exit::Usage, "the payload is binary and standard output a terminal: give -o FILE");
    }
    let config = Config::load(config)?;
    check_members(&args.from, &reference, &config).await?;
    let client = config.reader().await?;
    let options = RetrieveOptions::default().deadline(args.deadline).only(args.from.iter().copied());
    let started = std::time::Instant::now();
    let retrieved = client.retrieve(reference, options).await?;
    let got = Got {
        blob_id: retrieved.blob.id().to_string(),
        payload_bytes: retrieved.payload.len(),
        from: retrieved.from.clone(),
        faults: retrieved.faults.iter().map(ToString::to_string).collect(),
        milliseconds: started.elapsed().as_secs_f64() * 1e3,
        file: args.output.clone(),
    };
    for fault in &got.faults {
        progress(format!("fault: {fault}"));
    }
    let Some(path) = &args.output else {
        std::io::stdout().write_all(&retrieved.payload)?;
        return Ok(());
    };
    files::write(path, &retrieved.payload)?;
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
async fn check_members(from: &[u16], reference: &Reference, config: &Config) -> anyhow::Result<()> {
    let Some(highest) = from.iter().max() else { return Ok(()) };
    let registry = config.registry().await?;
    let record = match reference {
        Reference::Certificate(certificate) => registry.epoch(certificate.statement.epoch).await?,
        Reference::BlobId(_) => registry.active_epoch(now()).await?,
    };
    let members = record.committee.parameters().total_shards();
    if *highest >= members {
        let epoch = record.committee.epoch();
        return fail(Exit::Usage, format!("no member m{highest} in epoch {epoch}, expected m0 to m{}", members - 1));
    }
    Ok(())
}

/// A blob id, or a certificate in a file or in hex.
fn parse_reference(text: &str) -> anyhow::Result<Reference> {
    if let Ok(id) = text.parse::<BlobId>() {
        return Ok(Reference::from(id));
    }
    Ok(Reference::from(read_certificate(text)?))
}

/// A certificate in compact encoding: the name of a file that holds it, or its bytes in hex.
pub(crate) fn read_certificate(text: &str) -> anyhow::Result<Certificate> {
    let bytes = match text.strip_prefix("0x").map(hex::decode) {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) => return fail(Exit::Usage, format!("{text} is no hex: {error}")),
        None if Path::new(text).exists() => files::read(Path::new(text))?,
        None => return fail(Exit::Usage, format!("{text} is no blob id, no certificate in hex, and no file")),
    };
    match Certificate::decode(&bytes) {
        Ok(certificate) => Ok(certificate),
        Err(error) => fail(Exit::Verification, format!("not a certificate: {error}")),
    }
}

fn parse_member(text: &str) -> Result<u16, String> {
    text.trim_start_matches('m').parse().map_err(|_| format!("{text:?} is no member, expected m0, m1, ..."))
}
