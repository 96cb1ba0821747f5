//! The layout of every stored value. Each begins with a version byte; integers are big-endian.

use std::collections::BTreeMap;

use bytes::Bytes;
use holdfast_certificate::{Address, DisperserSignature, Domain, Namespace, PublicKey, Statement, StatementDigest};
use holdfast_erasure::{Blob, BlobId, Commitment, Digest, FINGERPRINT_BYTES};

use super::{
    Error, StoreId,
    keys::{Bucket, Kind},
};

/// The version of every record here. A change of one layout gives that record a new version, and readers keep the old.
const VERSION: u8 = 1;
/// Of held data that is in the archive.
const VERSION_ARCHIVED: u8 = 2;
/// Of how far a list was read. The first version did not say for which namespaces: what it says is read again.
const VERSION_READ: u8 = 2;
/// The folder's format: column families, keys and records together.
pub(super) const FORMAT: u8 = 2;

/// Whose data folder it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The member's BLS key.
    pub public_key: PublicKey,
    /// The chain and registry whose statements it signs.
    pub domain: Domain,
}

impl Identity {
    /// With the store that it is recorded in: the same stands outside of the database.
    pub(super) fn encode(&self, store: StoreId) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.public_key.to_bytes());
        out.extend_from_slice(&self.domain.chain_id.to_be_bytes());
        out.extend_from_slice(self.domain.registry.as_bytes());
        out.extend_from_slice(store.as_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, StoreId), Error> {
        let mut reader = Reader::of_version("identity", bytes, FORMAT)?;
        let key = reader.array::<96>()?;
        let public_key = PublicKey::from_bytes(&key).map_err(|e| reader.error(&e.to_string()))?;
        let domain = Domain { chain_id: reader.u64()?, registry: Address::from(reader.array::<20>()?) };
        let store = StoreId::from(reader.array::<16>()?);
        reader.end()?;
        Ok((Self { public_key, domain }, store))
    }
}

/// Where one shard, or the whole payload, is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The bucket's day. It stays when the bucket has been dropped.
    pub(crate) day: u32,
    pub(crate) length: u32,
    /// Until when it is kept, the latest over all promises.
    pub(crate) until: u64,
    /// The shard's root, or the payload's keccak256: what a read is checked against.
    pub(crate) root: Digest,
    pub(crate) place: Place,
}

/// Where the bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the disk alone.
    #[default]
    Here,
    /// On the disk, and in the archive since then, unix seconds: read back and checked.
    Both(u64),
    /// In the archive alone, since then.
    Away(u64),
}

impl Place {
    pub(crate) fn is_here(self) -> bool {
        !matches!(self, Self::Away(_))
    }

    pub(crate) fn is_archived(self) -> bool {
        self != Self::Here
    }
}

