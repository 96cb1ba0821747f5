//! An object of the archive, in bytes.
//!
//! ```text
//! HFAR | 01 | length of the head 4 | head | data
//! head: index 2 (ffff for a whole payload) | length of data 4 | length of commitment 4 | commitment | promises 2
//!       | each: length 2 | promise | signature 48 | length of certificate 2 | certificate, perhaps none
//! ```
//!
//! Integers are big-endian; commitment and promise are the store's records, each with its version. The signature is this member's
//! own on the promise's statement: nobody else can make an object from which a member takes a promise for its own.

use bytes::{BufMut as _, Bytes, BytesMut};
use holdfast_erasure::{BlobId, Commitment, keccak256};

use crate::store::{Kept, Promise, decode_commitment, encode_commitment, promised_until};

const MAGIC: &[u8; 4] = b"HFAR";
const VERSION: u8 = 1;
/// What stands before the head.
pub(super) const PREFIX: usize = 9;
/// The index of a whole payload.
const WHOLE: u16 = u16::MAX;
/// The longest head.
pub(super) const MOST_HEAD: u64 = 1 << 20;
/// So many promises are archived of an object at most: those that have it kept the longest. Nothing of it is lost with the others,
/// since they end before, or are about another shard.
const MOST_PROMISES: usize = 1000;

/// The folder of objects.
pub(super) const FOLDER: &str = "blobs";

/// A promise, with this member's signature and the certificate where one is known.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) promise: Promise,
    pub(super) signature: [u8; 48],
    pub(super) certificate: Bytes,
}

/// What stands before the data. Decoded, and not checked.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The shard's index; `None` for a whole payload.
    pub(super) index: Option<u16>,
    pub(super) length: u32,
    pub(super) commitment: Commitment,
    pub(super) promises: Vec<Signed>,
}

/// The object's name.
pub(super) fn name(id: &BlobId, index: Option<u16>) -> String {
    let id = hex::encode(id.as_bytes());
    match index {
        Some(index) => format!("{FOLDER}/{}/{id}-{index:03}", &id[..2]),
        None => format!("{FOLDER}/{}/{id}-whole", &id[..2]),
    }
}

/// The name of what is kept.
pub(super) fn name_of(kept: &Kept) -> String {
    name(&kept.id(), kept.index())
}

/// The most bytes that the object of so much data has.
pub(super) fn most(length: u32) -> u64 {
    PREFIX as u64 + MOST_HEAD + u64::from(length)
}

impl Head {
    /// With the promises that have it kept the longest, so many as there may be.
    pub(super) fn new(index: Option<u16>, length: u32, commitment: Commitment, mut promises: Vec<Signed>) -> Self {
        promises.sort_by_key(|Signed { promise, .. }| {
            std::cmp::Reverse((promised_until(promise, &commitment, index), promise.statement.retain_until))
        });
        promises.truncate(MOST_PROMISES);
        Self { index, length, commitment, promises }
    }

