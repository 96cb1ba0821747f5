//! When a blob is certainly not there, has expired, or is only out of reach.

use std::time::{Duration, Instant};

use holdfast_certificate::HOUR;
use holdfast_client::{Dispersal, Error, FailureReason, RetrieveOptions, Wanted};
use holdfast_erasure::{BlobId, Parameters, encode};

use crate::support::{Lie, TestCommittee, payload, stored};

#[tokio::test]
async fn not_found_is_certain_only_when_enough_members_say_so() {
    let committee = TestCommittee::start(7, 6, 2);
    let client = committee.client();
    let id = BlobId::from([9; 32]);
    let error = client.retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { what: Wanted::Blob(of), said: 6.., needed: 6 } if of == id), "{error}");
    assert!(!error.is_retryable());
    // Six say so, and one is dead: still n - k + 1.
    committee.kill(0);
    let error = client.retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    // Five say so: the other two could hold it.
    committee.lie(1, Lie::Silent);
    let deadline = Duration::from_millis(700);
    let options = RetrieveOptions::default().deadline(deadline);
    let started = Instant::now();
    let error = client.retrieve(id, options).await.unwrap_err();
    assert!(started.elapsed() < deadline + Duration::from_secs(1));
    let Error::Unknown { said: 5, needed: 6, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 7);
    assert!(matches!(failures[0].reason, FailureReason::Unreachable { .. }));
    assert!(matches!(failures[1].reason, FailureReason::NoAnswer { .. }));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn members_that_deny_a_blob_do_not_hide_it() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..5 {
        stored.committee.lie(slot, Lie::Denies);
    }
    assert_eq!(stored.reads_well().await.from, [5, 6]);
}

#[tokio::test]
async fn expired_is_told_from_never_stored() {
    let stored = stored(Dispersal::ByShard).await;
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::SaysExpired);
    }
    let error = stored.read_by_id().await.unwrap_err();
    assert!(matches!(error, Error::Expired { blob, .. } if blob == stored.id), "{error}");
    // Four liars (f = t - k) of seven are too few for it to be believed.
    for slot in 4..7 {
        stored.committee.lie(slot, Lie::Denies);
    }
    let error = stored.read_by_id().await.unwrap_err();
    assert!(!matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn a_blob_whose_retention_is_over_is_expired_even_where_members_forgot_it() {
    let committee = TestCommittee::start(4, 3, 2);
    let encoded = encode(Parameters::new(2, 4).unwrap(), payload(100), Dispersal::ByShard).unwrap();
    let certificate = committee.certify(&encoded, HOUR * 400_000);
    let error = committee.client().retrieve(&certificate, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
}

#[tokio::test]
async fn data_that_members_dropped_in_time_is_expired_and_not_merely_out_of_reach() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let stored = stored(dispersal).await;
        for slot in 0..6 {
            stored.committee.lie(slot, Lie::DataExpired);
        }
        stored.committee.kill(6);
        let error = stored.read_by_id().await.unwrap_err();
        assert!(matches!(error, Error::Expired { blob, .. } if blob == stored.id), "{error}");
        // As many as may lie (f = 4) are not believed, and too few shards are left.
        for slot in 4..6 {
            stored.committee.lie(slot, Lie::Damaged);
        }
        let error = stored.read_by_id().await.unwrap_err();
        assert!(matches!(error, Error::NotRetrievable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_whole_payload_that_expired_does_not_make_silent_shards_expired() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..7 {
        stored.committee.lie(slot, Lie::WholeExpired);
    }
    let options = RetrieveOptions::default().deadline(Duration::from_secs(2));
    let error = stored.client.retrieve(&stored.certificate, options).await.unwrap_err();
    assert!(matches!(error, Error::NotRetrievable { .. }), "{error}");
}
