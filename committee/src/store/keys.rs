//! The one place that knows column family names and key layouts. Integers in keys are big-endian, so that key order is
//! numeric order.

use std::fmt;

use holdfast_certificate::{Namespace, PublicKey, StatementDigest};
use holdfast_erasure::{BlobId, Digest};

/// Commitments by blob id. Kept after the data has expired.
pub(crate) const BLOBS: &str = "blobs";
/// Which shard or whole payload is in which bucket, by blob id and index. Kept after the data has expired.
pub(crate) const HELD: &str = "held";
/// Statements that this member signs, by blob id and statement digest. Kept after the data has expired.
pub(crate) const PROMISES: &str = "promises";
/// This member's signatures by statement digest; each can be made again from the promise.
pub(crate) const ATTESTATIONS: &str = "attestations";
/// Compact certificates by statement digest.
pub(crate) const CERTIFICATES: &str = "certificates";
/// Blob ids by namespace and payload digest, latest retention first.
pub(crate) const PAYLOADS: &str = "payloads";
/// Promises in the order of signing, of all namespaces and of each.
pub(crate) const ORDER: &str = "order";

/// Every column family but the default one and the buckets.
pub(crate) const FIXED: [&str; 7] = [BLOBS, HELD, PROMISES, ATTESTATIONS, CERTIFICATES, PAYLOADS, ORDER];

/// In the default column family: whose folder this is.
pub(crate) const IDENTITY: &[u8] = b"identity";
/// In the default column family: buckets of days before this one have been dropped.
pub(crate) const DROPPED_BEFORE: &[u8] = b"dropped-before";
/// In the default column family: buckets of days before that one which are kept all the same. Missing means none.
pub(crate) const KEPT: &[u8] = b"kept-buckets";
/// In the default column family: how far the scrub has come.
pub(crate) const SCRUB: &[u8] = b"scrub";

/// In the default column family: which archive the store has.
pub(crate) const ARCHIVE: &[u8] = b"archive";

/// In the default column family, before the key of a shard: that it can never be filled, and why.
pub(crate) const UNFILLABLE: &[u8] = b"unfillable-";

/// In the default column family, before a peer's key: how far its list has been read.
pub(crate) const READ: &[u8] = b"list-read-";

const DAY: u64 = 86_400;
/// The index under which a whole payload is held; no shard has it, since shard indices are below 126.
pub(crate) const WHOLE: u16 = u16::MAX;

/// What a bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Shards,
    Whole,
}

/// One expiry bucket: a column family with all data of one kind whose time ends within one UTC day. It is dropped whole,
/// as files, so that expiry costs no compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bucket {
    pub(crate) kind: Kind,
    /// Days since 1970-01-01.
    pub(crate) day: u32,
}

impl Bucket {
    pub(crate) fn of(kind: Kind, until: u64) -> Self {
        Self { kind, day: day_of(until) }
    }

    /// The bucket of the record under `key` in [`HELD`], whose data lies in that of `day`.
    pub(crate) fn of_held(key: &[u8], day: u32) -> Self {
        let kind = if held_index(key) == Some(WHOLE) { Kind::Whole } else { Kind::Shards };
        Self { kind, day }
    }

    /// The end of its day: everything in it was promised until then at the latest.
    pub(crate) fn end(self) -> u64 {
        (u64::from(self.day) + 1) * DAY
    }

    /// The bucket that this column family is, if it is one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (kind, day) = name.split_once('-')?;
        let kind = match kind {
            "shards" => Kind::Shards,
            "whole" => Kind::Whole,
            _ => return None,
        };
        Some(Self { kind, day: day.parse().ok()? })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Shards => "shards",
            Kind::Whole => "whole",
        };
        write!(f, "{kind}-{}", self.day)
    }
}

/// The day that `time` falls in; the last representable day for times beyond it.
pub(crate) fn day_of(time: u64) -> u32 {
    u32::try_from(time / DAY).unwrap_or(u32::MAX)
}

pub(crate) fn held(id: &BlobId, index: u16) -> [u8; 34] {
    let mut key = [0; 34];
    key[..32].copy_from_slice(id.as_bytes());
    key[32..].copy_from_slice(&index.to_be_bytes());
    key
}

pub(crate) fn held_index(key: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(key.get(32..34)?.try_into().ok()?))
}

pub(crate) fn unfillable(id: &BlobId, index: u16) -> Vec<u8> {
    [UNFILLABLE, &held(id, index)].concat()
}

pub(crate) fn list_read(peer: &PublicKey) -> Vec<u8> {
    [READ, &peer.to_bytes()].concat()
}

/// How far L1's publish events were read: shorter than the key of any peer.
pub(crate) fn events_read() -> Vec<u8> {
    READ.to_vec()
}

pub(crate) fn promise(id: &BlobId, digest: &StatementDigest) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(id.as_bytes());
    key[32..].copy_from_slice(digest.as_bytes());
    key
}

pub(crate) fn payload_prefix(namespace: &Namespace, payload: &Digest) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(namespace.as_bytes());
    key[32..].copy_from_slice(payload.as_bytes());
    key
}

pub(crate) fn payload(namespace: &Namespace, payload: &Digest, retain_until: u64, id: &BlobId) -> Vec<u8> {
    let mut key = payload_prefix(namespace, payload).to_vec();
    // Inverted, so that the latest retention comes first.
    key.extend_from_slice(&(!retain_until).to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

/// Prefix of the signing order: of everything, or of one namespace.
pub(crate) fn order_prefix(namespace: Option<&Namespace>) -> Vec<u8> {
    match namespace {
        None => vec![0],
        Some(namespace) => [&[1], namespace.as_bytes().as_slice()].concat(),
    }
}

pub(crate) fn order(namespace: Option<&Namespace>, sequence: u64) -> Vec<u8> {
    let mut key = order_prefix(namespace);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// The sequence number at the end of an order key.
pub(crate) fn order_sequence(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_parse_back_and_cover_one_day() {
        for kind in [Kind::Shards, Kind::Whole] {
            let bucket = Bucket::of(kind, 20_000 * DAY + 7 * 3600);
            assert_eq!(bucket.day, 20_000);
            assert_eq!(Bucket::parse(&bucket.to_string()), Some(bucket));
        }
        assert_eq!(Bucket::of(Kind::Shards, 20_001 * DAY - 1).day, 20_000);
        assert_eq!(Bucket::of(Kind::Shards, 20_001 * DAY).day, 20_001);
        for name in FIXED {
            assert_eq!(Bucket::parse(name), None);
        }
    }

    #[test]
    fn payload_keys_sort_by_latest_retention() {
        let (namespace, digest, id) = (Namespace::from([1; 32]), Digest::from([2; 32]), BlobId::from([3; 32]));
        assert!(payload(&namespace, &digest, 7200, &id) < payload(&namespace, &digest, 3600, &id));
    }
}
