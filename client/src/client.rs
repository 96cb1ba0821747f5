use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::Namespace;
use holdfast_erasure::{BlobId, Digest};
use holdfast_registry::EpochRecord;

use crate::{
    context::Context,
    disperse::{
        certify::Dispersed,
        checkpoint::{self, Checkpointed},
        disperser,
        options::{DisperseOptions, RenewOptions},
        renewal,
    },
    error::{Error, Wanted},
    retrieve::{
        find,
        gather::{self, Gathered},
        listing::{self, Listing},
        lookup::{self, Found, LookupOptions},
        options::RetrieveOptions,
        reference::Reference,
        retriever::{self, Retrieved},
    },
    source::{self, Source},
    status::{self, MemberStatus},
};

/// Disperses payloads to a committee and reads them back. Cheap to clone; all clones share connections.
///
/// # Cancellation
///
/// Every future may be dropped at any time: requests in flight are cut, and no task is left behind. The one thing that
/// outlives a call is the feeding of slow members after [`Client::disperse`] has returned; it belongs to the client, ends
/// within [`Config::background_limit`](crate::config::Config::background_limit), is awaited by [`Client::drain`] and [`Client::close`], and is cancelled when the
/// last clone is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    context: Arc<Context>,
}

impl Client {
    pub(crate) fn new(context: Context) -> Self {
        Self { context: Arc::new(context) }
    }

    /// Disperses a payload and returns its certificate as soon as the epoch's threshold of members has attested.
    ///
    /// Slow members are fed on in the background, and every member is given the certificate:
    /// [`Dispersed::feeding`] tells how that goes. Dispersing the same payload with the same times again makes the same
    /// statement; members answer it from what they hold.
    ///
    /// A member that is busy, or for which another epoch is still active, is asked again until the deadline; where the
    /// registry says that the epoch has changed, all are asked anew in the new one.
    ///
    /// # Errors
    /// Before anything is sent: [`Error::EmptyPayload`], [`Error::PayloadTooLarge`], [`Error::UnknownNamespace`],
    /// [`Error::NotADisperser`], [`Error::TooSoon`], [`Error::Statement`], [`Error::Invalid`], [`Error::NotConfigured`];
    /// [`Error::Registry`] when the active epoch cannot be read; [`Error::Closed`].
    /// [`Error::QuorumNotReached`], within the deadline, with a reason for every member that did not attest.
    pub async fn disperse(&self, payload: impl Into<Bytes>, options: DisperseOptions) -> Result<Dispersed, Error> {
        disperser::disperse(&self.context, payload.into(), options).await
    }

    /// Has the members of the active epoch hold a blob on, until a later time: also what an earlier epoch has signed. Members
    /// that hold their part are asked for their attestation alone; the payload is read only where a member lacks its part, and
    /// given to it. Where a certificate of the active epoch holds as long already, it is returned.
    ///
    /// # Errors
    /// As [`Client::disperse`], and as [`Client::retrieve`] where nobody tells what the blob is, or too few hold it and it cannot
    /// be read; [`Error::Invalid`] where the active epoch has another code, so that the payload makes another blob in it.
    pub async fn renew(&self, id: BlobId, options: RenewOptions) -> Result<Dispersed, Error> {
        renewal::renew(&self.context, id, options).await
    }

    /// Has the members sign one statement over many blobs of a namespace (the client's, where none is given), all of which
    /// they have signed in the active epoch, until `retain_until` or later: unix seconds, a whole hour. The ids may be in any
    /// order.
    ///
    /// Nothing is stored for it, so a slow member is not waited for after the quorum. Each member has the client's
    /// dispersal deadline.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no ids, more than 4096, or one that is there twice; [`Error::QuorumNotReached`], with a reason for
    /// every member that did not attest, which names the first blob that it does not hold as asked;
    /// [`Error::UnknownNamespace`], [`Error::NotADisperser`], [`Error::TooSoon`], [`Error::Statement`],
    /// [`Error::NotConfigured`], [`Error::Registry`], [`Error::Closed`].
    pub async fn checkpoint(
        &self,
        namespace: Option<Namespace>,
        ids: &[BlobId],
        retain_until: u64,
    ) -> Result<Checkpointed, Error> {
        checkpoint::checkpoint(&self.context, namespace, ids, retain_until).await
    }

