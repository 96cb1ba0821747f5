//! The index of a lost store, from the objects of its archive alone.
//!
//! Nothing of an object is believed but what is shown: the commitment by its hash, each promise by this member's own signature on
//! it, the certificate by its quorum. The bytes stay where they are, and are checked when they are read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use holdfast_certificate::{Attestation, Certificate, Domain, PublicKey, Signature, StatementDigest};
use holdfast_registry::{EpochRecord, Registry};
use tokio::time::Instant;

use super::{
    Archive,
    bucket::Bucket,
    marker,
    object::{self, FOLDER, Head, MOST_HEAD, PREFIX, Signed},
    trouble::Error,
};
use crate::store::{Change, Restored};

/// Objects that are looked at at once.
const AT_ONCE: usize = 8;
/// Objects whose records are read before they are written,
const TOGETHER: usize = 64;
/// and bytes of those that are written together: what of them is on the disk may be copied. One that is larger goes alone.
const BYTES_TOGETHER: u64 = 32 << 20;
/// The first bytes of an object that are read at once: most heads are shorter.
const FIRST: u64 = 16 << 10;
/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Shards and whole payloads, and their bytes.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Objects from which nothing can be taken; the log says why.
    pub passed_over: u64,
}

/// Records in the archive's store all that the archive has, and makes the archive this store's.
pub(crate) async fn restore(archive: &Archive, registry: &Arc<dyn Registry>, now: u64) -> Result<Found, Error> {
    let (bucket, store, key) = (archive.bucket()?, &archive.store, archive.key);
    if !marker::take_over(&bucket, &key, store).await? {
        return Err(Error::Foreign("there is no archive of a member".into()));
    }
    let reader = Reader { bucket: &bucket, key, registry, domain: registry.domain(), epochs: Mutex::default() };
    let mut objects = bucket
        .list(FOLDER)
        .map_ok(|(name, length)| reader.object(name, length))
        .try_buffer_unordered(AT_ONCE)
        .boxed()
        .try_chunks(TOGETHER);
    let (mut found, mut told) = (Found::default(), Instant::now());
    while let Some(chunk) = objects.next().await {
        // What came before a failure is recorded as well.
        let (chunk, failed) = match chunk {
            Ok(chunk) => (chunk, None),
            Err(error) => (error.0, Some(error.1)),
        };
        let looked = chunk.len() as u64;
        let restored: Vec<Restored> = chunk.into_iter().flatten().collect();
        found.objects += restored.len() as u64;
        found.passed_over += looked - restored.len() as u64;
        found.bytes += restored.iter().map(|item| u64::from(item.length)).sum::<u64>();
        for together in groups(restored) {
            store.change(Change::Restored(together, now)).await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tracing::info!(objects = found.objects, bytes = found.bytes, found.passed_over, "archive.restore");
        }
    }
    tracing::info!(objects = found.objects, bytes = found.bytes, found.passed_over, "archive.restore: done");
    Ok(found)
}

/// In groups that are written together.
fn groups(restored: Vec<Restored>) -> Vec<Vec<Restored>> {
    let (mut groups, mut bytes) = (Vec::<Vec<Restored>>::new(), 0);
    for item in restored {
        bytes += u64::from(item.length);
        match groups.last_mut().filter(|_| bytes <= BYTES_TOGETHER) {
            Some(group) => group.push(item),
            None => {
                bytes = u64::from(item.length);
                groups.push(vec![item]);
            }
        }
    }
    groups
}

struct Reader<'a> {
    bucket: &'a Bucket,
    key: PublicKey,
    registry: &'a Arc<dyn Registry>,
    domain: Domain,
    epochs: Mutex<HashMap<u64, Option<Arc<EpochRecord>>>>,
}

