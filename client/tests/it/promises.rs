//! Signers that deny what they have signed for: at fault, and no proof that there is nothing.

use std::time::Duration;

use holdfast_certificate::HOUR;
use holdfast_client::{Blame, Denial, Dispersal, Error, FailureReason, Fault, RetrieveOptions};
use holdfast_erasure::{Parameters, encode};

use crate::support::{Lie, TestCommittee, payload, stored, stored_for_the_patient};

#[tokio::test]
async fn emptied_members_break_a_promise_and_do_not_make_a_certified_blob_a_missing_one() {
    let stored = stored(Dispersal::ByShard).await;
    stored.committee.members.iter().for_each(|member| member.forget());
    let signers = stored.certificate.signer_slots();
    let error = stored.read().await.unwrap_err();
    let Error::PromiseBroken { blob, said, needed: 6, failures } = &error else { panic!("{error}") };
    assert!(*blob == stored.id && *said >= 6, "{error}");
    assert_eq!((error.blame(), error.is_retryable()), (Blame::Committee, false));
    for failure in failures.iter().filter(|failure| matches!(failure.reason, FailureReason::Fault(_))) {
        assert!(signers.contains(&failure.slot), "{failure}");
        let FailureReason::Fault(Fault::BrokenPromise { until, said: Denial::NeverStored }) = failure.reason else {
            panic!("{failure}")
        };
        assert_eq!(until, stored.certificate.statement.retain_until);
    }
    assert!(failures.iter().filter(|failure| matches!(failure.reason, FailureReason::Fault(_))).count() >= 5);
    // By its id alone nothing says that it ever was.
    let error = stored.read_by_id().await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_single_signer_that_denies_is_named_and_the_read_goes_on() {
    for (lie, denial) in [(Lie::Denies, Denial::NeverStored), (Lie::SaysExpired, Denial::Expired)] {
        let stored = stored_for_the_patient(Dispersal::ByShard).await;
        let signer = stored.certificate.signer_slots()[2];
        stored.committee.lie(signer, lie);
        let read = stored.client.retrieve(&stored.certificate, RetrieveOptions::default().audit()).await.unwrap();
        assert_eq!(read.payload, stored.payload);
        let [fault] = read.faults.as_slice() else { panic!("{:?}", read.faults) };
        assert_eq!(fault.slot, signer);
        assert!(matches!(fault.reason, Fault::BrokenPromise { said, .. } if said == denial), "{fault}");
        // Without the certificate it is a member's answer as any other.
        let read = stored.client.retrieve(stored.id, RetrieveOptions::default().audit()).await.unwrap();
        assert!(read.faults.is_empty(), "{:?}", read.faults);
    }
}

#[tokio::test]
async fn members_that_say_expired_long_before_the_time_break_their_promise() {
    let stored = stored(Dispersal::ByShard).await;
    for lie in [Lie::SaysExpired, Lie::DataExpired] {
        for slot in 0..7 {
            stored.committee.lie(slot, lie);
        }
        let error = stored.read().await.unwrap_err();
        assert!(matches!(error, Error::PromiseBroken { .. }), "{lie:?}: {error}");
    }
}

#[tokio::test]
async fn when_the_time_is_over_nobody_is_held_to_it() {
    let committee = TestCommittee::start(4, 3, 2);
    let encoded = encode(Parameters::new(2, 4).unwrap(), payload(100), Dispersal::ByShard).unwrap();
    let certificate = committee.certify(&encoded, HOUR * 400_000);
    let error = committee.client().retrieve(&certificate, RetrieveOptions::default()).await.unwrap_err();
    let Error::Expired { failures, .. } = &error else { panic!("{error}") };
    assert!(failures.iter().all(|failure| matches!(failure.reason, FailureReason::NotStored)), "{error}");
}

#[tokio::test]
async fn too_few_that_deny_leave_it_open_and_are_named() {
    let stored = stored(Dispersal::ByShard).await;
    let signers = stored.certificate.signer_slots();
    for slot in 0..7 {
        if slot == signers[0] {
            stored.committee.lie(slot, Lie::Denies);
        } else {
            stored.committee.kill(slot);
        }
    }
    let options = RetrieveOptions::default().deadline(Duration::from_secs(5));
    let error = stored.client.retrieve(&stored.certificate, options).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { said: 0, .. }) && error.is_retryable(), "{error}");
    let named = error.failures().iter().find(|failure| failure.slot == signers[0]).expect("named");
    assert!(matches!(named.reason, FailureReason::Fault(Fault::BrokenPromise { .. })), "{named}");
}

#[tokio::test]
async fn a_signer_that_keeps_no_whole_payload_before_its_time_is_named() {
    let stored = stored_for_the_patient(Dispersal::ByPayload).await;
    stored.committee.members.iter().for_each(|member| member.drop_whole());
    let read = stored.read().await.unwrap();
    assert_eq!(read.payload, stored.payload);
    let whole_until = stored.certificate.statement.whole_until;
    assert!(
        read.faults.iter().any(|it| matches!(it.reason, Fault::BrokenPromise { until, .. } if until == whole_until)),
        "{:?}",
        read.faults
    );
}
