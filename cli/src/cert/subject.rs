//! What `cert show`, `verify` and `publish` are given: a certificate, or a checkpoint (its first byte says which).

use std::path::Path;

use holdfast_certificate::{
    Certificate, Checkpoint, CheckpointCertificate, Committee, Error, Namespace, VerifiedCertificate,
    VerifiedCheckpoint,
};
use holdfast_l1::ChainRegistry;
use holdfast_registry::Status;

use crate::{
    exit::{Exit, fail},
    files,
};

/// First byte of a checkpoint, and of no certificate.
const CHECKPOINT: u8 = 0xc1;

/// The most members that a committee has.
const MOST_MEMBERS: usize = 126;

/// A well-formed certificate or checkpoint.
#[derive(Debug)]
pub(super) enum Subject {
    Certificate(Box<Certificate>),
    Checkpoint(Box<CheckpointCertificate>),
}

/// One whose signatures verified.
#[derive(Debug)]
pub(crate) enum Verified {
    Certificate(Box<VerifiedCertificate>),
    Checkpoint(Box<VerifiedCheckpoint>),
}

impl Subject {
    /// The name of a file, or bytes in hex; in compact encoding.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let bytes = read_bytes(text)?;
        if bytes.first() == Some(&CHECKPOINT) {
            return match decode_checkpoint(&bytes) {
                Ok(checkpoint) => Ok(Self::Checkpoint(Box::new(checkpoint))),
                Err(error) => fail(Exit::Verification, format!("not a checkpoint: {error}")),
            };
        }
        match Certificate::decode(&bytes) {
            Ok(certificate) => Ok(Self::Certificate(Box::new(certificate))),
            Err(error) => fail(Exit::Verification, format!("not a certificate: {error}")),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        match self {
            Self::Certificate(it) => it.statement.epoch,
            Self::Checkpoint(it) => it.checkpoint.epoch,
        }
    }

    pub(super) fn namespace(&self) -> &Namespace {
        match self {
            Self::Certificate(it) => &it.statement.namespace,
            Self::Checkpoint(it) => &it.checkpoint.namespace,
        }
    }

    pub(super) fn retain_until(&self) -> u64 {
        match self {
            Self::Certificate(it) => it.statement.retain_until,
            Self::Checkpoint(it) => it.checkpoint.retain_until,
        }
    }

    /// Checks form and signatures against the committee of the epoch.
    pub(super) fn verify(&self, committee: &Committee) -> Result<Verified, Error> {
        match self {
            Self::Certificate(it) => Ok(Verified::Certificate(Box::new(it.verify(committee)?))),
            Self::Checkpoint(it) => {
                // Only now it is known how many signers there can be.
                let strict = CheckpointCertificate::decode(&it.encode(), committee.parameters().total_shards())?;
                Ok(Verified::Checkpoint(Box::new(strict.verify(committee)?)))
            }
        }
    }

    /// What the registry contract says of it.
    pub(super) async fn ask(&self, chain: &ChainRegistry, at: Option<u64>) -> anyhow::Result<Status> {
        Ok(match self {
            Self::Certificate(it) => chain.verify_on_chain(it, at).await?,
            Self::Checkpoint(it) => chain.verify_checkpoint_on_chain(it, at).await?,
        })
    }
}

/// The bytes of a file, or those that the text is the hex of.
pub(super) fn read_bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    match text.strip_prefix("0x").map(hex::decode) {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => fail(Exit::Usage, format!("{text} is no hex: {error}")),
        None if Path::new(text).exists() => files::read(Path::new(text)),
        None => fail(Exit::Usage, format!("{text} is no certificate or checkpoint in hex, and no file")),
    }
}

/// Decodes a checkpoint of a committee whose size is not known: as large a one as its length allows.
pub(super) fn decode_checkpoint(bytes: &[u8]) -> Result<CheckpointCertificate, Error> {
    Checkpoint::peek(bytes)?;
    let shortest = CheckpointCertificate::compact_length(1);
    let members = (bytes.len().saturating_sub(shortest) + 1).saturating_mul(8).min(MOST_MEMBERS);
    CheckpointCertificate::decode(bytes, u16::try_from(members).unwrap_or(u16::MAX))
}
