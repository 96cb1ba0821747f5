//! Has the members of the active epoch hold a blob longer, from what they hold already.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Attestation, Namespace, Statement};
use holdfast_erasure::{BlobId, Commitment, Dispersal, EncodedBlob, encode};
use holdfast_proto::{digests_to_bytes, v1};
use holdfast_registry::EpochRecord;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::{
    certify::{Deliver, Dispersed, Plan, certify, known},
    existing::existing,
    options::RenewOptions,
    rules,
    signing::sign,
    statement::{self, Times},
};
use crate::{
    config::MAX_WAIT,
    context::{Context, unix_now},
    error::Error,
    failure::FailureReason,
    members::Member,
    retries,
    retrieve::{gather, options::RetrieveOptions, retriever::retrieve},
    signer::DisperserSigner,
};

/// How long a member has to read back and check what it says that it holds.
const RECALL: Duration = Duration::from_secs(5);

/// A payload that is renewed by payload is kept whole for at least so long; longer where that was promised before.
const WHOLE: Duration = Duration::from_secs(3600);

pub(crate) async fn renew(context: &Context, id: BlobId, options: RenewOptions) -> Result<Dispersed, Error> {
    let allowed = options.deadline.unwrap_or(context.config.disperse_deadline).min(MAX_WAIT);
    let span = tracing::info_span!("renew", blob = %id);
    let attempt = |left| once(context, id, options, left);
    retries::until(context.config.retries, allowed, attempt).instrument(span).await
}

async fn once(context: &Context, id: BlobId, options: RenewOptions, allowed: Duration) -> Result<Dispersed, Error> {
    context.check_open()?;
    let started = Instant::now();
    let deadline = started + allowed;
    let (namespace, key) = (context.namespace(options.namespace)?, context.disperser()?);
    statement::check_span(options.retain_for)?;
    let (active, rules, located) = tokio::join!(
        context.active_epoch(deadline),
        context.rules(&namespace, deadline),
        gather::commitment(context, id, deadline),
    );
    let (record, commitment) = (active?, located?);
    let dispersal = if commitment.blob().is_by_payload() { Dispersal::ByPayload } else { Dispersal::ByShard };
    let retention = options.retain_for.unwrap_or(context.config.retention);
    let times = statement::times(unix_now(), dispersal, options.retain_until, None, retention, WHOLE);
    rules::check(rules?.as_ref(), namespace, key.address(), &times, unix_now())?;
    if let Some(certificate) = existing(context, &record, id, namespace, times.retain_until, deadline).await {
        return Ok(known(certificate));
    }
    let (give, encoded) = watch::channel(None);
    let needed = Arc::new(Notify::new());
    let plan = Renewing { key, namespace, commitment, times, deadline, needed: Arc::clone(&needed), encoded };
    let certified = certify(context, record, (started, allowed), plan);
    let reading = async {
        needed.notified().await;
        match read(context, id, dispersal, deadline).await {
            Ok(encoded) => {
                give.send_replace(Some(Arc::new(encoded)));
                std::future::pending().await
            }
            Err(error) => error,
        }
    };
    let mut certified = std::pin::pin!(certified);
    let unread = tokio::select! {
        biased;
        certified = &mut certified => return certified,
        error = reading => error,
    };
    // Nobody can be given the data, but those that hold it may suffice.
    drop(give);
    match certified.await {
        Err(Error::QuorumNotReached { .. }) => Err(unread),
        outcome => outcome,
    }
}

/// From a commitment to a statement of the active epoch.
struct Renewing {
    key: Arc<dyn DisperserSigner>,
    namespace: Namespace,
    commitment: Commitment,
    times: Times,
    deadline: Instant,
    needed: Arc<Notify>,
    encoded: watch::Receiver<Option<Arc<EncodedBlob>>>,
}

impl Plan for Renewing {
    type Delivery = Renewal;

