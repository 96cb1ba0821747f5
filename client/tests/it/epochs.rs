//! Reading what was dispersed in another epoch.

use std::{sync::Arc, time::Duration};

use holdfast_client::{Dispersal, DisperseOptions, Error, RetrieveOptions};
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
    let only_new = RetrieveOptions { epoch: Some(5), ..RetrieveOptions::default() };
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
    let options = RetrieveOptions { deadline: Some(Duration::from_secs(6)), ..RetrieveOptions::default() };
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
