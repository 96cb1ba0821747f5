//! One shard, or one whole payload, brought to the archive and read back.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Archive,
    bucket::Bucket,
    closed,
    object::{self, Head, PREFIX, Signed},
    trouble::Error,
};
use crate::{
    attestor::Attestor,
    store::{self, Content, Kept, Store},
};

/// Unix seconds that a lock must be ahead: the bucket goes by a clock of its own.
const LEAST_LOCK: u64 = 300;

/// Brings what is kept to the archive. It is given back with the number of promises that went with it, once what the archive gives
/// back has passed the whole check of its kind; `None` for what cannot be archived now, since it is damaged, or not here any more.
pub(super) async fn upload(archive: &Archive, attestor: &Attestor, kept: Kept) -> Result<Option<(Kept, usize)>, Error> {
    let bucket = archive.bucket()?;
    let _memory = archive.sending(kept.length()).await?;
    let store = Arc::clone(&archive.store);
    let gathered = tokio::task::spawn_blocking(move || gather(&store, &kept)).await.map_err(closed)??;
    let Some((data, content)) = gathered else { return Ok(None) };
    let count = content.promises.len();
    let mut promises = Vec::with_capacity(count);
    for (durable, promise, certificate) in content.promises {
        let attestation = match attestor.sign(&durable, &promise.statement).await {
            Ok(attestation) => attestation,
            // Nobody is held to what is over, and a signer elsewhere need not sign it again.
            Err(_) if attestor.is_over(promise.statement.retain_until) => continue,
            Err(error) => return Err(Error::Attestor(error.to_string())),
        };
        let signature = attestation.signature.to_bytes();
        promises.push(Signed { promise, signature, certificate: certificate.unwrap_or_default() });
    }
    if promises.is_empty() {
        return Ok(None);
    }
    let head = Head::new(kept.index(), kept.length(), content.commitment, promises);
    let sent = head.encode(&data);
    drop(data);
    let name = object::name_of(&kept);
    // What is over, and kept for its grace or under a hold, no bucket locks: the time must be ahead.
    let locked = bucket.locks() && !attestor.is_over(kept.until().saturating_sub(LEAST_LOCK));
    let until = locked.then(|| kept.until());
    match until {
        Some(until) => bucket.put(&name, sent.clone(), until).await?,
        None => bucket.put_unlocked(&name, sent.clone()).await?,
    }
    read_back(&bucket, &name, sent, until).await?;
    Ok(Some((kept, count)))
}

/// What is sent: the bytes, checked as they are read, and what is known of them.
fn gather(store: &Store, kept: &Kept) -> Result<Option<(Bytes, Content)>, store::Error> {
    let data = match kept.index() {
        Some(index) => store.shard(&kept.id(), index),
        None => store.whole(&kept.id()),
    };
    let data = match data {
        Ok(data) => data,
        // It is repaired first, or its time is over.
        Err(
            store::Error::Damaged { .. }
            | store::Error::NotFound { .. }
            | store::Error::Lost { .. }
            | store::Error::Expired { .. }
            | store::Error::Archived { .. },
        ) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(store.content(&kept.id())?.map(|content| (data, content)))
}

/// Reads the object and checks it as if somebody else had written it.
async fn read_back(bucket: &Bucket, name: &str, sent: Bytes, until: Option<u64>) -> Result<(), Error> {
    let differs = |reason: String| Error::Differs(format!("{name}: {reason}"));
    let got = match bucket.get(name, sent.len() as u64).await {
        Err(Error::Missing { .. }) => return Err(differs("it was put there, and is not there".into())),
        got => got?,
    };
    if let Some(until) = until {
        let wanted = holdfast_transport::page::utc(until);
        // To the second, both in UTC: the order of the texts is that of the times.
        let second = |text: &str| text.get(..19).map(str::to_owned);
        match &got.locked_until {
            Some(until) if until.ends_with('Z') && second(until) >= second(&wanted) => {}
            Some(until) => return Err(Error::Unlocked(format!("{name} is kept until {until}, expected {wanted}"))),
            None => return Err(Error::Unlocked(format!("nothing is said of how long {name} is kept"))),
        }
    }
    let checked = tokio::task::spawn_blocking(move || {
        if got.bytes != sent {
            return Err("other bytes than were sent".to_owned());
        }
        let head = Head::decode(&got.bytes, got.bytes.len() as u64)?;
        let from = PREFIX + Head::length_in(&got.bytes)?;
        head.accept(&got.bytes.slice(from..))
    });
    checked.await.map_err(closed)?.map_err(differs)
}
