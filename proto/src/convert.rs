//! Wire to domain by `TryFrom`, with every size checked; domain to wire by `From`.

use bytes::Bytes;
use holdfast_certificate::{Attestation, Checkpoint, DisperserSignature, Namespace, Signature, Statement};
use holdfast_erasure::{Blob, BlobId, Commitment, Digest, FINGERPRINT_BYTES, Parameters};

use crate::{error::Error, v1};

/// A 32-byte hash.
pub fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, Error> {
    Ok(Digest::from(array::<32>(field, bytes)?))
}

/// A blob id.
pub fn blob_id(bytes: &[u8]) -> Result<BlobId, Error> {
    Ok(BlobId::from(array::<32>("blob_id", bytes)?))
}

/// A namespace.
pub fn namespace(bytes: &[u8]) -> Result<Namespace, Error> {
    Ok(Namespace::from(array::<32>("namespace", bytes)?))
}

/// A disperser's signature, 65 bytes.
pub fn disperser_signature(bytes: &[u8]) -> Result<DisperserSignature, Error> {
    let field = "disperser_signature";
    DisperserSignature::from_bytes(&array::<65>(field, bytes)?)
        .map_err(|e| Error::Invalid { field, reason: e.to_string() })
}

/// Exactly `count` hashes laid end to end.
pub fn digests(field: &'static str, bytes: &[u8], count: usize) -> Result<Vec<Digest>, Error> {
    length(field, bytes, count * 32)?;
    bytes.chunks_exact(32).map(|hash| digest(field, hash)).collect()
}

/// Hashes laid end to end.
pub fn digests_to_bytes(digests: &[Digest]) -> Bytes {
    digests.iter().flat_map(|digest| *digest.as_bytes()).collect::<Vec<u8>>().into()
}

/// Blob ids laid end to end, at most as many as a checkpoint takes. Whether they are in order is the checkpoint's to check.
pub fn blob_ids(bytes: &[u8]) -> Result<Vec<BlobId>, Error> {
    let field = "blob_ids";
    let (ids, rest) = bytes.as_chunks::<32>();
    let most = Checkpoint::MAX_BLOBS as usize;
    if ids.len() > most {
        return Err(Error::Length { field, expected: most * 32, got: bytes.len() });
    }
    if ids.is_empty() || !rest.is_empty() {
        return Err(Error::Length { field, expected: ids.len().max(1) * 32, got: bytes.len() });
    }
    Ok(ids.iter().map(|id| BlobId::from(*id)).collect())
}

/// Blob ids laid end to end.
pub fn blob_ids_to_bytes(ids: &[BlobId]) -> Bytes {
    ids.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>().into()
}

/// A checked commitment from its parts on the wire. The sizes of roots and fingerprints follow from the blob and are
/// checked before anything is allocated.
pub fn commitment(blob: Blob, shard_roots: &[u8], fingerprints: Bytes) -> Result<Commitment, Error> {
    let parameters = blob.parameters().map_err(|e| invalid("blob", &e))?;
    let roots = digests("shard_roots", shard_roots, usize::from(parameters.total_shards()))?;
    length("fingerprints", &fingerprints, usize::from(parameters.original_shards()) * 2 * FINGERPRINT_BYTES)?;
    Commitment::new(blob, roots, fingerprints).map_err(|e| invalid("commitment", &e))
}

impl TryFrom<&v1::Blob> for Blob {
    type Error = Error;

    /// Checks sizes, and that `1 <= original_shards < total_shards <= 126`; the epoch's parameters are the caller's to
    /// check.
    fn try_from(wire: &v1::Blob) -> Result<Self, Error> {
        let blob = Self {
            payload_length: wire.payload_length,
            payload_digest: digest("payload_digest", &wire.payload_digest)?,
            original_shards: small("original_shards", wire.original_shards)?,
            total_shards: small("total_shards", wire.total_shards)?,
            shards_root: digest("shards_root", &wire.shards_root)?,
            fingerprints_hash: digest("fingerprints_hash", &wire.fingerprints_hash)?,
        };
        Parameters::new(blob.original_shards, blob.total_shards).map_err(|e| invalid("blob", &e))?;
        Ok(blob)
    }
}

impl From<&Blob> for v1::Blob {
    fn from(blob: &Blob) -> Self {
        Self {
            payload_length: blob.payload_length,
            payload_digest: bytes_of(&blob.payload_digest),
            original_shards: blob.original_shards.into(),
            total_shards: blob.total_shards.into(),
            shards_root: bytes_of(&blob.shards_root),
            fingerprints_hash: bytes_of(&blob.fingerprints_hash),
        }
    }
}

impl TryFrom<&v1::Statement> for Statement {
    type Error = Error;

    fn try_from(wire: &v1::Statement) -> Result<Self, Error> {
        Ok(Self {
            namespace: namespace(&wire.namespace)?,
            epoch: wire.epoch,
            blob: Blob::try_from(wire.blob.as_ref().ok_or(Error::Missing { field: "blob" })?)?,
            whole_until: wire.whole_until,
            retain_until: wire.retain_until,
        })
    }
}

impl From<&Statement> for v1::Statement {
    fn from(statement: &Statement) -> Self {
        Self {
            namespace: Bytes::copy_from_slice(statement.namespace.as_bytes()),
            epoch: statement.epoch,
            blob: Some((&statement.blob).into()),
            whole_until: statement.whole_until,
            retain_until: statement.retain_until,
        }
    }
}

impl TryFrom<&v1::Attestation> for Attestation {
    type Error = Error;

    /// The signature is a point of the right group and not the identity; whose it is and what it signs is not yet
    /// checked.
    fn try_from(wire: &v1::Attestation) -> Result<Self, Error> {
        let field = "signature";
        let signature = Signature::from_bytes(&array::<48>(field, &wire.signature)?).map_err(|e| invalid(field, &e))?;
        Ok(Self { slot: small("slot", wire.slot)?, signature })
    }
}

impl From<&Attestation> for v1::Attestation {
    fn from(attestation: &Attestation) -> Self {
        Self { slot: attestation.slot.into(), signature: Bytes::copy_from_slice(&attestation.signature.to_bytes()) }
    }
}

impl TryFrom<&v1::Commitment> for Commitment {
    type Error = Error;

    fn try_from(wire: &v1::Commitment) -> Result<Self, Error> {
        let blob = Blob::try_from(wire.blob.as_ref().ok_or(Error::Missing { field: "blob" })?)?;
        commitment(blob, &wire.shard_roots, wire.fingerprints.clone())
    }
}

impl From<&Commitment> for v1::Commitment {
    fn from(commitment: &Commitment) -> Self {
        Self {
            blob: Some(commitment.blob().into()),
            shard_roots: digests_to_bytes(commitment.shard_roots()),
            fingerprints: commitment.fingerprints().clone(),
        }
    }
}

fn bytes_of(digest: &Digest) -> Bytes {
    Bytes::copy_from_slice(digest.as_bytes())
}

fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Length { field, expected: N, got: bytes.len() })
}

fn length(field: &'static str, bytes: &[u8], expected: usize) -> Result<(), Error> {
    if bytes.len() == expected { Ok(()) } else { Err(Error::Length { field, expected, got: bytes.len() }) }
}

fn small(field: &'static str, value: u32) -> Result<u16, Error> {
    u16::try_from(value).map_err(|_| Error::TooLarge { field, max: u16::MAX.into(), got: value.into() })
}

fn invalid(field: &'static str, error: &dyn std::error::Error) -> Error {
    Error::Invalid { field, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