impl Reader<'_> {
    /// What an object says, checked; `None` where nothing can be taken from it.
    async fn object(&self, name: String, length: u64) -> Result<Option<Restored>, Error> {
        let read = match self.head(&name, length).await {
            Ok(head) => head,
            Err(Error::Missing { .. }) => Err("it is gone".to_owned()),
            Err(error) => return Err(error),
        };
        let checked = match read {
            Ok(head) => self.check(&name, head).await?,
            Err(reason) => Err(reason),
        };
        Ok(checked.inspect_err(|reason| tracing::error!(name, reason, "archive.restore: passed over")).ok())
    }

    async fn head(&self, name: &str, length: u64) -> Result<Result<Head, String>, Error> {
        if length < PREFIX as u64 {
            return Ok(Err("it is shorter than any object".into()));
        }
        let mut start = self.bucket.start(name, length, FIRST).await?;
        let needed = match Head::length_in(&start) {
            Ok(head) => (PREFIX + head) as u64,
            Err(reason) => return Ok(Err(reason)),
        };
        if needed > start.len() as u64 {
            start = self.bucket.start(name, length, needed.min(MOST_HEAD + PREFIX as u64)).await?;
        }
        Ok(Head::decode(&start, length))
    }

    async fn check(&self, name: &str, head: Head) -> Result<Result<Restored, String>, Error> {
        let Head { index, length, commitment, promises } = head;
        if name != object::name(&commitment.id(), index) {
            return Ok(Err(format!("it is that of {}", object::name(&commitment.id(), index))));
        }
        let (mut kept, mut certificates) = (Vec::new(), Vec::new());
        for signed in promises {
            let number = signed.promise.statement.epoch;
            let Some(epoch) = self.epoch(number).await? else {
                // A committee file knows one epoch. The others of the object's promises stand.
                tracing::warn!(name, epoch = number, "archive.restore: a promise of an unknown epoch is passed over");
                continue;
            };
            let (domain, key) = (self.domain, self.key);
            let checked = tokio::task::spawn_blocking(move || check(signed, &epoch, &domain, &key)).await;
            match checked.map_err(|e| Error::Away(e.to_string()))? {
                Ok((signed, digest)) => {
                    if !signed.certificate.is_empty() {
                        certificates.push((digest, signed.certificate));
                    }
                    kept.push((signed.promise, digest, signed.signature));
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        if kept.is_empty() {
            return Ok(Err("nothing is promised of it".into()));
        }
        Ok(Ok(Restored { commitment, index, length, promises: kept, certificates }))
    }

    async fn epoch(&self, epoch: u64) -> Result<Option<Arc<EpochRecord>>, Error> {
        if let Some(known) = self.epochs.lock().unwrap_or_else(PoisonError::into_inner).get(&epoch) {
            return Ok(known.clone());
        }
        let record = match self.registry.epoch(epoch).await {
            Ok(record) => Some(record),
            Err(holdfast_registry::Error::UnknownEpoch { .. }) => None,
            Err(error) => return Err(Error::Attestor(format!("the registry cannot be read: {error}"))),
        };
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).insert(epoch, record.clone());
        Ok(record)
    }
}

/// Whether this member has signed the promise; a certificate that is not genuine is left out.
fn check(
    mut signed: Signed,
    epoch: &EpochRecord,
    domain: &Domain,
    key: &PublicKey,
) -> Result<(Signed, StatementDigest), String> {
    let (statement, slot) = (signed.promise.statement, signed.promise.slot);
    let digest = statement.digest(domain);
    if epoch.committee.slot_of(key) != Some(slot) {
        return Err(format!("a promise is of slot {slot} of epoch {}, which is not this member's", statement.epoch));
    }
    let signature = Signature::from_bytes(&signed.signature).map_err(|e| format!("a signature is no point: {e}"))?;
    Attestation { slot, signature }
        .verify(&epoch.committee, &digest)
        .map_err(|_| "this member has not signed what it is said to have promised".to_owned())?;
    let certificate = Certificate::decode(&signed.certificate).ok();
    let genuine = certificate
        .is_some_and(|certificate| certificate.statement == statement && certificate.verify(&epoch.committee).is_ok());
    if !genuine {
        signed.certificate = Bytes::new();
    }
    Ok((signed, digest))
}