    async fn delivery(&mut self, record: &EpochRecord) -> Result<Renewal, Error> {
        let (blob, parameters) = (*self.commitment.blob(), record.committee.parameters());
        let (namespace, epoch, now) = (self.namespace, record.committee.epoch(), parameters.code());
        if blob.parameters().ok() != Some(now) {
            let (k, n) = (blob.original_shards, blob.total_shards);
            let reason = format!(
                "it is coded as {k} of {n} shards, and epoch {epoch} codes as {} of {}: read its payload and disperse that anew, \
                 which makes another blob",
                now.original_shards(),
                now.total_shards(),
            );
            return Err(Error::Invalid { what: "blob to renew", reason });
        }
        let Times { whole_until, retain_until } = self.times;
        let statement = Statement { namespace, epoch, blob, whole_until, retain_until };
        statement.check(parameters).map_err(Error::Statement)?;
        let signature = sign(&*self.key, statement.digest(record.committee.domain()), self.deadline).await?;
        Ok(Renewal {
            wire_statement: (&statement).into(),
            statement,
            disperser_signature: Bytes::copy_from_slice(&signature.to_bytes()),
            shard_roots: digests_to_bytes(self.commitment.shard_roots()),
            commitment: self.commitment.clone(),
            needed: Arc::clone(&self.needed),
            encoded: self.encoded.clone(),
        })
    }
}

/// The blob, read back and encoded again.
async fn read(context: &Context, id: BlobId, dispersal: Dispersal, deadline: Instant) -> Result<EncodedBlob, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    let got = retrieve(context, id.into(), RetrieveOptions::default().deadline(left)).await?;
    let parameters = got.blob.parameters().map_err(Error::Code)?;
    context.cpu.run(move || encode(parameters, got.payload, dispersal).map_err(Error::Code)).await
}

/// One signed statement over a blob that members hold. Who does not is given the data, once somebody has read it.
#[derive(Debug)]
struct Renewal {
    statement: Statement,
    wire_statement: v1::Statement,
    disperser_signature: Bytes,
    shard_roots: Bytes,
    commitment: Commitment,
    needed: Arc<Notify>,
    encoded: watch::Receiver<Option<Arc<EncodedBlob>>>,
}

impl Renewal {
    /// The attestation of a member that says that it holds its part; none where it has to be given it.
    async fn recalled(&self, member: &Member) -> Result<Option<Attestation>, FailureReason> {
        let held = match member.peer.get_blob_of(&self.commitment.id(), Some(&self.statement.namespace)).await {
            Ok(held) => held,
            Err(FailureReason::NotStored | FailureReason::Expired) => return Ok(None),
            Err(reason) => return Err(reason),
        };
        let (index, _) = self.part(member);
        let holds =
            if self.commitment.blob().is_by_payload() { held.whole } else { held.shard_indices.contains(&index) };
        if !holds {
            return Ok(None);
        }
        // Its copy may turn out damaged: then it waits for the data.
        timeout(RECALL, self.store(member, None)).await.ok().transpose()
    }

    async fn store(&self, member: &Member, data: Option<&EncodedBlob>) -> Result<Attestation, FailureReason> {
        let statement = Some(self.wire_statement.clone());
        let disperser_signature = self.disperser_signature.clone();
        if self.commitment.blob().is_by_payload() {
            let header = v1::StorePayloadHeader { statement, disperser_signature };
            return member.peer.store_payload(header, data.map(|data| data.payload().clone())).await;
        }
        let (shard_index, index) = self.part(member);
        let header = v1::StoreShardHeader {
            statement,
            disperser_signature,
            shard_index,
            shard_roots: self.shard_roots.clone(),
            fingerprints: self.commitment.fingerprints().clone(),
        };
        member.peer.store_shard(header, data.map(|data| data.shard(index))).await
    }

    fn part(&self, member: &Member) -> (u32, holdfast_erasure::ShardIndex) {
        let index = self.commitment.parameters().shard_of_slot(member.slot, &self.commitment.blob().shards_root);
        (index.get().into(), index)
    }
}

impl Deliver for Renewal {
    fn statement(&self) -> &Statement {
        &self.statement
    }

    async fn deliver(&self, member: &Member) -> Result<Attestation, FailureReason> {
        if let Some(attestation) = self.recalled(member).await? {
            return Ok(attestation);
        }
        self.needed.notify_one();
        let mut encoded = self.encoded.clone();
        let data = match encoded.wait_for(Option::is_some).await {
            Ok(data) => data.clone(),
            // Nobody reads it any more: the member is left to its own repair.
            Err(_) => None,
        };
        match data {
            Some(data) => self.store(member, Some(&data)).await,
            None => Err(FailureReason::NotStored),
        }
    }
}
