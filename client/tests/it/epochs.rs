//! Reading what was dispersed in another epoch.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use holdfast_client::{Dispersal, DisperseOptions, Error, RegistryError, RetrieveOptions};
use holdfast_erasure::{BlobId, encode};

use crate::support::{Lie, TestCommittee, TestRegistry, payload};

#[tokio::test]
async fn a_blob_of_an_older_epoch_is_read_by_its_id() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(3, 5, 4, 2, Arc::clone(&registry));
    let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
    let id = put.certificate.statement.blob.id();
    // Epoch 4 never came to be; epoch 5 has other members and another code.
    let new = TestCommittee::start_epoch(5, 7, 6, 2, registry);
    let client = new.client();
    assert_eq!(client.retrieve(id, RetrieveOptions::default()).await.unwrap().payload, payload(5000));
    assert_eq!(client.retrieve(&put.certificate, RetrieveOptions::default()).await.unwrap().payload, payload(5000));
    let only_new = RetrieveOptions::default().epoch(5);
    let error = client.retrieve(id, only_new).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn silent_members_of_a_new_epoch_do_not_hide_an_old_epochs_blob() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
    let new = TestCommittee::start_epoch(2, 7, 6, 2, registry);
    for slot in 0..2 {
        new.lie(slot, Lie::Silent);
    }
    let options = RetrieveOptions::default().deadline(Duration::from_secs(6));
    let read = new.client().retrieve(put.certificate.statement.blob.id(), options).await.unwrap();
    assert_eq!(read.payload, payload(5000));
}

#[tokio::test]
async fn members_that_know_a_blob_and_name_no_epoch_do_not_hide_where_it_is() {
    for code in [(5, 4, 2), (7, 6, 2)] {
        let registry = Arc::new(TestRegistry::default());
        let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
        let put = old.client().disperse(payload(5000), DisperseOptions::default()).await.unwrap();
        let blob = put.certificate.statement.blob;
        let new = TestCommittee::start_epoch(2, code.0, code.1, code.2, registry);
        let encoded = encode(blob.parameters().unwrap(), payload(5000), Dispersal::ByShard).unwrap();
        new.members.iter().for_each(|member| member.know(encoded.commitment().clone()));
        let read = new.client().retrieve(blob.id(), RetrieveOptions::default()).await.unwrap();
        assert_eq!(read.payload, payload(5000));
    }
}

#[tokio::test]
async fn an_epoch_that_cannot_be_read_is_not_one_without_the_blob() {
    let registry = Arc::new(TestRegistry::default());
    let _old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let new = TestCommittee::start_epoch(2, 7, 6, 2, Arc::clone(&registry));
    let id = BlobId::from([9; 32]);
    let error = new.client().retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    registry.unreadable.lock().unwrap().insert(1);
    let error = new.client().retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Registry(_)) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn what_a_revoked_epoch_holds_is_read_by_its_id_and_its_members_are_asked_how_they_are() {
    let registry = Arc::new(TestRegistry::default());
    let old = TestCommittee::start_epoch(1, 5, 4, 2, Arc::clone(&registry));
    let first = old.client().disperse(payload(5000), DisperseOptions::by_payload()).await.unwrap();
    let new = TestCommittee::start_epoch(2, 4, 3, 2, Arc::clone(&registry));
    let client = new.client();
    let second = client.disperse(payload(6000), DisperseOptions::by_payload()).await.unwrap();
    client.drain().await;
    registry.revoked.store(true, Ordering::SeqCst);
    for (put, length) in [(&first, 5000), (&second, 6000)] {
        let id = put.certificate.statement.blob.id();
        assert_eq!(client.retrieve(id, RetrieveOptions::default()).await.unwrap().payload, payload(length));
        let read = client.retrieve(&put.certificate, RetrieveOptions::default()).await.unwrap();
        assert_eq!(read.payload, payload(length));
    }
    let digest = second.certificate.statement.blob.payload_digest;
    assert_eq!(client.find(digest).await.unwrap(), [second.certificate.statement.blob.id()]);
    let status = client.status().await.unwrap();
    assert_eq!(
        status.iter().map(|member| (member.epoch, member.slot)).collect::<Vec<_>>(),
        [(2, 0), (2, 1), (2, 2), (2, 3)]
    );
    assert!(status.iter().all(|member| member.info.is_ok()));
    // That nothing is there is as certain as before, and nothing is taken.
    let error = client.retrieve(BlobId::from([9; 32]), RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let error = client.disperse(payload(10), DisperseOptions::by_shard()).await.unwrap_err();
    assert!(matches!(error, Error::Registry(RegistryError::NoActiveEpoch { .. })), "{error}");
}
