//! `holdfast cert`: look at a certificate, verify it, publish it.

mod checkpoint;
mod cost;
mod subject;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use clap::{Subcommand, ValueEnum};
use holdfast_certificate::Certificate;
use holdfast_l1::{PublisherOptions, Until};
use holdfast_registry::{Registry, Status};
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    output::{Output, human_bytes, progress},
    times::{human_time, now, parse_time},
};
use checkpoint::{CheckpointArgs, ProveArgs};
use cost::CostArgs;
use subject::Subject;

pub(crate) use subject::Verified;

/// How long finality is waited for: four times what Ethereum takes.
const FINAL_LIMIT: Duration = Duration::from_secs(3600);

/// Look at certificates and checkpoints, verify and publish them; make checkpoints over many blobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Print what a certificate or checkpoint says; checks nothing but its form.
    ///
    /// Example: holdfast cert show batch.cert
    Show {
        /// A file, or the certificate's bytes in hex.
        certificate: String,
    },
    /// Verify a certificate or checkpoint against its epoch's committee: genuine, and acceptable at a point in time.
    ///
    /// Example: holdfast cert verify batch.cert --on-chain
    Verify {
        /// A file, or the certificate's bytes in hex.
        certificate: String,
        /// The timestamp of the L1 block that carries it: unix seconds or RFC 3339; now if absent.
        #[arg(long, value_parser = parse_time)]
        at: Option<u64>,
        /// Also ask the registry contract.
        #[arg(long)]
        on_chain: bool,
    },
    /// Publish a certificate or checkpoint: the registry verifies it in a transaction and emits an event.
    ///
    /// Given again, also after it was interrupted, this goes on with the same publication and does not publish twice: what
    /// is sent stands in the folder l1_journal of the configuration.
    ///
    /// Example: holdfast cert publish batch.cert --wait finalized
    Publish {
        /// A file, or the certificate's bytes in hex.
        certificate: String,
        /// What to wait for: a block, which a reorganisation can still undo, or a final one.
        #[arg(long, value_name = "UNTIL", default_value = "mined")]
        wait: Wait,
    },
    /// Have the committee sign one checkpoint over many blobs, which L1 verifies once for all of them.
    ///
    /// Example: holdfast cert checkpoint a.cert b.cert -o day.checkpoint --ids-out day.ids --publish
    Checkpoint(CheckpointArgs),
    /// Prove that a blob is in a checkpoint: the bytes that verifyInCheckpoint takes.
    ///
    /// Example: holdfast cert prove BLOB_ID --checkpoint day.checkpoint --ids day.ids
    Prove(ProveArgs),
    /// What ways of posting a batch cost on L1 now, side by side, and from which blob fee on each beats blobs.
    ///
    /// Example: holdfast cert cost --size 1MB --batches 720/day
    Cost(CostArgs),
}

/// How far to wait for a publication.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Wait {
    Mined,
    Finalized,
}

impl From<Wait> for Until {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::Mined => Self::Mined,
            Wait::Finalized => Self::Finalized,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    blob_id: String,
    namespace: String,
    epoch: u64,
    payload_length: u32,
    payload_digest: String,
    original_shards: u16,
    total_shards: u16,
    shards_root: String,
    fingerprints_hash: String,
    whole_until: u64,
    retain_until: u64,
    signers: Vec<u16>,
    signature: String,
    bytes: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    genuine: bool,
    acceptable: bool,
    at: u64,
    reason: Option<String>,
    on_chain: Option<String>,
}

/// A certificate's publication on L1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Published {
    pub(crate) transaction: String,
    pub(crate) block: u64,
    pub(crate) gas_used: u64,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "published     in block {}, transaction {}, gas {}", self.block, self.transaction, self.gas_used)
    }
}

pub(crate) async fn run(command: Cert, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match command {
        Cert::Show { certificate } => match Subject::read(&certificate)? {
            Subject::Certificate(certificate) => output.print(&show(&certificate), human),
            Subject::Checkpoint(certificate) => checkpoint::show(&certificate, output),
        },
        Cert::Verify { certificate, at, on_chain } => {
            let subject = Subject::read(&certificate)?;
            verify(&subject, at, on_chain, &Config::load(config)?, output).await
        }
        Cert::Publish { certificate, wait } => {
            let subject = Subject::read(&certificate)?;
            let config = Config::load(config)?;
            let committee = config.registry().await?.epoch(subject.epoch()).await?.committee.clone();
            let verified = match subject.verify(&committee) {
                Ok(verified) => verified,
                Err(error) => return fail(Exit::Verification, format!("not genuine: {error}")),
            };
            output.print(&publish(&config, &verified, wait.into()).await?, ToString::to_string)
        }
        Cert::Checkpoint(args) => checkpoint::make(&args, config, output).await,
        Cert::Prove(args) => checkpoint::prove(&args, config, output).await,
        Cert::Cost(args) => cost::cost(&args, config, output).await,
    }
}

