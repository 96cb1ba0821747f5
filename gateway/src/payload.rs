//! A payload, and where caches keep it.

use bytes::Bytes;
use holdfast_erasure::{Blob, BlobId, Digest};

/// What the names of cached files end with.
const SUFFIX: &str = "blob";

/// A payload, and the blob that it is.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) blob: Blob,
    pub(crate) bytes: Bytes,
}

/// Where a payload lies: by its keccak256 if its blob was dispersed by payload, else by the blob's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Digest(Digest),
    Blob(BlobId),
}

impl Place {
    /// The place of a blob's payload.
    pub(crate) fn of(blob: &Blob) -> Self {
        if blob.is_by_payload() { Self::Digest(blob.payload_digest) } else { Self::Blob(blob.id()) }
    }

    /// The name of its file.
    pub(crate) fn name(&self) -> String {
        let (kind, bytes) = match self {
            Self::Digest(digest) => ('p', digest.as_bytes()),
            Self::Blob(id) => ('b', id.as_bytes()),
        };
        format!("{kind}-{}.{SUFFIX}", hex::encode(bytes))
    }

    /// The place whose file has this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (kind, digits) = name.strip_suffix(SUFFIX)?.strip_suffix('.')?.split_once('-')?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        match kind {
            "p" => Some(Self::Digest(bytes.into())),
            "b" => Some(Self::Blob(bytes.into())),
            _ => None,
        }
    }
}
