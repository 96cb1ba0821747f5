//! `holdfast demo`: the main job from end to end, with members dying and lying.

mod checkpoint;
mod governance;
mod opening;
mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Args;
use holdfast_certificate::{CommitteeParameters, VerifiedCertificate};
use holdfast_client::{Client, DisperseOptions, Error, MemberFailure, RetrieveOptions, Retrieved};
use holdfast_erasure::Dispersal;
use holdfast_l1::Until;
use holdfast_registry::Status;
use report::{Outcome, Report};

use crate::{
    cert,
    config::Config,
    devnet::{Fault, L1Kind, Layout, State, UpArgs, break_member, up},
    exit::{Exit, fail},
    files::{self, Source},
    output::{Output, progress},
    shutdown::Shutdown,
};

/// What the demo runs on where no file is given (testdata/README.md).
const BATCH: &[u8] = include_bytes!("../../testdata/op-batcher-tx.bin");
const MEMBERS: u16 = 7;
const THRESHOLD: u16 = 6;
const ORIGINAL_SHARDS: u16 = 2;
const KILLED: usize = 5;

/// What to run the demo on.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The payload; without it a real batch of an OP Stack rollup, which this program carries along.
    file: Option<PathBuf>,
    /// Keep the committee's data, keys and logs in this folder instead of a temporary one.
    #[arg(long)]
    keep: Option<PathBuf>,
}

pub(crate) async fn run(args: &DemoArgs, output: Output) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(false)?;
    let (name, payload) = match &args.file {
        Some(file) => {
            let payload = Source::open(file)?.read_payload(CommitteeParameters::DEFAULT_MAX_PAYLOAD.into())?;
            (files::name(file), Bytes::from(payload))
        }
        None => ("a transaction of an OP Stack batcher".to_owned(), Bytes::from_static(BATCH)),
    };
    let temporary = tempfile::Builder::new().prefix("holdfast-demo-").tempdir().context("no temporary folder")?;
    let layout = Layout::new(&args.keep.clone().unwrap_or_else(|| temporary.path().join("devnet")));
    progress(format!("Holdfast demo: {name} ({} bytes), n={MEMBERS} t={THRESHOLD} k={ORIGINAL_SHARDS}", payload.len()));
    let mut report = Report::default();
    // Until it has made the devnet, the first step itself stops what it started when it is interrupted.
    let outcome = match start(&layout, &shutdown, &mut report).await {
        Ok(state) => tokio::select! {
            outcome = steps(&layout, state, &payload, &mut report) => outcome,
            () = shutdown.requested() => fail(Exit::Other, "interrupted"),
        },
        Err(error) => Err(error),
    };
    // However it ended, nothing is left running; a process that could not be noted ends with this one.
    if let Ok(mut state) = State::load(&layout) {
        up::stop(&layout, &mut state).await?;
        ensure!(!state.is_running(), "processes are still running");
    }
    output.print(&report, |report| format!("\n{}", report.text()))?;
    outcome?;
    progress("every step held; nothing is left running");
    Ok(())
}

async fn start(layout: &Layout, shutdown: &Shutdown, report: &mut Report) -> anyhow::Result<State> {
    let args = UpArgs {
        dir: layout.dir().to_owned(),
        members: Some(MEMBERS),
        threshold: Some(THRESHOLD),
        original_shards: Some(ORIGINAL_SHARDS),
        l1: Some(L1Kind::Embedded),
        gateway: Vec::new(),
        tls: Vec::new(),
        network: None,
    };
    report
        .step("start L1 and 7 members, register keys and committee", async {
            let state = up::create(layout, &args, true, shutdown).await?;
            let registry = state.l1.as_ref().map(|l1| l1.registry.clone()).unwrap_or_default();
            Ok((state, Outcome::new(format!("{MEMBERS} processes serve; registry {registry}"))))
        })
        .await
}

async fn steps(layout: &Layout, mut state: State, payload: &Bytes, report: &mut Report) -> anyhow::Result<()> {
    let config = Config::load(Some(&layout.client_config()))?;
    let client = config.disperser(None).await?;

    let by_shard = disperse(&client, payload, Dispersal::ByShard, "put by shard", report).await?;
    let by_payload = disperse(&client, payload, Dispersal::ByPayload, "put by payload", report).await?;
    verify(&config, &[&by_shard, &by_payload], report).await?;
    checkpoint::checkpoint(&config, &client, &[&by_shard, &by_payload], report).await?;
    opening::open(&config.chain().await?, payload, &by_payload, report).await?;
    lie_and_damage(layout, &mut state, &client, payload, &by_shard, report).await?;
    let killed = kill_five(layout, &mut state, &client, payload, &[&by_shard, &by_payload], report).await?;
    put_fails(&client, payload, report).await?;
    restart(layout, &mut state, &client, &killed, &[&by_shard, &by_payload], report).await?;
    repair(&client, payload, &by_shard, report).await?;
    governance::govern(&config, &client, &by_shard, report).await?;
    client.close().await;
    Ok(())
}

