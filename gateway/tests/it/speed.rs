//! What the gateway adds to the SDK. Ignored: figures of a busy machine say nothing.
//!
//! ```console
//! cargo test --release --workspace --test it speed -- --ignored --nocapture
//! ```

use std::time::{Duration, Instant};

use holdfast_certificate::DisperserKey;
use holdfast_client::{Client, DisperseOptions};

use crate::support::{Committee, commitment, payload};

const ROUNDS: u64 = 30;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_put_takes_little_more_than_the_sdk_and_a_cached_get_little_at_all() {
    let committee = Committee::start().await;
    let gateway = committee.gateway().await;
    let text = std::fs::read_to_string(committee.folder().join("disperser.key")).unwrap();
    let mut secret = [0; 32];
    hex::decode_to_slice(text, &mut secret).unwrap();
    let builder = Client::builder().registry(std::sync::Arc::clone(&committee.registry)).namespace(committee.namespace);
    let client = builder.disperser(DisperserKey::from_bytes(&secret).unwrap()).build().unwrap();
    for length in [120_000, 1_000_000] {
        let (mut by_sdk, mut by_gateway) = (Vec::new(), Vec::new());
        // In turns, so that both see the same machine.
        for round in 0..ROUNDS {
            let (one, other) = (payload(length, 2 * round), payload(length, 2 * round + 1));
            let begun = Instant::now();
            client.disperse(one, DisperseOptions::by_payload()).await.unwrap();
            by_sdk.push(begun.elapsed());
            client.drain().await;
            let begun = Instant::now();
            gateway.op_put(&other).await.ok();
            by_gateway.push(begun.elapsed());
        }
        let (sdk, through) = (median(by_sdk), median(by_gateway));
        println!(
            "PUT of {length} bytes: SDK {sdk:?}, gateway {through:?}, {:.2}",
            through.as_secs_f64() / sdk.as_secs_f64()
        );
    }
    let kept = payload(1_000_000, 1000);
    gateway.op_put(&kept).await.ok();
    let path = format!("/get/0x{}", commitment(&kept));
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        gateway.get("op", &path).await.ok();
        times.push(begun.elapsed());
    }
    println!("cached GET of 1,000,000 bytes: {:?}", median(times));
    gateway.running.stop().await;
}
