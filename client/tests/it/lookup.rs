//! Looking up blobs and their certificates among members that deny, lie and keep silent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use holdfast_certificate::HOUR;
use holdfast_client::{Dispersal, DisperseOptions, Error, LookupOptions, Wanted};
use holdfast_erasure::{BlobId, Digest, Parameters, encode, keccak256};

use crate::support::{Lie, TestCommittee, TestRegistry, payload};

const LENGTH: usize = 50_000;

fn any() -> LookupOptions {
    LookupOptions::default().enough(0).deadline(Duration::from_secs(3))
}

#[tokio::test]
async fn a_certificate_is_found_by_digest_and_by_id_whoever_lies() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let put = client.disperse(payload(LENGTH), DisperseOptions::by_payload()).await.unwrap();
    client.drain().await;
    let (id, digest) = (put.certificate.statement.blob.id(), keccak256(&payload(LENGTH)));
    for lie in [Lie::None, Lie::Denies, Lie::OtherCommitment, Lie::ListsNoise, Lie::Bloated, Lie::SaysExpired] {
        for slot in 0..5 {
            committee.lie(slot, lie);
        }
        for wanted in [Wanted::Payload(digest), Wanted::Blob(id)] {
            let begun = Instant::now();
            let found = client.lookup(wanted, any()).await.unwrap_or_else(|error| panic!("{lie:?}: {error}"));
            assert_eq!(found[0].blob.id(), id, "{lie:?}");
            assert_eq!(found[0].certificates[0].statement, put.certificate.statement, "{lie:?}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{lie:?}: nobody is waited for once it is found");
        }
    }
}

#[tokio::test]
async fn what_nobody_has_is_not_found_and_what_too_few_deny_is_unknown() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let wanted = [Wanted::Payload(Digest::from([9; 32])), Wanted::Blob(BlobId::from([9; 32]))];
    for wanted in wanted {
        let error = client.lookup(wanted, any()).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { said: 6.., needed: 6, .. }), "{error}");
    }
    committee.kill(0);
    committee.kill(1);
    for wanted in wanted {
        let error = client.lookup(wanted, any()).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { said: 5, needed: 6, .. }), "{error}");
        assert!(error.is_retryable() && !error.failures().is_empty());
    }
    committee.restart(0);
    committee.lie(1, Lie::Silent);
    committee.restart(1);
    // Six say no: nobody waits for the silent one.
    let begun = Instant::now();
    let error = client.lookup(wanted[0], any()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { said: 6, .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_latest_retention_comes_first_and_only_what_holds_long_enough_ends_the_search() {
    let committee = TestCommittee::start(4, 3, 2);
    let client = committee.client();
    let soon = 600_000 * HOUR;
    for retain_until in [soon, soon + 24 * HOUR, soon + HOUR] {
        let options = DisperseOptions::by_payload().retain_until(retain_until);
        client.disperse(payload(LENGTH), options).await.unwrap();
        client.drain().await;
    }
    let wanted = Wanted::Payload(keccak256(&payload(LENGTH)));
    let found = client.lookup(wanted, LookupOptions::default()).await.unwrap();
    assert_eq!(found.len(), 1);
    let first = found[0].certificates.first().map(|certificate| certificate.statement.retain_until);
    assert_eq!(first, Some(soon + 24 * HOUR));
    let enough = any().enough(soon + 24 * HOUR);
    let found = client.lookup(wanted, enough).await.unwrap();
    assert!(found[0].certificates.iter().any(|it| it.statement.retain_until == soon + 24 * HOUR));
}

#[tokio::test]
async fn a_blob_of_an_epoch_before_is_found_there_and_not_in_the_active_one() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 4, 3, 2, Arc::clone(&registry));
    let client = old.client();
    let put = client.disperse(payload(LENGTH), DisperseOptions::by_payload()).await.unwrap();
    client.drain().await;
    let new = TestCommittee::start_epoch(3, 7, 6, 2, registry);
    let reader = new.client();
    let wanted = Wanted::Payload(keccak256(&payload(LENGTH)));
    let found = reader.lookup(wanted, any()).await.unwrap();
    assert_eq!(found[0].certificates[0].statement, put.certificate.statement);
    let active = any().active_epoch_only();
    assert!(matches!(reader.lookup(wanted, active).await, Err(Error::NotFound { .. })));
    // Its members away, that nobody has it is not certain.
    for slot in 0..4 {
        old.kill(slot);
    }
    let error = reader.lookup(wanted, any()).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { said: 0, .. }), "{error}");
    let error = reader.lookup(Wanted::Payload(Digest::from([9; 32])), any()).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn a_blob_without_a_certificate_is_found_without_one() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    committee.lie(0, Lie::WritesDisabled);
    committee.lie(1, Lie::WritesDisabled);
    client.disperse(payload(LENGTH), DisperseOptions::by_payload()).await.unwrap_err();
    let found = client.lookup(Wanted::Payload(keccak256(&payload(LENGTH))), any()).await.unwrap();
    assert_eq!((found.len(), found[0].certificates.len()), (1, 0));
    assert_eq!(found[0].blob.payload_digest, keccak256(&payload(LENGTH)));
}

#[tokio::test]
async fn a_blob_that_one_member_makes_up_is_denied_by_the_others() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let encoded = encode(Parameters::new(2, 7).unwrap(), payload(LENGTH), Dispersal::ByPayload).unwrap();
    committee.members[3].know(encoded.commitment().clone());
    for wanted in [Wanted::Payload(keccak256(&payload(LENGTH))), Wanted::Blob(encoded.id())] {
        let error = client.lookup(wanted, any()).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { said: 6, needed: 6, .. }), "{error}");
    }
    // One fewer denies it, and it may exist.
    committee.kill(0);
    let found = client.lookup(Wanted::Blob(encoded.id()), any()).await.unwrap();
    assert_eq!((found[0].blob.id(), found[0].certificates.len()), (encoded.id(), 0));
}