    /// The object.
    pub(super) fn encode(&self, data: &[u8]) -> Bytes {
        let head = self.head();
        let mut out = BytesMut::with_capacity(PREFIX + head.len() + data.len());
        out.put_slice(MAGIC);
        out.put_u8(VERSION);
        out.put_u32(u32::try_from(head.len()).expect("a head is short"));
        out.put_slice(&head);
        out.put_slice(data);
        out.freeze()
    }

    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u16(self.index.unwrap_or(WHOLE));
        out.put_u32(self.length);
        let commitment = encode_commitment(&self.commitment);
        out.put_u32(u32::try_from(commitment.len()).expect("a commitment is short"));
        out.put_slice(&commitment);
        out.put_u16(u16::try_from(self.promises.len()).expect("they are bounded"));
        for signed in &self.promises {
            for (bytes, signature) in
                [(signed.promise.encode().as_slice(), Some(&signed.signature)), (&signed.certificate, None)]
            {
                out.put_u16(u16::try_from(bytes.len()).expect("promises and certificates are short"));
                out.put_slice(bytes);
                if let Some(signature) = signature {
                    out.put_slice(signature);
                }
            }
        }
        out
    }

    /// How many bytes the head takes, from the first ones of the object.
    pub(super) fn length_in(start: &[u8]) -> Result<usize, String> {
        let prefix: &[u8; PREFIX] = start.first_chunk().ok_or("it is shorter than any object")?;
        if !prefix.starts_with(MAGIC) {
            return Err("it is no object of an archive".into());
        }
        if prefix[4] != VERSION {
            return Err(format!("its version is {}, expected {VERSION}", prefix[4]));
        }
        let length = u32::from_be_bytes([prefix[5], prefix[6], prefix[7], prefix[8]]);
        if u64::from(length) > MOST_HEAD {
            return Err(format!("its head has {length} bytes, expected at most {MOST_HEAD}"));
        }
        Ok(length as usize)
    }

    /// The head in the first bytes of an object, which has `all` bytes.
    pub(super) fn decode(start: &[u8], all: u64) -> Result<Self, String> {
        let length = Self::length_in(start)?;
        let mut reader = Reader(start.get(PREFIX..PREFIX + length).ok_or("its head is cut off")?);
        let index = Some(reader.u16()?).filter(|index| *index != WHOLE);
        let data = reader.u32()?;
        let commitment = reader.u32()? as usize;
        let commitment = decode_commitment(reader.take(commitment)?).map_err(|e| e.to_string())?;
        let count = reader.u16()?;
        let mut promises = Vec::new();
        for _ in 0..count {
            let promise = reader.u16()?;
            let promise = Promise::decode(reader.take(promise.into())?).map_err(|e| e.to_string())?;
            let signature = *reader.take(48)?.first_chunk().ok_or("a signature is cut off")?;
            let certificate = reader.u16()?;
            let certificate = Bytes::copy_from_slice(reader.take(certificate.into())?);
            promises.push(Signed { promise, signature, certificate });
        }
        if !reader.0.is_empty() {
            return Err(format!("its head has {} bytes too many", reader.0.len()));
        }
        let expected = (PREFIX + length) as u64 + u64::from(data);
        if all != expected {
            return Err(format!("it has {all} bytes, expected {expected}"));
        }
        let head = Self { index, length: data, commitment, promises };
        head.check()?;
        Ok(head)
    }

    /// Whether length and promises are of the blob that is committed to.
    fn check(&self) -> Result<(), String> {
        let blob = self.commitment.blob();
        let id = self.commitment.id();
        let expected = match self.index {
            Some(index) if index >= blob.total_shards => return Err(format!("it has no shard {index}")),
            Some(_) => self.commitment.shard_length(),
            None if !blob.is_by_payload() => return Err("it was not dispersed by payload".into()),
            None => blob.payload_length as usize,
        };
        if self.length as usize != expected {
            return Err(format!("it has {} bytes of data, expected {expected}", self.length));
        }
        match self.promises.iter().find(|signed| signed.promise.statement.blob.id() != id) {
            Some(other) => Err(format!("a promise is of blob {}", other.promise.statement.blob.id())),
            None => Ok(()),
        }
    }

    /// Whether the data is what is committed to.
    pub(super) fn accept(&self, data: &Bytes) -> Result<(), String> {
        match self.index {
            Some(index) => {
                let index = self.commitment.parameters().index(index).map_err(|e| e.to_string())?;
                self.commitment.accept(index, data.clone()).map(drop).map_err(|e| e.to_string())
            }
            None if keccak256(data) == self.commitment.blob().payload_digest => Ok(()),
            None => Err("it is not the payload".into()),
        }
    }
}

/// The data of an object, if that is what is kept. Nothing else of the object is believed.
pub(super) fn data(object: &Bytes, kept: &Kept) -> Result<Bytes, String> {
    let length = Head::length_in(object)?;
    let from = (PREFIX + length).min(object.len());
    let data = object.slice(from..);
    if data.len() != kept.length() as usize {
        return Err(format!("it has {} bytes of data, expected {}", data.len(), kept.length()));
    }
    let got = match kept.index() {
        Some(_) => holdfast_erasure::merkle::shard_root(&data),
        None => keccak256(&data),
    };
    if got == kept.root() { Ok(data) } else { Err(format!("expected root {}, got {got}", kept.root())) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| format!("{count} more bytes expected, got {}", self.0.len()))?;
        self.0 = rest;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(*self.take(2)?.first_chunk().ok_or("a number is cut off")?))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(*self.take(4)?.first_chunk().ok_or("a number is cut off")?))
    }
}

#[cfg(test)]
mod tests;
