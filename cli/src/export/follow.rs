//! How far a bundle's keeper has read, and what it knows of and does not have: what of it must outlive the process.
//!
//! # Nothing is passed over
//!
//! Places are written down only together with everything that was learned before them and is not in the folder yet, in one
//! file that is replaced as a whole. So whoever is killed at any point reads again what was not written down, and finds
//! there what is there.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::Duration,
};

use holdfast_certificate::{PublicKey, Statement, StatementDigest};
use holdfast_erasure::BlobId;
use serde::{Deserialize, Serialize};

use crate::bundle::index::Published;

/// The version of the file.
const FORMAT: u32 = 1;
/// The most blobs that are known of and not in the folder, and the most statements of them: with more, no list is read on.
const MOST_PENDING: usize = 16_384;
const MOST_WANTED: usize = 131_072;
/// Of both, the most that one and the same member alone has spoken of: it may have made them up.
const MOST_OF_ONE: usize = 4096;
/// The most statements of one blob that are taken from lists: members keep no more of one either.
const MOST_OF_A_BLOB: usize = 256;
/// The most epochs of what members list that are to be asked of L1: with more, the rest is learned of again by the next full reading.
pub(super) const MOST_OWED: usize = 1024;
/// The pause after the first try, which doubles.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long a certificate is looked for of a blob that is there: what has none by then is found again by the next full reading.
const LOOKED_FOR: Duration = Duration::from_secs(24 * 3600);

/// How far was read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Follow {
    format: u32,
    /// L1, where its events are read.
    pub(super) l1: Option<Chain>,
    /// The members' lists, by key.
    pub(super) lists: BTreeMap<String, Place>,
    /// What is known of and not in the folder.
    pub(super) pending: BTreeMap<BlobId, Pending>,
    /// Epochs of what is in the folder that L1 did not tell so far.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) owed: BTreeSet<u64>,
}

/// How far the publish events were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Chain {
    /// The first block that was not looked at.
    pub(super) next: u64,
    /// Lines of `published.jsonl`, and their bytes.
    pub(super) published: u64,
    pub(super) bytes: u64,
}

/// How far a member's list was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Place {
    /// The member's store: another one has another order.
    pub(super) store: String,
    /// Where the next page begins, as the member has said.
    pub(super) at: String,
    /// When its reading began at its start, unix seconds.
    pub(super) begun: u64,
}

/// A blob that is known of and not in the folder, or not with all its certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) wanted: BTreeMap<StatementDigest, Want>,
    /// Members that list it, by key, for each epoch.
    pub(super) listed_by: BTreeMap<u64, BTreeSet<String>>,
    tries: u32,
    /// When it is tried again, unix seconds.
    again: u64,
}

/// A statement whose certificate is to be in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Want {
    pub(super) epoch: u64,
    pub(super) retain_until: u64,
    /// When it was learned of, unix seconds.
    since: u64,
    /// The member that has spoken of it, as long as it is alone with that.
    #[serde(default)]
    only_by: Option<String>,
    pub(super) published: Option<Published>,
}

impl Default for Follow {
    fn default() -> Self {
        Self { format: FORMAT, l1: None, lists: BTreeMap::new(), pending: BTreeMap::new(), owed: BTreeSet::new() }
    }
}

impl Follow {
    /// As it was written, if this version did it.
    pub(super) fn usable(self) -> Option<Self> {
        (self.format == FORMAT).then_some(self)
    }

    /// A member lists this statement.
    pub(super) fn list(&mut self, key: &PublicKey, statement: &Statement, digest: StatementDigest, now: u64) {
        let pending = self.pending.entry(statement.blob.id()).or_default();
        let (epoch, retain_until, key) = (statement.epoch, statement.retain_until, key.to_string());
        let full = pending.wanted.len() >= MOST_OF_A_BLOB;
        match pending.wanted.entry(digest) {
            Entry::Vacant(_) if full => return,
            Entry::Vacant(place) => {
                let only_by = Some(key.clone());
                place.insert(Want { epoch, retain_until, since: now, only_by, published: None });
            }
            Entry::Occupied(mut known) => {
                let want = known.get_mut();
                want.only_by = want.only_by.take().filter(|only| *only == key);
            }
        }
        pending.listed_by.entry(epoch).or_default().insert(key);
    }

    /// L1 names this statement.
    pub(super) fn publish(&mut self, published: Published, now: u64) {
        let pending = self.pending.entry(published.blob_id).or_default();
        let (epoch, retain_until) = (published.epoch, published.retain_until);
        let new = Want { epoch, retain_until, since: now, only_by: None, published: None };
        let want = pending.wanted.entry(published.statement).or_insert(new);
        want.only_by = None;
        // The first event decides its place; one certificate does for all.
        want.published.get_or_insert(published);
        pending.again = 0;
    }

