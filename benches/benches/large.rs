//! Storing on large committees: 20 and 94 members in this process, each with its own RocksDB and a sync before it signs. A figure is
//! the time from the payload to the verified certificate, one after the other.

use std::time::{Duration, Instant};

use holdfast_benches::{Table, payload, percentile};
use holdfast_client::{Client, Config, DisperseOptions, RetrieveOptions};
use holdfast_testing::{Committee, Setup};
use tokio::runtime::Runtime;

const WARM_UP: usize = 5;
const ROUNDS: usize = 60;
/// How long one store may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let table = Table::begin(
        "Stores by shard on large committees in one process",
        &["members", "t", "k", "payload", "p50 ms", "p90 ms", "longest ms", "read p50 ms"],
    );
    for (members, threshold, original) in [(20, 17, 3), (94, 80, 14)] {
        runtime.block_on(measure(&table, members, threshold, original));
    }
}

async fn measure(table: &Table, members: u16, threshold: u16, original: u16) {
    let setup = Setup::of(members, threshold, original);
    let setup = setup.settings(|config| {
        config.policy.namespace_quota_gib_days = 1 << 40;
        // All members are at one address here, and hear each other's lists once, at their start: every minute, as they do
        // otherwise, a hundred of them in one process would do little else.
        config.policy.repair_delay = Duration::from_secs(600);
        config.limits.connections = 1024;
        config.limits.connections_per_address = 512;
    });
    let committee = Committee::start_with(setup).await.expect("the members start");
    let builder = Client::builder().registry(committee.registry()).namespace(committee.namespace());
    // On a machine that is busy with other things a hundred members may take their time: that is a figure, and no failure.
    let config = Config::default().disperse_deadline(PATIENCE).connect_timeout(PATIENCE);
    let client = builder.disperser(committee.disperser()).config(config).build().expect("a client");
    let mut number = 0;
    for length in [1000, 1_000_000] {
        let (mut stores, mut reads): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
        for round in 0..WARM_UP + ROUNDS {
            let payload = payload(length, &mut number);
            let started = Instant::now();
            let put = client.disperse(payload, DisperseOptions::by_shard()).await.expect("a certificate");
            let stored = started.elapsed();
            // The slow members of one round are not measured in the next.
            client.drain().await;
            let started = Instant::now();
            client.retrieve(&put.certificate, RetrieveOptions::default()).await.expect("a payload");
            if round >= WARM_UP {
                stores.push(stored);
                reads.push(started.elapsed());
            }
        }
        table.row(&[
            members.to_string(),
            threshold.to_string(),
            original.to_string(),
            length.to_string(),
            format!("{:.1}", percentile(&mut stores, 0.5)),
            format!("{:.1}", percentile(&mut stores, 0.9)),
            format!("{:.1}", percentile(&mut stores, 1.0)),
            format!("{:.1}", percentile(&mut reads, 0.5)),
        ]);
    }
    client.close().await;
    committee.close().await.expect("the members stop");
}
