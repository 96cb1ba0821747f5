//! A publisher as a service: jobs are handed in, carried out in the background, and asked about.

use std::time::Duration;

use alloy::sol_types::SolCall as _;
use holdfast_certificate::{VerifiedCertificate, VerifiedCheckpoint};
use holdfast_contracts::{
    address_out,
    bindings::CommitteeRegistry::{publishCall, publishCheckpointCall},
};
use holdfast_erasure::Digest;

use super::{
    Publisher,
    error::Error,
    job::{Job, JobStatus, PublishReceipt, Until},
};

impl Publisher {
    /// Takes in a job and returns. With a journal it is on disk then, and will be carried out.
    ///
    /// # Errors
    /// [`Error::Journal`] when it cannot be written.
    pub async fn submit(&self, job: Job) -> Result<JobStatus, Error> {
        self.outbox.submit(job.id, Some(address_out(self.registry)), job.call.into()).await
    }

    /// [`Publisher::submit`] for the publication of a certificate. The job's id is the statement's EIP-712 digest, so that
    /// one statement is one job, however often and by whomever signed it comes.
    ///
    /// # Errors
    /// As [`Publisher::submit`].
    pub async fn submit_certificate(&self, certificate: &VerifiedCertificate) -> Result<JobStatus, Error> {
        let call = publishCall { certificate: certificate.encode_l1().into() };
        let id = Digest::from(*certificate.digest(&self.domain()).as_bytes());
        self.submit(Job { id, call: call.abi_encode() }).await
    }

    /// [`Publisher::submit_certificate`] for a checkpoint.
    ///
    /// # Errors
    /// As [`Publisher::submit`].
    pub async fn submit_checkpoint(&self, checkpoint: &VerifiedCheckpoint) -> Result<JobStatus, Error> {
        let call = publishCheckpointCall { checkpoint: checkpoint.encode_l1().into() };
        let id = Digest::from(*checkpoint.digest(&self.domain()).as_bytes());
        self.submit(Job { id, call: call.abi_encode() }).await
    }

    /// A job as it is now; `None` if there is none of that id.
    #[must_use]
    pub fn status(&self, id: &Digest) -> Option<JobStatus> {
        self.outbox.status(id)
    }

    /// Every job that is neither final nor failed, in the order of nonces, then of submission.
    #[must_use]
    pub fn pending(&self) -> Vec<JobStatus> {
        self.outbox.pending()
    }

    /// Looks at the chain once, and does for every job what is next. Gives how many are neither final nor failed.
    ///
    /// # Errors
    /// [`Error::Journal`], after which nothing more is sent; or an L1 error, after which a later round goes on.
    pub async fn drive(&self) -> Result<usize, Error> {
        self.outbox.drive().await
    }

    /// [`Publisher::drive`] again and again, until `stop` is ready. A job that is under way then goes on in the next run.
    ///
    /// # Errors
    /// [`Error::Journal`]: what goes wrong with the node is logged and tried again.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        self.outbox.run(stop).await
    }

    /// Drives until a job is mined or final.
    ///
    /// # Errors
    /// What the contract says against it; [`Error::Unfunded`] at once; after `limit` [`Error::NotSent`],
    /// [`Error::NotMined`] or a time-out, none of which ends the job.
    pub async fn wait(&self, id: &Digest, until: Until, limit: Duration) -> Result<PublishReceipt, Error> {
        self.outbox.wait(id, until, limit).await
    }
}
