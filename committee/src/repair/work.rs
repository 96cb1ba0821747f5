//! One statement made whole: who says what of it, `k` accepted shards, this member's own shard from them, stored and signed.

use std::{sync::Arc, time::Duration};

use holdfast_certificate::{Certificate, PublicKey};
use holdfast_client::{Client, Error as ReadError, FailureReason, RetrieveOptions, Source};
use holdfast_erasure::{AcceptedShard, Commitment, ShardIndex};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use super::{
    bandwidth::Bandwidth,
    desk::Desk,
    queue::{Cause, Ending, Want},
};
use crate::{
    attestor::{Admitted, Attestor, Claim, Error},
    config::{REPAIR_KIB, repair_copies},
    store::{self, Holding, Unfillable},
};

/// Members that are asked for one statement's record.
const ASKED: usize = 5;
/// Of them, those whose answer without a certificate is heard.
const WITHOUT_CERTIFICATE: usize = 2;
/// How long one fetch may take.
const FETCH: Duration = Duration::from_secs(60);
/// Memory for what is fetched and rebuilt at once, in KiB. A blob that takes more goes alone.
const MEMORY: u32 = REPAIR_KIB;
/// How long a fetch waits for live traffic to pause.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// What one repair works with.
#[derive(Debug)]
pub(super) struct Work {
    attestor: Arc<Attestor>,
    desk: Arc<Desk>,
    client: Client,
    bandwidth: Bandwidth,
    memory: Semaphore,
}

/// A statement that may be stored, what is known of it.
struct Grounds {
    admitted: Admitted,
    certificate: Option<Vec<u8>>,
}

impl Work {
    pub(super) fn new(attestor: Arc<Attestor>, desk: Arc<Desk>, client: Client, bytes_per_second: u64) -> Self {
        let memory = Semaphore::new(MEMORY as usize);
        Self { attestor, desk, client, bandwidth: Bandwidth::new(bytes_per_second), memory }
    }

    /// Makes one statement whole, if that can be done now.
    pub(super) async fn make_whole(&self, want: &Want, known_to: &[PublicKey]) -> Ending {
        match self.try_to(want, known_to).await {
            Ok(ending) | Err(ending) => ending,
        }
    }

    async fn try_to(&self, want: &Want, known_to: &[PublicKey]) -> Result<Ending, Ending> {
        let now = self.attestor.clock.now();
        let (store, statement, digest, index) =
            (Arc::clone(&self.attestor.store), want.statement, want.digest, want.index);
        let looked = self.attestor.workers.disk(move || {
            let whole = store.is_whole(&statement, &digest, index, now)?;
            let unfillable = store.unfillable(&statement.blob.id(), index)?.is_some();
            // A record that cannot be read is made anew.
            let promise = match store.promise(&statement.blob.id(), &digest) {
                Err(store::Error::Record { .. }) => None,
                promise => promise?,
            };
            Ok::<_, store::Error>((whole || unfillable, promise))
        });
        let (needless, promise) = looked.await.map_err(hindered)?.map_err(hindered)?;
        if needless {
            return Ok(Ending::Needless);
        }
        if statement.retain_until <= now {
            // By a clock that is contradicted nothing is over.
            self.attestor.check_clock(now).map_err(hindered)?;
            return Ok(Ending::Needless);
        }
        let promise = match &want.cause {
            Cause::Damaged(promise) => Some((**promise).clone()),
            Cause::Listed | Cause::Published(_) | Cause::Offered(_) => promise,
        };
        let Grounds { admitted, certificate } = match promise {
            Some(promise) => {
                let admitted = self.attestor.reclaim(promise).await.map_err(|error| self.refused(&error, None))?;
                Grounds { admitted, certificate: None }
            }
            None => self.grounds(want, known_to).await?,
        };
        let recalled = self.attestor.recall(&admitted).await.map_err(hindered)?;
        let (holding, bytes) = match recalled {
            Some(holding) => (holding, 0),
            None => match self.fetch(want, &admitted).await? {
                Some(holding) => (holding, want.bytes),
                None => return Ok(Ending::Unfillable),
            },
        };
        let attested = self.attestor.attest(admitted, holding).await;
        // Where only the signature is missing the promise is kept, and its certificate is that of what is here.
        let held = matches!(attested, Ok(_) | Err(Error::Pen(_)));
        if let Some(certificate) = certificate.filter(|_| held) {
            let certificates = vec![(want.digest, certificate.into())];
            self.attestor.store.put_certificates(certificates).await.map_err(hindered)?;
        }
        attested.map_err(hindered)?;
        tracing::info!(blob = %want.id, index = want.index, epoch = statement.epoch, "repair.whole");
        Ok(Ending::Whole { bytes })
    }