async fn disperse(
    client: &Client,
    payload: &Bytes,
    dispersal: Dispersal,
    step: &str,
    report: &mut Report,
) -> anyhow::Result<VerifiedCertificate> {
    report
        .step(step, async {
            let started = Instant::now();
            let dispersed = client.disperse(payload.clone(), DisperseOptions::by(dispersal)).await?;
            let certificate = dispersed.certificate;
            let encoded = certificate.encode();
            let outcome = Outcome::new(format!(
                "certificate of {} bytes, {} of {MEMBERS} signatures\nblob id {}\ncertificate 0x{}",
                encoded.len(),
                certificate.signer_slots().len(),
                certificate.statement.blob.id(),
                hex::encode(&encoded),
            ))
            .bytes(payload.len())
            .since(started);
            client.drain().await;
            Ok((certificate, outcome))
        })
        .await
}

async fn verify(config: &Config, certificates: &[&VerifiedCertificate], report: &mut Report) -> anyhow::Result<()> {
    let chain = config.chain().await?;
    let committee = config.registry().await?.epoch(certificates[0].statement.epoch).await?.committee.clone();
    report
        .step("verify the certificates locally", async {
            let started = Instant::now();
            for certificate in certificates {
                holdfast_certificate::Certificate::decode(&certificate.encode())?.verify(&committee)?;
            }
            Ok(((), Outcome::new("both genuine: decoded, one pairing check each").since(started)))
        })
        .await?;
    for (certificate, step) in
        certificates.iter().zip(["verify and publish on L1 (by shard)", "verify and publish on L1 (by payload)"])
    {
        report
            .step(step, async {
                let status = chain.verify_on_chain(certificate, None).await?;
                ensure!(status == Status::Ok, "the registry says {status}, expected OK");
                let mut forged = holdfast_certificate::Certificate::clone(certificate);
                forged.statement.retain_until += holdfast_certificate::HOUR;
                let refused = chain.verify_on_chain(&forged, None).await?;
                ensure!(
                    refused == Status::BadSignature,
                    "a forged retention date gave {refused}, expected BAD_SIGNATURE"
                );
                let published =
                    cert::publish(config, &cert::Verified::Certificate(Box::new(**certificate)), Until::Mined).await?;
                let result = format!(
                    "{status}; published in block {}, {} gas; retention forged: {refused}",
                    published.block, published.gas_used
                );
                Ok(((), Outcome::new(result)))
            })
            .await?;
    }
    Ok(())
}

/// One member serves another shard than it was given, another's disk flips a bit: exactly the two that hold the original
/// shards, which every reader asks first.
async fn lie_and_damage(
    layout: &Layout,
    state: &mut State,
    client: &Client,
    payload: &Bytes,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    let blob = certificate.statement.blob;
    let holders = original_holders(certificate)?;
    let [liar, damaged] = holders[..] else { anyhow::bail!("expected two original shards, got {}", holders.len()) };
    let step = format!("m{liar} lies, a bit flips in m{damaged}'s shard; read back");
    let id = blob.id().to_string();
    report
        .step(&step, async {
            break_member(layout, state, &format!("m{liar}"), Fault::WrongShard, Some(&id)).await?;
            break_member(layout, state, &format!("m{damaged}"), Fault::Bitflip, Some(&id)).await?;
            let started = Instant::now();
            let retrieved = read(client, certificate, payload).await?;
            let mut named: Vec<u16> = retrieved.faults.iter().map(|fault| fault.slot).collect();
            named.sort_unstable();
            let mut expected = holders.clone();
            expected.sort_unstable();
            ensure!(named == expected, "the reader named {named:?}, expected {expected:?}");
            let faults: Vec<String> = retrieved.faults.iter().map(ToString::to_string).collect();
            let result = format!("right; both named; shards from {}\n{}", slots(&retrieved.from), faults.join("\n"));
            Ok(((), Outcome::new(result).bytes(retrieved.payload.len()).since(started)))
        })
        .await
}

