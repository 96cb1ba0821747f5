//! What the gateway answers, as far as it is used.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Where the blob stands in a certificate in the L1 encoding, and how long it is.
const BLOB_AT: usize = 41;
const BLOB_BYTES: usize = 104;
/// The whole of it.
const CERTIFICATE_BYTES: usize = 321;

/// Of `PUT /v1/blobs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    pub(crate) keccak256: String,
}

/// Of `GET /v1/blobs/{blob}/certificate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Certificate {
    pub(crate) blob_id: String,
    certificate_l1: String,
}

/// Of `GET /v1/blobs/{blob}/inclusion`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inclusion {
    proof: String,
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
}

/// Of `GET /v1/committee`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Committee {
    pub(crate) max_payload: usize,
}

impl Certificate {
    /// The certificate as contracts take it.
    pub(crate) fn encoded(&self) -> anyhow::Result<Vec<u8>> {
        let bytes = bytes_of(&self.certificate_l1)?;
        ensure!(
            bytes.len() == CERTIFICATE_BYTES,
            "expected a certificate of {CERTIFICATE_BYTES} bytes, got {}",
            bytes.len()
        );
        Ok(bytes)
    }

    /// The blob that it is of, as `PubdataValidator` takes it.
    pub(crate) fn blob(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.encoded()?[BLOB_AT..BLOB_AT + BLOB_BYTES].to_vec())
    }
}

impl Inclusion {
    /// The proof as contracts take it.
    pub(crate) fn encoded(&self) -> anyhow::Result<Vec<u8>> {
        bytes_of(&self.proof)
    }
}

fn bytes_of(text: &str) -> anyhow::Result<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).context("the gateway's answer is not hex")
}
