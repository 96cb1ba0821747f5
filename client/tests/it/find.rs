//! Searching by digest, and what members say of themselves.

use holdfast_client::{Dispersal, Error, FailureReason, Fault, Wanted};

use crate::support::{Lie, stored};

#[tokio::test]
async fn a_payload_is_found_by_its_digest_and_a_made_up_listing_is_not_believed() {
    let stored = stored(Dispersal::ByPayload).await;
    let digest = stored.certificate.statement.blob.payload_digest;
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
    let nobody = holdfast_erasure::keccak256(b"nobody stored this");
    let error = stored.client.find(nobody).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { what: Wanted::Payload(_), .. }), "{error}");
    // One member lists what it has under any digest.
    stored.committee.lie(0, Lie::OtherCommitment);
    let error = stored.client.find(nobody).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { said: 6, .. }), "{error}");
    stored.committee.lie(1, Lie::Silent);
    stored.committee.kill(2);
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
}

#[tokio::test]
async fn members_that_list_blobs_that_nobody_has_do_not_crowd_out_those_that_are_there() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..4 {
        stored.committee.lie(slot, Lie::ListsNoise);
    }
    let digest = stored.certificate.statement.blob.payload_digest;
    assert_eq!(stored.client.find(digest).await.unwrap(), [stored.id]);
}

#[tokio::test]
async fn the_status_lists_every_member_and_who_answers_with_another_key() {
    let stored = stored(Dispersal::ByShard).await;
    stored.committee.lie(1, Lie::WrongKey);
    stored.committee.kill(2);
    let status = stored.client.status().await.unwrap();
    assert_eq!(status.iter().map(|member| member.slot).collect::<Vec<_>>(), (0..7).collect::<Vec<u16>>());
    let info = status[0].info.as_ref().unwrap();
    assert_eq!((info.blobs, info.slot, info.epoch, info.chain_id), (1, Some(0), 1, 31337));
    let wrong = status[1].info.as_ref().unwrap_err();
    assert!(matches!(wrong.reason, FailureReason::Fault(Fault::WrongKey { .. })), "{wrong}");
    let dead = status[2].info.as_ref().unwrap_err();
    assert!(matches!(dead.reason, FailureReason::Unreachable { .. }), "{dead}");
}