/// Kills five of seven, the liar and the damaged member among them, so that two honest ones are left.
async fn kill_five(
    layout: &Layout,
    state: &mut State,
    client: &Client,
    payload: &Bytes,
    certificates: &[&VerifiedCertificate],
    report: &mut Report,
) -> anyhow::Result<Vec<String>> {
    let mut order = original_holders(certificates[0])?;
    order.extend((0..MEMBERS).filter(|slot| !order.contains(slot)).collect::<Vec<_>>());
    let killed: Vec<String> = order[..KILLED].iter().map(|slot| format!("m{slot}")).collect();
    let step = format!("kill -9 {}; read from the two left", killed.join(" "));
    report
        .step(&step, async {
            for name in &killed {
                break_member(layout, state, name, Fault::Crash, None).await?;
            }
            let started = Instant::now();
            for certificate in certificates {
                read(client, certificate, payload).await?;
            }
            Ok(((), Outcome::new("both blobs, every byte right").bytes(2 * payload.len()).since(started)))
        })
        .await?;
    Ok(killed)
}

async fn put_fails(client: &Client, payload: &Bytes, report: &mut Report) -> anyhow::Result<()> {
    // One byte more than what is stored: another blob.
    let other = Bytes::from([payload.as_ref(), b"!"].concat());
    report
        .step("put with five members dead: refused, a reason per member", async {
            match client.disperse(other, DisperseOptions::by_shard()).await {
                Err(Error::QuorumNotReached { needed, attested, failures }) => {
                    ensure!(failures.len() >= KILLED, "{} reasons, expected one for each of {KILLED}", failures.len());
                    let reasons: Vec<String> = failures.iter().map(ToString::to_string).collect();
                    Ok((
                        (),
                        Outcome::new(format!("quorum not reached: {attested} of {needed}\n{}", reasons.join("\n"))),
                    ))
                }
                Err(error) => Err(error.into()),
                Ok(_) => anyhow::bail!("a certificate came from two members, expected none below {THRESHOLD}"),
            }
        })
        .await
}

/// Starts the killed members again and asks each for what it signed.
async fn restart(
    layout: &Layout,
    state: &mut State,
    client: &Client,
    killed: &[String],
    certificates: &[&VerifiedCertificate],
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut faulty = original_holders(certificates[0])?;
    report
        .step("restart the killed members; check what each holds", async {
            for name in killed {
                up::start_member(layout, state, name, true).await?;
            }
            let started = Instant::now();
            let mut refused = Vec::new();
            for certificate in certificates {
                refused.extend(audit(client, certificate).await?);
            }
            let mut named: Vec<u16> = refused.iter().map(|failure| failure.slot).collect();
            named.sort_unstable();
            faulty.sort_unstable();
            ensure!(named == faulty, "the shards of {named:?} were refused, expected only those of {faulty:?}");
            let held = certificates.len() * usize::from(MEMBERS) - refused.len();
            let result = format!("{held} shards accepted, none lost; only the two tampered ones are refused");
            Ok(((), Outcome::new(result).since(started)))
        })
        .await
}

/// Storing the same payload again mends the two tampered copies.
async fn repair(
    client: &Client,
    payload: &Bytes,
    certificate: &VerifiedCertificate,
    report: &mut Report,
) -> anyhow::Result<()> {
    report
        .step("put the same payload again: repairs both copies", async {
            let options = DisperseOptions::by_shard().retain_until(certificate.statement.retain_until);
            let again = client.disperse(payload.clone(), options).await?.certificate;
            ensure!(again.statement == certificate.statement, "the same payload gave another statement");
            client.drain().await;
            if let Some(failure) = audit(client, certificate).await?.first() {
                anyhow::bail!("a shard is still refused: {failure}");
            }
            Ok(((), Outcome::new(format!("{MEMBERS} of {MEMBERS} shards accepted")).bytes(payload.len())))
        })
        .await
}

async fn read(client: &Client, certificate: &VerifiedCertificate, payload: &Bytes) -> anyhow::Result<Retrieved> {
    let retrieved = client.retrieve(certificate, RetrieveOptions::default()).await?;
    ensure!(retrieved.payload == *payload, "the payload read back differs from FILE");
    Ok(retrieved)
}

/// Asks every member for its shard of a blob; those whose shard was not accepted, with the reason.
async fn audit(client: &Client, certificate: &VerifiedCertificate) -> anyhow::Result<Vec<MemberFailure>> {
    let options = RetrieveOptions::default().audit();
    Ok(client.retrieve(certificate, options).await?.failures)
}

/// The slots that hold a blob's original shards, in the order of the shards.
fn original_holders(certificate: &VerifiedCertificate) -> anyhow::Result<Vec<u16>> {
    let blob = certificate.statement.blob;
    let parameters = blob.parameters()?;
    (0..parameters.original_shards())
        .map(|index| Ok(parameters.slot_of_shard(parameters.index(index)?, &blob.shards_root)))
        .collect()
}

fn slots(slots: &[u16]) -> String {
    slots.iter().map(|slot| format!("m{slot}")).collect::<Vec<_>>().join(" ")
}