    /// Reads a blob's payload, believing no member. By id alone it is looked for in the active epoch, or else in the newest that
    /// was active, and in those before it. A member that is busy is asked again until the deadline.
    ///
    /// # Errors
    /// [`Error::NotFound`] when so many members deny the blob that it is certain; [`Error::PromiseBroken`] when those that
    /// signed the certificate given are among them; [`Error::Unknown`] when fewer do; [`Error::Expired`];
    /// [`Error::NotRetrievable`] when fewer than `k` shards were accepted within the deadline;
    /// [`Error::Certificate`] when the certificate given is not genuine; [`Error::Registry`], [`Error::Closed`].
    pub async fn retrieve(
        &self,
        reference: impl Into<Reference>,
        options: RetrieveOptions,
    ) -> Result<Retrieved, Error> {
        retriever::retrieve(&self.context, reference.into(), options).await
    }

    /// `k` accepted shards of a blob, from which any other can be rebuilt: what [`Client::retrieve`] decodes.
    ///
    /// # Errors
    /// As [`Client::retrieve`] by blob id.
    pub async fn gather(&self, id: BlobId, options: RetrieveOptions) -> Result<Gathered, Error> {
        gather::gather(&self.context, id, options).await
    }

    /// The members of an epoch one by one, in slot order, for those who must know what a certain one says.
    ///
    /// Must be called within a Tokio runtime.
    #[must_use]
    pub fn sources(&self, record: &EpochRecord) -> Vec<Source> {
        source::sources(&self.context, record)
    }

    /// The blobs of a namespace whose payload has this keccak256, latest retention first as members list them. Each was
    /// checked to bind that digest. Only blobs dispersed by payload can be found.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Unknown`] when there is none; [`Error::NotConfigured`] without a namespace;
    /// [`Error::Registry`], [`Error::Closed`].
    pub async fn find(&self, payload_digest: Digest) -> Result<Vec<BlobId>, Error> {
        find::find(&self.context, payload_digest).await
    }

    /// Everything that members of the newest epochs, 32 at most, have signed in a namespace (the client's, where none is given),
    /// put together: also what has expired and what never got a certificate.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] without a namespace; [`Error::Registry`], [`Error::Closed`]. A member that does not answer
    /// within the time is in the result.
    pub async fn list(&self, namespace: Option<Namespace>, within: Duration) -> Result<Listing, Error> {
        listing::list(&self.context, self.context.namespace(namespace)?, within).await
    }

    /// What members know of a blob, by its id or by keccak256 of its payload: the blob, and its certificates, verified.
    /// The members of the newest epoch are asked, and those of the epochs before it where that does not suffice.
    ///
    /// By digest only blobs of the client's namespace that were dispersed by payload are found.
    ///
    /// # Errors
    /// [`Error::NotFound`] when `n - k + 1` members of every epoch deny it; [`Error::Unknown`] when fewer do, or when
    /// there are more epochs than are searched; [`Error::NotConfigured`] for a digest without a namespace;
    /// [`Error::Registry`], [`Error::Closed`].
    pub async fn lookup(&self, wanted: Wanted, options: LookupOptions) -> Result<Vec<Found>, Error> {
        lookup::lookup(&self.context, wanted, options).await
    }

    /// What every member of the active epoch says of itself, or of the newest that was active where none is.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Closed`]; a member that does not answer is a value, not an error.
    pub async fn status(&self) -> Result<Vec<MemberStatus>, Error> {
        status::status(&self.context).await
    }

    /// Waits until no dispersal is fed in the background.
    pub async fn drain(&self) {
        self.context.background.drained().await;
    }

    /// Refuses new calls, on all clones, and waits until no dispersal is fed in the background.
    pub async fn close(&self) {
        self.context.close();
        self.drain().await;
    }

    /// Dispersals that are still fed in the background.
    #[must_use]
    pub fn background_tasks(&self) -> usize {
        self.context.background.tasks()
    }
}