impl Held {
    /// As before there were archives, where it is in none.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![if self.place.is_archived() { VERSION_ARCHIVED } else { VERSION }];
        out.extend_from_slice(&self.day.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.until.to_be_bytes());
        out.extend_from_slice(self.root.as_bytes());
        match self.place {
            Place::Here => {}
            Place::Both(since) => {
                out.push(1);
                out.extend_from_slice(&since.to_be_bytes());
            }
            Place::Away(since) => {
                out.push(2);
                out.extend_from_slice(&since.to_be_bytes());
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let archived = bytes.first() == Some(&VERSION_ARCHIVED);
        let version = if archived { VERSION_ARCHIVED } else { VERSION };
        let mut reader = Reader::of_version("held data", bytes, version)?;
        let (day, length, until) = (reader.u32()?, reader.u32()?, reader.u64()?);
        let root = reader.array::<32>()?.into();
        let place = match archived {
            false => Place::Here,
            true => match reader.array()? {
                [1] => Place::Both(reader.u64()?),
                [2] => Place::Away(reader.u64()?),
                [got] => return Err(reader.error(&format!("place {got}, expected 1 or 2"))),
            },
        };
        reader.end()?;
        Ok(Self { day, length, until, root, place })
    }
}

/// A statement that this member signs, written and synced with the data before the signature is made.
#[derive(Clone, Debug)]
pub struct Promise {
    /// What is signed.
    pub statement: Statement,
    /// What made the member sign it.
    pub disperser_signature: DisperserSignature,
    /// The member's slot in the statement's epoch.
    pub slot: u16,
}

impl Promise {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let statement = &self.statement;
        out.extend_from_slice(statement.namespace.as_bytes());
        out.extend_from_slice(&statement.epoch.to_be_bytes());
        blob(&mut out, &statement.blob);
        out.extend_from_slice(&statement.whole_until.to_be_bytes());
        out.extend_from_slice(&statement.retain_until.to_be_bytes());
        out.extend_from_slice(&self.disperser_signature.to_bytes());
        out.extend_from_slice(&self.slot.to_be_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::versioned("promise", bytes)?;
        let statement = Statement {
            namespace: Namespace::from(reader.array::<32>()?),
            epoch: reader.u64()?,
            blob: reader.blob()?,
            whole_until: reader.u64()?,
            retain_until: reader.u64()?,
        };
        let signature = reader.array::<65>()?;
        let disperser_signature =
            DisperserSignature::from_bytes(&signature).map_err(|e| reader.error(&e.to_string()))?;
        let slot = reader.u16()?;
        reader.end()?;
        Ok(Self { statement, disperser_signature, slot })
    }
}

/// A position that its disperser has lied about: what any `k` accepted shards give for it does not have the committed root. The
/// statement with the disperser's signature, and shards of these positions, show it to anybody.
#[derive(Clone, Debug)]
pub(crate) struct Unfillable {
    /// The position.
    pub(crate) index: u16,
    /// Positions of the accepted shards that it was rebuilt from.
    pub(crate) from: Vec<u16>,
    /// The root of what they give.
    pub(crate) got: Digest,
    /// What the disperser has signed, and this member has not.
    pub(crate) statement: Promise,
}

impl Unfillable {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(self.got.as_bytes());
        let count = u16::try_from(self.from.len()).expect("positions are below 126");
        out.extend_from_slice(&count.to_be_bytes());
        self.from.iter().for_each(|index| out.extend_from_slice(&index.to_be_bytes()));
        out.extend_from_slice(&self.statement.encode());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::versioned("unfillable position", bytes)?;
        let (index, got) = (reader.u16()?, reader.array::<32>()?.into());
        let from = (0..reader.u16()?).map(|_| reader.u16()).collect::<Result<_, _>>()?;
        Ok(Self { index, from, got, statement: Promise::decode(reader.rest)? })
    }
}

/// Buckets kept past their time, each with the time until which it is known to be held.
pub(super) fn kept(kept: &BTreeMap<Bucket, u64>) -> Vec<u8> {
    let mut out = vec![VERSION];
    for (bucket, until) in kept {
        out.push(match bucket.kind {
            Kind::Shards => 0,
            Kind::Whole => 1,
        });
        out.extend_from_slice(&bucket.day.to_be_bytes());
        out.extend_from_slice(&until.to_be_bytes());
    }
    out
}

pub(super) fn decode_kept(bytes: &[u8]) -> Result<BTreeMap<Bucket, u64>, Error> {
    let mut reader = Reader::versioned("kept buckets", bytes)?;
    let mut kept = BTreeMap::new();
    while !reader.rest.is_empty() {
        let kind = match reader.array()? {
            [0] => Kind::Shards,
            [1] => Kind::Whole,
            [got] => return Err(reader.error(&format!("kind {got}, expected 0 or 1"))),
        };
        let day = reader.u32()?;
        kept.insert(Bucket { kind, day }, reader.u64()?);
    }
    Ok(kept)
}

/// How far the scrub has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scrub {
    /// When this pass began, unix seconds.
    pub(crate) begun: u64,
    /// When the last whole pass ended; zero while there was none.
    pub(crate) ended: u64,
    /// The last item of this pass that was checked; `None` between two passes.
    pub(crate) after: Option<[u8; 34]>,
}

pub(super) fn scrub(scrub: &Scrub) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&scrub.begun.to_be_bytes());
    out.extend_from_slice(&scrub.ended.to_be_bytes());
    out.extend(scrub.after.iter().flatten());
    out
}

pub(super) fn decode_scrub(bytes: &[u8]) -> Result<Scrub, Error> {
    let mut reader = Reader::versioned("scrub", bytes)?;
    let (begun, ended) = (reader.u64()?, reader.u64()?);
    let after = if reader.rest.is_empty() { None } else { Some(reader.array::<34>()?) };
    reader.end()?;
    Ok(Scrub { begun, ended, after })
}

