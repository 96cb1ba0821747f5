//! What `cert show`, `verify` and `publish` are given: a certificate, or a checkpoint.

use holdfast_certificate::{
    Certificate, CheckpointCertificate, Committee, Error, Namespace, VerifiedCertificate, VerifiedCheckpoint,
};
use holdfast_l1::ChainRegistry;
use holdfast_registry::Status;

use crate::{
    exit::{Exit, fail},
    given::Given,
};

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
    /// As [`Given::read`]; a blob id is none.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        match Given::read(text)? {
            Given::Certificate(certificate) => Ok(Self::Certificate(certificate)),
            Given::Checkpoint(checkpoint) => Ok(Self::Checkpoint(checkpoint)),
            Given::BlobId(id) => {
                fail(Exit::Usage, format!("{id} is a blob id, expected a certificate or a checkpoint"))
            }
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
