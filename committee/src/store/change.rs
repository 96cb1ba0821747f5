//! What an archive changes of what is recorded here. The archive itself is elsewhere; nothing in the store asks it.

use bytes::Bytes;
use holdfast_certificate::{Statement, StatementDigest};
use holdfast_erasure::{BlobId, Commitment, Digest};

use super::{
    keys::{self, Bucket, Kind},
    records::{Held, Place, Promise},
};

/// A shard, or a whole payload, as it was recorded when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(super) key: [u8; 34],
    pub(super) held: Held,
    /// Its time was over, and its bucket is dropped.
    pub(crate) dropped: bool,
}

impl Kept {
    pub(crate) fn key(&self) -> &[u8; 34] {
        &self.key
    }

    pub(crate) fn id(&self) -> BlobId {
        BlobId::from(*self.key.first_chunk::<32>().expect("keys have 34 bytes"))
    }

    /// The shard's index; `None` for the whole payload.
    pub(crate) fn index(&self) -> Option<u16> {
        keys::held_index(&self.key).filter(|index| *index != keys::WHOLE)
    }

    pub(crate) fn length(&self) -> u32 {
        self.held.length
    }

    /// The shard's root, or the payload's keccak256.
    pub(crate) fn root(&self) -> Digest {
        self.held.root
    }

    /// Until when it is kept, unix seconds.
    pub(crate) fn until(&self) -> u64 {
        self.held.until
    }

    pub(crate) fn is_here(&self) -> bool {
        self.held.place.is_here()
    }

    pub(crate) fn is_archived(&self) -> bool {
        self.held.place.is_archived()
    }

    /// Since when it is on the disk and in the archive, if it is in both.
    pub(crate) fn in_both_since(&self) -> Option<u64> {
        match self.held.place {
            Place::Both(since) => Some(since),
            Place::Here | Place::Away(_) => None,
        }
    }

    pub(super) fn bucket(&self) -> Bucket {
        Bucket::of_held(&self.key, self.held.day)
    }
}

/// What changes.
#[derive(Debug)]
pub(crate) enum Change {
    /// This is the store's archive from now on.
    Of(Bytes),
    /// They are in the archive as well, read back and checked, with so many promises each.
    Stored(Vec<(Kept, usize)>, u64),
    /// The bytes of these on the disk are let go.
    LetGo(Vec<Kept>),
    /// The archive has these no more, or not as they should be.
    Gone(Vec<Kept>),
    /// They are found in the archive, and may not be recorded here.
    Restored(Vec<Restored>, u64),
}

/// What an object of the archive says, checked.
#[derive(Clone, Debug)]
pub(crate) struct Restored {
    pub(crate) commitment: Commitment,
    /// The shard's index; `None` for the whole payload.
    pub(crate) index: Option<u16>,
    /// Bytes of data.
    pub(crate) length: u32,
    pub(crate) promises: Vec<(Promise, StatementDigest, [u8; 48])>,
    /// Verified.
    pub(crate) certificates: Vec<(StatementDigest, Bytes)>,
}

impl Restored {
    pub(super) fn key(&self) -> [u8; 34] {
        keys::held(&self.commitment.id(), self.index.unwrap_or(keys::WHOLE))
    }

    pub(super) fn kind(&self) -> Kind {
        if self.index.is_some() { Kind::Shards } else { Kind::Whole }
    }

    pub(super) fn root(&self) -> Digest {
        match self.index {
            Some(index) => self.commitment.shard_roots()[usize::from(index)],
            None => self.commitment.blob().payload_digest,
        }
    }

    /// Until when it is promised. A shard that no promise is about is held in place of one that cannot be had, for as long.
    pub(super) fn until(&self) -> u64 {
        let latest = |of: &dyn Fn(&Promise) -> u64| self.promises.iter().map(|(promise, ..)| of(promise)).max();
        let own = latest(&|promise| promised_until(promise, &self.commitment, self.index)).unwrap_or_default();
        if own == 0 && self.index.is_some() {
            return latest(&|promise| promise.statement.retain_until).unwrap_or_default();
        }
        own
    }
}

/// Until when a promise has the shard `index`, or with [`None`] the whole payload, kept; zero where it is not about that.
pub(crate) fn promised_until(promise: &Promise, commitment: &Commitment, index: Option<u16>) -> u64 {
    let Statement { blob, whole_until, retain_until, .. } = &promise.statement;
    match index {
        Some(index) => {
            let own = commitment.parameters().shard_of_slot(promise.slot, &blob.shards_root).get();
            if own == index { *retain_until } else { 0 }
        }
        None => *whole_until,
    }
}