    /// These epochs are to be asked of L1.
    pub(super) fn owe<'a>(&mut self, epochs: impl IntoIterator<Item = &'a u64>) {
        for epoch in epochs {
            if self.owed.len() < MOST_OWED {
                self.owed.insert(*epoch);
            }
        }
    }

    /// Of a blob that is in the folder: there are no more of these than the folder has, so none is left out.
    pub(super) fn owe_held(&mut self, epoch: u64) {
        self.owed.insert(epoch);
    }

    /// Its payload was here, and is not any more.
    pub(super) fn lose(&mut self, id: BlobId) {
        self.pending.entry(id).or_default().again = 0;
    }

    pub(super) fn has_room(&self) -> bool {
        let wanted: usize = self.pending.values().map(|pending| pending.wanted.len()).sum();
        self.pending.len() < MOST_PENDING && wanted < MOST_WANTED
    }

    /// Whether there is room for more of what this member lists.
    pub(super) fn has_room_for(&self, key: &PublicKey) -> bool {
        let key = Some(key.to_string());
        let blobs = self.pending.values().filter(|pending| pending.only_witness() == key.as_ref()).count();
        let wants = self.pending.values().flat_map(|pending| pending.wanted.values());
        self.has_room() && blobs.max(wants.filter(|want| want.only_by == key).count()) < MOST_OF_ONE
    }

    /// What is to be tried at `now`: what L1 names first, then what most members list.
    pub(super) fn due(&self, now: u64) -> Vec<BlobId> {
        let mut due: Vec<_> = self.pending.iter().filter(|(_, pending)| pending.again <= now).collect();
        due.sort_by_key(|(_, pending)| {
            let listed = pending.listed_by.values().map(BTreeSet::len).max();
            (!pending.is_published(), std::cmp::Reverse(listed))
        });
        due.into_iter().map(|(id, _)| *id).collect()
    }

    /// Everything is tried again now.
    pub(super) fn hurry(&mut self) {
        self.pending.values_mut().for_each(|pending| pending.again = 0);
    }
}

impl Pending {
    pub(super) fn is_published(&self) -> bool {
        self.wanted.values().any(|want| want.published.is_some())
    }

    /// Whether more than `faults` members of an epoch list it, so that one of them is honest.
    pub(super) fn is_witnessed(&self, faults: impl Fn(u64) -> Option<u16>) -> bool {
        self.listed_by.iter().any(|(epoch, keys)| faults(*epoch).is_some_and(|faults| keys.len() > faults.into()))
    }

    /// The latest time until which somebody holds it.
    pub(super) fn retain_until(&self) -> u64 {
        self.wanted.values().map(|want| want.retain_until).max().unwrap_or(0)
    }

    /// The newest epoch whose members have signed it.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.wanted.values().map(|want| want.epoch).max()
    }

    /// It was tried, and something is left.
    pub(super) fn put_off(&mut self, now: u64) {
        let pause = PAUSE.saturating_mul(1 << self.tries.min(16)).min(LONGEST_PAUSE);
        (self.tries, self.again) = (self.tries.saturating_add(1), now.saturating_add(pause.as_secs()));
    }

    /// Forgets which certificates are not there where nobody has shown one for long.
    pub(super) fn give_up(&mut self, now: u64) {
        self.wanted.retain(|_, want| now.saturating_sub(want.since) < LOOKED_FOR.as_secs());
    }

    fn only_witness(&self) -> Option<&String> {
        let mut keys = self.listed_by.values().flatten();
        let first = keys.next().filter(|_| !self.is_published())?;
        keys.all(|other| other == first).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::{Namespace, SecretKey};
    use holdfast_erasure::{Blob, Digest};

    use super::*;

    fn statement(number: u64, retain_until: u64) -> (Statement, StatementDigest) {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&number.to_be_bytes());
        let blob = Blob {
            payload_length: 100,
            payload_digest: Digest::ZERO,
            original_shards: 2,
            total_shards: 5,
            shards_root: Digest::from(root),
            fingerprints_hash: Digest::from([2; 32]),
        };
        let statement = Statement { namespace: Namespace::from([7; 32]), epoch: 1, blob, whole_until: 0, retain_until };
        let domain = holdfast_certificate::Domain { chain_id: 1, registry: [2; 20].into() };
        (statement, statement.digest(&domain))
    }

    #[test]
    fn a_member_that_lists_without_end_what_it_made_up_takes_no_room_of_others() {
        let key = |seed: u8| SecretKey::derive_master(&[seed; 32]).expect("a key").public_key();
        let (liar, other) = (key(1), key(2));
        let mut follow = Follow::default();
        for hours in 0..1000 {
            let (statement, digest) = statement(0, 3600 * hours);
            follow.list(&liar, &statement, digest, 0);
        }
        assert_eq!(follow.pending.values().next().map(|pending| pending.wanted.len()), Some(MOST_OF_A_BLOB));
        let mut blobs = 0;
        while follow.has_room_for(&liar) {
            blobs += 1;
            for hours in 0..MOST_OF_A_BLOB as u64 {
                let (statement, digest) = statement(blobs, 3600 * hours);
                follow.list(&liar, &statement, digest, 0);
            }
        }
        assert_eq!(follow.pending.values().map(|pending| pending.wanted.len()).sum::<usize>(), MOST_OF_ONE);
        assert!(follow.has_room_for(&other));
        // What another lists as well is no one's invention.
        for hours in 0..1000 {
            let (statement, digest) = statement(0, 3600 * hours);
            follow.list(&other, &statement, digest, 0);
        }
        assert!(follow.has_room_for(&liar));
        let written = serde_json::to_vec(&follow).expect("written");
        assert_eq!(serde_json::from_slice::<Follow>(&written).expect("read"), follow);
    }
}