/// Publishes a certificate or checkpoint from the configured account.
pub(crate) async fn publish(config: &Config, verified: &Verified, until: Until) -> anyhow::Result<Published> {
    let publisher = config.publisher().await?;
    let job = match verified {
        Verified::Certificate(certificate) => publisher.submit_certificate(certificate).await?,
        Verified::Checkpoint(certificate) => publisher.submit_checkpoint(certificate).await?,
    };
    let mut receipt = publisher.wait(&job.id, Until::Mined, PublisherOptions::default().receipt_limit).await?;
    if until == Until::Finalized {
        progress(format!("in block {}; waiting until that is final", receipt.block));
        receipt = publisher.wait(&job.id, Until::Finalized, FINAL_LIMIT).await?;
    }
    Ok(Published { transaction: receipt.tx_hash.to_string(), block: receipt.block, gas_used: receipt.gas_used })
}

async fn verify(
    subject: &Subject,
    asked: Option<u64>,
    on_chain: bool,
    config: &Config,
    output: Output,
) -> anyhow::Result<()> {
    let at = asked.unwrap_or_else(now);
    // One connection serves what is judged here and what the contract is asked.
    let (registry, chain): (Arc<dyn Registry>, _) = if on_chain {
        let chain = Arc::new(config.chain().await?);
        (chain.clone(), Some(chain))
    } else {
        (config.registry().await?, None)
    };
    let record = registry.epoch(subject.epoch()).await?;
    let genuine = subject.verify(&record.committee);
    let min_retention = match &genuine {
        Ok(_) => registry.namespace(subject.namespace()).await?.min_retention_at(at),
        Err(_) => 0,
    };
    let mut reason = match &genuine {
        Err(error) => Some(error.to_string()),
        Ok(_) if !record.is_accepted(at) => {
            Some(format!("certificates of epoch {} are not good at {}", subject.epoch(), human_time(at)))
        }
        Ok(_) if subject.retain_until() < at.saturating_add(min_retention) => Some(format!(
            "retained until {}, expected at least {min_retention} s after {}",
            human_time(subject.retain_until()),
            human_time(at)
        )),
        Ok(_) => None,
    };
    let status = match &chain {
        Some(chain) => Some(subject.ask(chain, asked).await?),
        None => None,
    };
    if let Some(status) = status
        && status != Status::Ok
        && reason.is_none()
    {
        reason = Some(format!("the registry says {status}"));
    }
    let verified = Judged {
        genuine: genuine.is_ok(),
        acceptable: reason.is_none(),
        at,
        reason: reason.clone(),
        on_chain: status.map(|status| status.to_string()),
    };
    output.print(&verified, |verified| {
        let mut text = format!(
            "genuine       {}\nacceptable    {} at {}\n",
            verified.genuine,
            verified.acceptable,
            human_time(at)
        );
        if let Some(status) = &verified.on_chain {
            text += &format!("on L1         {status}\n");
        }
        text
    })?;
    match reason {
        None => Ok(()),
        Some(reason) if genuine.is_ok() && subject.retain_until() < now() => fail(Exit::Expired, reason),
        Some(reason) => fail(Exit::Verification, reason),
    }
}

fn show(certificate: &Certificate) -> Shown {
    let statement = &certificate.statement;
    let blob = &statement.blob;
    Shown {
        blob_id: blob.id().to_string(),
        namespace: statement.namespace.to_string(),
        epoch: statement.epoch,
        payload_length: blob.payload_length,
        payload_digest: blob.payload_digest.to_string(),
        original_shards: blob.original_shards,
        total_shards: blob.total_shards,
        shards_root: blob.shards_root.to_string(),
        fingerprints_hash: blob.fingerprints_hash.to_string(),
        whole_until: statement.whole_until,
        retain_until: statement.retain_until,
        signers: certificate.signer_slots(),
        signature: certificate.signature().to_string(),
        bytes: certificate.encode().len(),
    }
}

fn human(shown: &Shown) -> String {
    let signers: Vec<String> = shown.signers.iter().map(|slot| format!("m{slot}")).collect();
    let dispersed = if shown.whole_until == 0 {
        "by shard".to_owned()
    } else {
        format!("by payload, whole until {}, keccak256 {}", human_time(shown.whole_until), shown.payload_digest)
    };
    format!(
        "blob id       {}\nnamespace     {}\nepoch         {}\npayload       {} ({} bytes), {dispersed}\ncode          any {} of {} shards\n\
         shards root   {}\nfingerprints  {}\nretain until  {}\nsigners       {}\nsignature     {}\nencoding      {} bytes\n",
        shown.blob_id,
        shown.namespace,
        shown.epoch,
        human_bytes(shown.payload_length.into()),
        shown.payload_length,
        shown.original_shards,
        shown.total_shards,
        shown.shards_root,
        shown.fingerprints_hash,
        human_time(shown.retain_until),
        signers.join(" "),
        shown.signature,
        shown.bytes,
    )
}