/// How far a peer's list has been read: all that stands before that place is here, or need not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListRead {
    /// When its reading began at the list's start, unix seconds.
    pub(crate) begun: u64,
    /// The peer's store, whose places they are.
    pub(crate) store: [u8; 16],
    /// The namespaces that were looked for ([`crate::config::Policy::served`]): what is of others was passed over.
    pub(crate) served: Digest,
    /// Where the next page begins, as the peer has said.
    pub(crate) place: Bytes,
}

impl ListRead {
    pub(super) fn encode(&self) -> Vec<u8> {
        [&[VERSION_READ], self.begun.to_be_bytes().as_slice(), &self.store, self.served.as_bytes(), &self.place]
            .concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::of_version("list read", bytes, VERSION_READ)?;
        let (begun, store, served) = (reader.u64()?, reader.array::<16>()?, reader.array::<32>()?.into());
        Ok(Self { begun, store, served, place: Bytes::copy_from_slice(reader.rest) })
    }
}

/// A commitment, checked again when it is read, so that damage to it shows.
pub(crate) fn commitment(commitment: &Commitment) -> Vec<u8> {
    let mut out = vec![VERSION];
    blob(&mut out, commitment.blob());
    for root in commitment.shard_roots() {
        out.extend_from_slice(root.as_bytes());
    }
    out.extend_from_slice(commitment.fingerprints());
    out
}

pub(crate) fn decode_commitment(bytes: &[u8]) -> Result<Commitment, Error> {
    let mut reader = Reader::versioned("commitment", bytes)?;
    let blob = reader.blob()?;
    let roots =
        (0..blob.total_shards).map(|_| Ok(reader.array::<32>()?.into())).collect::<Result<Vec<Digest>, Error>>()?;
    let fingerprints = Bytes::copy_from_slice(reader.take(usize::from(blob.original_shards) * 2 * FINGERPRINT_BYTES)?);
    reader.end()?;
    Commitment::new(blob, roots, fingerprints).map_err(|e| reader.error(&e.to_string()))
}

/// An opaque value: a certificate or a signature.
pub(super) fn opaque(bytes: &[u8]) -> Vec<u8> {
    [&[VERSION], bytes].concat()
}

pub(super) fn decode_opaque(what: &'static str, bytes: &[u8]) -> Result<Bytes, Error> {
    Ok(Bytes::copy_from_slice(Reader::versioned(what, bytes)?.rest))
}

/// One place in the signing order.
pub(super) fn order(id: &BlobId, digest: &StatementDigest) -> Vec<u8> {
    [&[VERSION], id.as_bytes().as_slice(), digest.as_bytes().as_slice()].concat()
}

pub(super) fn decode_order(bytes: &[u8]) -> Result<(BlobId, StatementDigest), Error> {
    let mut reader = Reader::versioned("signing order", bytes)?;
    let id = BlobId::from(reader.array::<32>()?);
    let digest = StatementDigest::from_bytes(reader.take(32)?).map_err(|e| reader.error(&e.to_string()))?;
    reader.end()?;
    Ok((id, digest))
}

fn blob(out: &mut Vec<u8>, blob: &Blob) {
    out.extend_from_slice(&blob.payload_length.to_be_bytes());
    out.extend_from_slice(blob.payload_digest.as_bytes());
    out.extend_from_slice(&blob.original_shards.to_be_bytes());
    out.extend_from_slice(&blob.total_shards.to_be_bytes());
    out.extend_from_slice(blob.shards_root.as_bytes());
    out.extend_from_slice(blob.fingerprints_hash.as_bytes());
}

struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn versioned(what: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::of_version(what, bytes, VERSION)
    }

    fn of_version(what: &'static str, bytes: &'a [u8], expected: u8) -> Result<Self, Error> {
        let mut reader = Self { what, rest: bytes };
        match reader.take(1)?[0] {
            version if version == expected => Ok(reader),
            version => Err(reader.error(&format!("version {version}, expected {expected}"))),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.error(&format!("{count} more bytes expected, got {}", self.rest.len())))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn blob(&mut self) -> Result<Blob, Error> {
        Ok(Blob {
            payload_length: self.u32()?,
            payload_digest: self.array::<32>()?.into(),
            original_shards: self.u16()?,
            total_shards: self.u16()?,
            shards_root: self.array::<32>()?.into(),
            fingerprints_hash: self.array::<32>()?.into(),
        })
    }

    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(&format!("{} bytes too many", self.rest.len()))) }
    }

    fn error(&self, reason: &str) -> Error {
        Error::Record { what: self.what, reason: reason.into() }
    }
}