    /// What a peer says of the statement, checked.
    async fn grounds(&self, want: &Want, known_to: &[PublicKey]) -> Result<Grounds, Ending> {
        let (claim, source) = self.claim(want, known_to).await?;
        let lost = self.attestor.store.lost_at().is_some();
        let readmitted = self.attestor.readmit(claim, lost).await;
        let readmitted = readmitted.map_err(|error| self.refused(&error, source.as_ref()))?;
        if readmitted.signed && !lost {
            self.missed(want);
        }
        let certificate = readmitted.certificate.map(|certificate| certificate.encode());
        Ok(Grounds { admitted: readmitted.admitted, certificate })
    }

    /// This member has signed what its store does not know: it is that of a backup, or of a member that has a twin. Until all
    /// is here again it does not say of anything that it was never stored.
    fn missed(&self, want: &Want) {
        let now = self.attestor.clock.now();
        tracing::error!(
            blob = %want.id, statement = %want.digest,
            "store.stale: this member is among the signers of what its store does not know: it is an old copy, or there is a twin"
        );
        if let Err(error) = self.attestor.store.set_lost(Some(now)) {
            tracing::error!(%error, "store.stale");
        }
    }

    /// The statement with its disperser's signature, and its certificate where one is known.
    async fn claim(&self, want: &Want, known_to: &[PublicKey]) -> Result<(Claim, Option<Source>), Ending> {
        let record = self.attestor.registry.epoch(want.statement.epoch).await.map_err(hindered)?;
        let offered = match &want.cause {
            Cause::Published(certificate) | Cause::Offered(certificate) => Some(**certificate),
            Cause::Damaged(_) | Cause::Listed => None,
        };
        let signers = offered.as_ref().map(Certificate::signer_slots).unwrap_or_default();
        let mut sources = self.client.sources(&record);
        sources.retain(|source| *source.key() != self.attestor.public_key);
        sources.sort_by_key(|source| !(known_to.contains(source.key()) || signers.contains(&source.slot())));
        let (mut found, mut without, mut unanswered, mut said) = (None, 0, 0, String::new());
        for source in sources.into_iter().take(ASKED) {
            let signed = match source.signed(&want.id, &want.statement.namespace).await {
                Ok(signed) => signed,
                Err(reason) => {
                    let denied =
                        matches!(reason, FailureReason::NotStored | FailureReason::Expired | FailureReason::Fault(_));
                    unanswered += usize::from(!denied);
                    said = format!("member {}: {reason}", source.slot());
                    continue;
                }
            };
            let Some(of) = signed.into_iter().find(|of| of.statement == want.statement) else { continue };
            let certificate = of.certificate.or(offered);
            let certified = certificate.is_some();
            let claim = Claim { statement: of.statement, disperser_signature: of.disperser_signature, certificate };
            if certified {
                return Ok((claim, Some(source).filter(|_| offered.is_none())));
            }
            found.get_or_insert((claim, Some(source)));
            without += 1;
            if without >= WITHOUT_CERTIFICATE {
                break;
            }
        }
        match found {
            Some(found) => Ok(found),
            None if unanswered > 0 => Err(Ending::Unanswered(format!("its record: {said}"))),
            None => Err(Ending::Nowhere(format!("no member gives its record; {said}"))),
        }
    }

    /// What is fetched for an admitted statement; `None` where its position cannot be filled.
    async fn fetch(&self, want: &Want, admitted: &Admitted) -> Result<Option<Holding>, Ending> {
        let parameters = want.statement.blob.parameters().map_err(hindered)?;
        let (n, k) = (parameters.total_shards(), parameters.original_shards());
        let kib = want.bytes.saturating_mul(repair_copies(n, k)).div_ceil(1024).clamp(1, MEMORY.into());
        let kib = u32::try_from(kib).unwrap_or(MEMORY);
        let _memory = self.memory.acquire_many(kib).await.map_err(hindered)?;
        self.bandwidth.take(want.bytes).await;
        let patience = Instant::now() + PATIENCE;
        while !self.attestor.workers.is_quiet() && Instant::now() < patience {
            sleep(LOOK).await;
        }
        if want.statement.blob.is_by_payload() {
            let payload = self.payload(want).await?;
            let holding =
                self.attestor.recompute(admitted, payload).await.map_err(|error| self.refused(&error, None))?;
            let whole = want.statement.whole_until > self.attestor.clock.now();
            return Ok(Some(if whole { holding } else { holding.without_whole() }));
        }
        let options = || self.options();
        let gathered = match self.client.gather(want.id, options().epoch(want.statement.epoch)).await {
            Ok(gathered) => gathered,
            // Members of later epochs may hold it: their statements are of the same blob.
            Err(_) => self.client.gather(want.id, options()).await.map_err(read)?,
        };
        for fault in &gathered.faults {
            tracing::warn!(blob = %want.id, %fault, "repair.fault");
        }
        let index = admitted.index();
        let commitment = gathered.commitment.clone();
        let rebuilding = self.attestor.workers.cpu(move || {
            let rebuilt = commitment.rebuild(&gathered.shards, index);
            (commitment, gathered.shards, rebuilt)
        });
        match rebuilding.await.map_err(hindered)? {
            (commitment, _, Ok(shard)) => Ok(Some(Holding::by_shard(commitment, shard))),
            (commitment, shards, Err(holdfast_erasure::Error::ShardRoot { got, .. })) => {
                self.keep_copy(admitted, commitment, shards, got).await?;
                Ok(None)
            }
            (.., Err(error)) => Err(hindered(error)),
        }
    }

