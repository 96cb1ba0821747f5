//! What a chain's server does with its batches, and what the chain's validator says of them.

use std::time::Duration;

use chrono::DateTime;
use holdfast_zksync::{Holdfast, Options, Proof};
use zksync_da_client::DataAvailabilityClient;
use zksync_types::web3::keccak256;

use crate::devnet::Devnet;

/// Pubdata of a batch as large as the server makes them by default.
const PUBDATA: usize = 100_000;

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(step).collect()
}

/// The client as a server keeps it.
async fn client(url: &str, proof: Proof) -> Box<dyn DataAvailabilityClient> {
    Box::new(Holdfast::connect(url, Options { proof, ..Options::default() }).await.unwrap())
}

/// What a dispatcher does with one batch, up to what the chain's validator is shown.
async fn dispatched(client: &dyn DataAvailabilityClient, number: u32, pubdata: &[u8]) -> (String, Vec<u8>) {
    let request = client.dispatch_blob(number, pubdata.to_vec()).await.unwrap().request_id;
    let again = client.dispatch_blob(number, pubdata.to_vec()).await.unwrap().request_id;
    assert_eq!(again, request, "the same batch is the same request");
    let now = DateTime::from_timestamp(0, 0).unwrap();
    let blob = client.ensure_finality(request, now).await.unwrap().expect("certified").blob_id;
    for _ in 0..600 {
        if let Some(inclusion) = client.get_inclusion_data(&blob).await.unwrap() {
            return (blob, inclusion.data);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never included");
}

/// What the validator says of a batch: the hash of the state differences where it is available.
async fn judged(devnet: &Devnet, pubdata: &[u8], inclusion: &[u8]) -> Option<[u8; 32]> {
    let state_diffs = keccak256(b"the state differences");
    let output_hash = keccak256(&[state_diffs, keccak256(pubdata)].concat());
    devnet.check_da(output_hash, &[&state_diffs[..], inclusion].concat()).await
}

#[tokio::test]
async fn a_batch_is_dispatched_once_and_the_chains_validator_takes_what_the_adapter_gives() {
    let devnet = Devnet::up();
    let state_diffs = keccak256(b"the state differences");
    for (number, proof) in [(1, Proof::Certificate), (2, Proof::Checkpoint)] {
        let gateway = devnet.gateway(proof == Proof::Checkpoint);
        let client = client(&gateway.url, proof).await.clone();
        assert_eq!(client.blob_size_limit(), Some(32 << 20));
        assert_eq!(client.balance().await.unwrap(), 0);
        let pubdata = noise(PUBDATA, number.into());
        let (blob, inclusion) = dispatched(client.as_ref(), number, &pubdata).await;
        assert_eq!(judged(&devnet, &pubdata, &inclusion).await, Some(state_diffs), "{proof:?}");
        // Of other pubdata it proves nothing, and bent it proves nothing at all.
        assert_eq!(judged(&devnet, &noise(PUBDATA, 99), &inclusion).await, None, "{proof:?}");
        for at in [0, 1, 40, inclusion.len() / 2, inclusion.len() - 1] {
            let mut bent = inclusion.clone();
            bent[at] ^= 1;
            assert_eq!(judged(&devnet, &pubdata, &bent).await, None, "{proof:?}: bent at {at}");
        }
        // An external node reads the same bytes by the id that the dispatcher has kept.
        assert!(gateway.read(&blob).await == pubdata);
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_what_will_not_is_said() {
    let devnet = Devnet::up();
    let gateway = devnet.gateway(false);
    let client = client(&gateway.url, Proof::Certificate).await;
    let now = DateTime::from_timestamp(0, 0).unwrap();
    let never = format!("0x{}", "ab".repeat(32));
    let error =
        client.ensure_finality(never.clone(), now).await.err().expect("certainly not there: dispatched once more");
    assert!(!error.is_retriable() && error.to_string().contains("404"), "{error}");
    let error = client.dispatch_blob(1, Vec::new()).await.err().expect("empty");
    assert!(!error.is_retriable() && error.to_string().contains("400"), "{error}");
    let error = client.dispatch_blob(1, noise((32 << 20) + 1, 1)).await.err().expect("too large");
    assert!(!error.is_retriable(), "{error}");
    let checkpoints = self::client(&gateway.url, Proof::Checkpoint).await;
    let request = client.dispatch_blob(2, noise(1000, 2)).await.unwrap().request_id;
    let error = checkpoints.get_inclusion_data(&request).await.err().expect("this gateway makes none");
    assert!(!error.is_retriable() && error.to_string().contains("501"), "{error}");

    devnet.crash(&["m0", "m1"]);
    let error = client.dispatch_blob(3, noise(1000, 3)).await.err().expect("below the quorum");
    assert!(error.is_retriable() && error.to_string().contains("503"), "{error}");
    let unsure = client.ensure_finality(never, now).await.unwrap();
    assert!(unsure.is_none(), "five of seven cannot be certain: asked again");
    drop(gateway);
    let error = client.dispatch_blob(4, noise(1000, 4)).await.err().expect("nobody is there");
    assert!(error.is_retriable(), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "a URL may hold credentials: {error}");
}
