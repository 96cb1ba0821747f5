//! `holdfast put`: disperse a file.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use holdfast_certificate::{Namespace, hour_at_or_after};
use holdfast_client::{DisperseOptions, Dispersed};
use holdfast_erasure::Dispersal;
use holdfast_l1::Until;
use serde::Serialize;

use crate::{
    cert,
    config::Config,
    exit::{Exit, fail},
    files,
    output::{Output, human_bytes, progress},
    times::{human_time, now, parse_span},
};

/// What to disperse, and how.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The payload.
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
    /// How long the committee may take.
    #[arg(long, default_value = "10s", value_parser = parse_span)]
    deadline: Duration,
    /// Also publish the certificate on L1.
    #[arg(long)]
    publish: bool,
    /// Write the certificate (compact encoding) to this file.
    #[arg(short, long, value_name = "CERT")]
    output: Option<PathBuf>,
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
    failures: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<cert::Published>,
}

pub(crate) async fn run(args: &PutArgs, config: Option<&std::path::Path>, output: Output) -> anyhow::Result<()> {
    let payload = files::read(&args.file)?;
    if payload.is_empty() {
        return fail(Exit::Usage, format!("{} is empty, expected a payload of at least 1 byte", args.file.display()));
    }
    let config = Config::load(config)?;
    let client = config.disperser(args.namespace).await?;
    let length = payload.len() as u64;
    progress(format!("dispersing {} ({})", args.file.display(), human_bytes(length)));
    let retain_until = hour_at_or_after(now().saturating_add(args.retain.as_secs()));
    let options = DisperseOptions::by(args.by.into()).retain_until(retain_until).deadline(args.deadline);
    let started = std::time::Instant::now();
    let dispersed = client.disperse(payload, options).await?;
    let elapsed = started.elapsed();
    let Dispersed { certificate, failures, .. } = dispersed;
    // Stragglers still get their shard, and every member the certificate.
    client.close().await;
    let encoded = certificate.encode();
    if let Some(path) = &args.output {
        files::write(path, &encoded)?;
    }
    let published = if args.publish {
        Some(cert::publish(&config, &cert::Verified::Certificate(Box::new(certificate)), Until::Mined).await?)
    } else {
        None
    };
    let put = Put {
        blob_id: certificate.statement.blob.id().to_string(),
        payload_bytes: length,
        certificate_bytes: encoded.len(),
        certificate: format!("0x{}", hex::encode(&encoded)),
        attested: certificate.signer_slots().len(),
        retain_until: certificate.statement.retain_until,
        milliseconds: elapsed.as_secs_f64() * 1e3,
        failures: failures.iter().map(ToString::to_string).collect(),
        published,
    };
    output.print(&put, |put| {
        let mut text = format!(
            "blob id       {}\ncertificate   {} bytes, {} signers, {:.1} ms\nretain until  {}\n",
            put.blob_id,
            put.certificate_bytes,
            put.attested,
            put.milliseconds,
            human_time(put.retain_until),
        );
        match &args.output {
            Some(path) => text += &format!("written to    {}\n", path.display()),
            None => text += &format!("{}\n", put.certificate),
        }
        for failure in &put.failures {
            text += &format!("without       {failure}\n");
        }
        if let Some(published) = &put.published {
            text += &format!("{published}\n");
        }
        text
    })
}