    async fn payload(&self, want: &Want) -> Result<bytes::Bytes, Ending> {
        let own_epoch = self.options().epoch(want.statement.epoch);
        let retrieved = match self.client.retrieve(want.id, own_epoch).await {
            Ok(retrieved) => retrieved,
            Err(_) => self.client.retrieve(want.id, self.options()).await.map_err(read)?,
        };
        for fault in &retrieved.faults {
            tracing::warn!(blob = %want.id, %fault, "repair.fault");
        }
        Ok(retrieved.payload)
    }

    /// The disperser lied about this position: another shard is kept, and what shows the lie.
    async fn keep_copy(
        &self,
        admitted: &Admitted,
        commitment: Commitment,
        mut shards: Vec<AcceptedShard>,
        got: holdfast_erasure::Digest,
    ) -> Result<(), Ending> {
        let index = admitted.index().get();
        shards.sort_by_key(AcceptedShard::index);
        shards.truncate(commitment.parameters().original_shards().into());
        let from = shards.iter().map(|shard| ShardIndex::get(shard.index())).collect();
        let copy = shards.swap_remove(usize::from(index) % shards.len());
        tracing::error!(
            blob = %admitted.id(), index, disperser = %admitted.disperser(), kept = copy.index().get(),
            "repair.unfillable: the disperser has lied about this position"
        );
        let unfillable = Unfillable { index, from, got, statement: admitted.promise().clone() };
        self.attestor.store.keep_copy(commitment, copy, unfillable).await.map_err(hindered)
    }

    fn options(&self) -> RetrieveOptions {
        RetrieveOptions::default().deadline(FETCH).except(self.attestor.public_key)
    }

    /// What it means that a claim does not stand. `source` is the peer that made it, where no honest one makes such a claim.
    fn refused(&self, error: &Error, source: Option<&Source>) -> Ending {
        let text = error.to_string();
        match error {
            Error::Past { .. } => Ending::Needless,
            Error::Certificate(_) | Error::DisperserSignature(_) => {
                if let Some(source) = source {
                    tracing::warn!(peer = source.endpoint(), %error, "repair.distrust: it gives what no honest member has");
                    self.desk.distrust(source.key());
                }
                Ending::Refused(text)
            }
            Error::UnknownNamespace(_) | Error::NotAllowed { .. } | Error::WrongEpoch { .. } => Ending::Doubtful(text),
            Error::WrongDispersal { .. }
            | Error::Format(_)
            | Error::NoSlot { .. }
            | Error::WrongShard { .. }
            | Error::NotServed(_)
            | Error::TooLong { .. }
            | Error::TooShort { .. }
            | Error::NotAccepted(_)
            | Error::WrongBlob { .. } => Ending::Refused(text),
            Error::Clock { .. }
            | Error::PeersClock { .. }
            | Error::Pen(_)
            | Error::NoActiveEpoch { .. }
            | Error::TooManyStrangers { .. }
            | Error::TooManyCheckpoints { .. }
            | Error::OverQuota(_)
            | Error::OverBudget(_)
            | Error::Store(_)
            | Error::Registry(_)
            | Error::Unfinished(_) => Ending::Hindered(text),
        }
    }
}

fn hindered(error: impl std::fmt::Display) -> Ending {
    Ending::Hindered(error.to_string())
}

/// "Could not ask" and "is not there" are different.
fn read(error: ReadError) -> Ending {
    let text = error.to_string();
    match error {
        ReadError::NotRetrievable { failures, .. } | ReadError::Unknown { failures, .. } => {
            if failures.iter().any(|failure| failure.reason.is_retryable()) {
                Ending::Unanswered(text)
            } else {
                Ending::Nowhere(text)
            }
        }
        ReadError::NotFound { .. }
        | ReadError::Expired { .. }
        | ReadError::PromiseBroken { .. }
        | ReadError::Inconsistent { .. }
        | ReadError::PayloadTooLarge { .. }
        | ReadError::Code(_) => Ending::Nowhere(text),
        _ => Ending::Hindered(text),
    }
}
