//! What tests do to an archive.

use std::time::Duration;

use holdfast_certificate::{DisperserKey, Domain, Statement};
use holdfast_erasure::{EncodedBlob, ShardIndex};

use super::{
    Archive,
    failures::Failures,
    letting::{EASED, Letting},
    object::{Head, Signed},
};
use crate::store::Promise;

/// How often, and how long after one another, what was not archived yet is looked at again.
const TRIES: usize = 500;
const MOMENT: Duration = Duration::from_millis(20);

/// The disk's budget is this, until nothing more is to be let go.
pub(crate) async fn press(archive: &Archive, budget: u64) {
    let mut letting = Letting::default();
    let mut failed = Failures::default();
    // What is archived is let go once the keeper has gone past it, which it says a moment after it was written down.
    for _ in 0..TRIES {
        let mut more = true;
        while more {
            let room = (budget, archive.store.usage().bytes);
            more = letting.step(archive, &mut failed, room, 0).await.expect("the archive answers");
        }
        if archive.store.usage().bytes <= budget / 100 * EASED {
            break;
        }
        letting.again();
        tokio::time::sleep(MOMENT).await;
    }
    assert!(failed.is_none(), "every object is there");
    letting.compact(archive).await.expect("the store is open");
}

/// An object with a promise that nobody has signed.
pub(crate) fn forge(
    statement: &Statement,
    disperser: &DisperserKey,
    encoded: &EncodedBlob,
    index: u16,
    slot: u16,
) -> Vec<u8> {
    let digest = statement.digest(&Domain { chain_id: 1, registry: [7; 20].into() });
    let promise = Promise { statement: *statement, disperser_signature: disperser.sign(&digest), slot };
    let at: ShardIndex = encoded.commitment().parameters().index(index).expect("in range");
    let data = encoded.accepted(at).into_bytes();
    let signed = Signed { promise, signature: [0xc0; 48], certificate: bytes::Bytes::new() };
    let length = u32::try_from(data.len()).expect("short");
    Head::new(Some(index), length, encoded.commitment().clone(), vec![signed]).encode(&data).to_vec()
}
