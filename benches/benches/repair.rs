//! A member that has lost its disk and becomes whole again: of five in this process (t = 4, k = 2), which share its cores with it.
//! What it fetches is bounded only by what the machine can do, and once by the bound that members have by default.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use holdfast_benches::{Table, payload};
use holdfast_client::{Client, DisperseOptions, MemberInfo, RetrieveOptions};
use holdfast_committee::{Config, config::Policy};
use holdfast_testing::{Committee, Setup};
use tokio::runtime::Runtime;

/// The member that loses its disk.
const SLOT: u16 = 4;
/// How long a member may take that stands still.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let table = Table::begin(
        "A member made whole again",
        &[
            "payload",
            "blobs",
            "bound",
            "blobs/s",
            "MB/s of shards",
            "MB/s fetched",
            "CPU ms a blob",
            "s",
            "s foretold half-way",
        ],
    );
    for (length, count, bound) in [
        (1000, 3000, None),
        (100_000, 1500, None),
        (1_000_000, 300, None),
        (8_000_000, 50, None),
        (1_000_000, 300, Some(Policy::default().repair_mib_per_second)),
    ] {
        let change: fn(&mut Config) = if bound.is_some() { soon } else { unbounded };
        let made = runtime.block_on(made_whole(length, count, change));
        let seconds = made.took.as_secs_f64();
        let (shards, rate) =
            ((length as f64 / 2.0) * made.counted as f64 / 1e6 / seconds, made.counted as f64 / seconds);
        table.row(&[
            length.to_string(),
            count.to_string(),
            bound.map_or_else(|| "none".to_owned(), |mib| format!("{mib} MiB/s")),
            format!("{rate:.0}"),
            format!("{shards:.1}"),
            format!("{:.1}", shards * 2.0),
            format!("{:.2}", made.processor.as_secs_f64() * 1e3 / made.counted as f64),
            format!("{:.1}", made.halfway.map_or(0.0, |(_, left)| left)),
            made.halfway.map_or_else(|| "-".to_owned(), |(eta, _)| eta.to_string()),
        ]);
    }
}

/// As members are, but that they begin at once; and without the day's quota, which a bench exceeds.
fn soon(config: &mut Config) {
    config.policy.repair_delay = Duration::from_millis(200);
    config.policy.namespace_quota_gib_days = 1 << 40;
}

fn unbounded(config: &mut Config) {
    soon(config);
    config.policy.repair_mib_per_second = u32::MAX >> 12;
}

struct Made {
    counted: u64,
    took: Duration,
    /// Processor time of all five members meanwhile, and of who looks on.
    processor: Duration,
    /// How many seconds it said that were left when half was done, and how many there were.
    halfway: Option<(u64, f64)>,
}

async fn made_whole(length: usize, count: usize, change: fn(&mut Config)) -> Made {
    let mut committee = Committee::start_with(Setup::of(5, 4, 2).settings(change)).await.expect("the members start");
    let client = Client::builder().registry(committee.registry()).namespace(committee.namespace());
    let client = client.disperser(committee.disperser()).build().expect("a client");
    let mut number = 0;
    let payloads = std::iter::repeat_with(|| payload(length, &mut number)).take(count);
    let mut certificates = stream::iter(payloads)
        .map(|payload| async {
            client.disperse(payload, DisperseOptions::by_shard()).await.expect("a certificate").certificate
        })
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
    client.drain().await;
    committee.stop(SLOT).await.expect("stops");
    fs::remove_dir_all(committee.data_dir(SLOT)).expect("removed");
    committee.restart(SLOT).await.expect("starts");

    // From the first that is whole to the last: what was waited for before is the time that a live upload has.
    let (mut first, mut halfway, mut last): (_, Option<(Instant, u64)>, _) = (None, None, (Instant::now(), 0));
    let mut processor = Duration::ZERO;
    loop {
        let Some(info) = info(&client).await else { continue };
        let (now, done) = (Instant::now(), info.repair.repaired);
        if done > last.1 {
            last = (now, done);
        }
        if done > 0 && first.is_none() {
            first = Some((now, done));
            processor = holdfast_benches::processor();
        }
        if halfway.is_none() && done >= count as u64 / 2 {
            halfway = info.repair.eta_seconds.map(|eta| (now, eta));
        }
        if info.repair.queued == 0 && done >= count as u64 {
            break;
        }
        assert!(last.0.elapsed() < PATIENCE, "it stands still: {:?}", info.repair);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let (began, before) = first.expect("something was made whole");
    let made = Made {
        counted: last.1 - before,
        took: last.0 - began,
        processor: holdfast_benches::processor().saturating_sub(processor),
        halfway: halfway.map(|(at, eta)| (eta, (last.0 - at).as_secs_f64())),
    };
    // It is whole: with one other it is enough.
    for slot in [1, 2, 3] {
        committee.stop(slot).await.expect("stops");
    }
    let certificate = certificates.swap_remove(count / 2);
    client.retrieve(&certificate, RetrieveOptions::default()).await.expect("from the member that was repaired");
    client.close().await;
    committee.close().await.expect("stops");
    made
}

async fn info(client: &Client) -> Option<MemberInfo> {
    let members = client.status().await.expect("a registry");
    members.into_iter().find(|member| member.slot == SLOT).and_then(|member| member.info.ok())
}
