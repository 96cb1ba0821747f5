//! `holdfast put`: disperse a file.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use holdfast_certificate::{Namespace, hour_at_or_after};
use holdfast_client::{Client, DisperseOptions, Dispersed, folded};
use holdfast_erasure::Dispersal;
use holdfast_l1::Until;
use serde::Serialize;

use crate::{
    cert,
    config::Config,
    exit::{Exit, fail, not_published},
    failures::{FailureRecord, records},
    feeding::feed,
    files::{self, Source},
    output::{Output, human_bytes, progress},
    target::Replace,
    times::{human_time, now, parse_span},
    waiting::Waiting,
};

/// What to disperse, and how.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The payload; - is standard input.
    file: PathBuf,
    /// The rollup's namespace; the configured one if absent.
    #[arg(long)]
    namespace: Option<Namespace>,
    /// How members get it: each its shard, or each the whole payload (which binds keccak256 of it).
    #[arg(long, value_enum, default_value = "shard")]
    by: By,
    /// How long members keep it, rounded up to the hour.
    #[arg(long, default_value = "28d", value_parser = parse_span)]
    retain: Duration,
    /// Take a certificate of the same payload that members have, if it holds for so long, instead of having one made.
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    enough: Option<Duration>,
    /// How long the committee may take.
    #[arg(long, default_value = "10s", value_parser = parse_span)]
    deadline: Duration,
    /// Also publish the certificate on L1.
    #[arg(long)]
    publish: bool,
    /// Write the certificate (compact encoding) to this file; - is standard output.
    #[arg(short, long, value_name = "CERT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    replace: Replace,
}

/// How a payload is dispersed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Each member gets its shard.
    Shard,
    /// Each member gets the whole payload and keeps it whole for a week.
    Payload,
}

impl From<By> for Dispersal {
    fn from(by: By) -> Self {
        match by {
            By::Shard => Self::ByShard,
            By::Payload => Self::ByPayload,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    blob_id: String,
    payload_bytes: u64,
    certificate: String,
    certificate_bytes: usize,
    attested: usize,
    retain_until: u64,
    milliseconds: f64,
    failures: Vec<FailureRecord>,
    #[serde(skip)]
    without: Vec<String>,
}

/// The order matters: what can be refused is refused before anything is dispersed, and from the quorum on the result is on
/// disk and screen before anything else can fail.
pub(crate) async fn run(args: &PutArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let target = args.replace.optional(args.output.as_ref())?;
    let to_standard_output = target.as_ref().is_some_and(crate::target::Target::is_standard_output);
    if to_standard_output && output.is_json() {
        return fail(Exit::Usage, "--json has the certificate in its result: leave -o - out");
    }
    let source = Source::open(&args.file)?;
    source.check_size(files::MOST_PAYLOAD_BYTES)?;
    let config = Config::load(config)?;
    if args.publish {
        // An account that cannot sign is found out here.
        config.account(None)?;
    }
    let (namespace, key) = (config.namespace(args.namespace)?, config.disperser_key()?);
    let registry = config.bridged_registry().await?;
    let record = registry.active_epoch(now()).await?;
    let retain_until = hour_at_or_after(now().saturating_add(args.retain.as_secs()));
    let payload = source.read_payload(record.committee.parameters().max_payload().into())?;
    let length = payload.len() as u64;
    let waiting = Waiting::begin();
    let builder = Client::builder().registry(registry).namespace(namespace).disperser(key);
    let client = builder.observer(waiting.observer()).build()?;
    progress(format!("dispersing {} ({})", files::name(&args.file), human_bytes(length)));
    let mut options = DisperseOptions::by(args.by.into()).retain_until(retain_until).deadline(args.deadline);
    if let Some(enough) = args.enough {
        options = options.enough_for(enough);
    }
    let started = std::time::Instant::now();
    let dispersed = client.disperse(payload, options).await?;
    let elapsed = started.elapsed();
    drop(waiting);
    let Dispersed { certificate, failures, .. } = dispersed;
    let encoded = certificate.encode();
    let written = target.as_ref().map_or(Ok(()), |target| target.write(&encoded));
    let put = Put {
        blob_id: certificate.statement.blob.id().to_string(),
        payload_bytes: length,
        certificate_bytes: encoded.len(),
        certificate: format!("0x{}", hex::encode(&encoded)),
        attested: certificate.signer_slots().len(),
        retain_until: certificate.statement.retain_until,
        milliseconds: elapsed.as_secs_f64() * 1e3,
        failures: records(&failures),
        without: folded(&failures),
    };
    let to_file = target.as_ref().filter(|_| written.is_ok()).map(crate::target::Target::path);
    let human = |put: &Put| text(put, to_file);
    if to_standard_output {
        progress(human(&put).trim_end());
    } else if !args.publish {
        output.print(&put, human)?;
    }
    if args.publish {
        let open = if to_standard_output { None } else { Some(output.begin(&put, human)?) };
        let verified = cert::Verified::Certificate(Box::new(certificate));
        let published = cert::publish(&config, &verified, Until::Mined).await;
        let known = published.as_ref().ok();
        open.map_or(Ok(()), |open| open.end("published", known, ToString::to_string))?;
        if let Err(error) = &published {
            let what = to_file.map_or_else(|| "CERT".to_owned(), |path| path.display().to_string());
            let failed = not_published(error, &format!("`holdfast cert publish {what}` goes on with it"));
            feed(&client).await;
            return Err(failed);
        }
    }
    feed(&client).await;
    written
}

fn text(put: &Put, written: Option<&Path>) -> String {
    let mut text = format!(
        "blob id       {}\ncertificate   {} bytes, {} signers, {:.1} ms\nretain until  {}\n",
        put.blob_id,
        put.certificate_bytes,
        put.attested,
        put.milliseconds,
        human_time(put.retain_until),
    );
    match written {
        Some(path) => text += &format!("written to    {}\n", path.display()),
        None => text += &format!("{}\n", put.certificate),
    }
    for failure in &put.without {
        text += &format!("without       {failure}\n");
    }
    text
}
