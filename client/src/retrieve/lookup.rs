//! What members know of a blob: that it exists, and its certificates.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use holdfast_certificate::{Certificate, Namespace, PublicKey, VerifiedCertificate};
use holdfast_erasure::{Blob, BlobId};
use holdfast_proto::v1;
use holdfast_registry::EpochRecord;
use tokio::time::{Instant, timeout_at};

use super::{epochs, ledger::Ledger, patience::patiently, race::halfway};
use crate::{
    config::MAX_WAIT,
    context::Context,
    error::{Error, Wanted},
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    members::Member,
};

/// The most epochs, counted back from the active one, whose members are asked. Where there are older ones, that nobody has
/// the blob is not certain.
const MAX_EPOCHS: u64 = 32;

/// The most blobs of one member's list that are looked at: its first, which it keeps longest.
const MAX_LISTED: usize = 8;

/// The most certificates of one blob that are taken from one member, the latest retention first.
const MAX_CERTIFICATES: usize = 4;

/// The most blobs that one search returns.
const MAX_FOUND: usize = 32;

/// How a blob is looked up. The default hears every member.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LookupOptions {
    /// How long the call may take, an hour at most. Default: the client's for reads.
    pub deadline: Option<Duration>,
    /// Ends the search with the first certificate that holds until this unix second or later, and so with any for 0.
    pub enough: Option<u64>,
    /// Asks members of the active epoch only; its certificates are the ones that L1 accepts.
    pub active_epoch_only: bool,
}

impl LookupOptions {
    /// How long the call may take, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Ends with the first certificate that holds until this unix second or later.
    #[must_use]
    pub fn enough(mut self, retain_until: u64) -> Self {
        self.enough = Some(retain_until);
        self
    }

    /// Asks members of the active epoch only.
    #[must_use]
    pub fn active_epoch_only(mut self) -> Self {
        self.active_epoch_only = true;
        self
    }
}

/// A blob that members know.
#[derive(Clone, Debug)]
pub struct Found {
    /// The blob. Its id was recomputed, and it names the payload digest that was asked for.
    pub blob: Blob,
    /// Its certificates that were found, verified, one for each statement, the latest retention first. A search by digest
    /// gives those of the client's namespace only. May be empty: members know a blob before it has a certificate.
    pub certificates: Vec<VerifiedCertificate>,
}

pub(crate) async fn lookup(context: &Context, wanted: Wanted, options: LookupOptions) -> Result<Vec<Found>, Error> {
    context.check_open()?;
    let namespace = match wanted {
        Wanted::Blob(_) => None,
        Wanted::Payload(_) => Some(context.namespace(None)?),
    };
    let deadline = Instant::now() + options.deadline.unwrap_or(context.config.read_deadline).min(MAX_WAIT);
    let first = match options.active_epoch_only {
        true => context.active_epoch(deadline).await?,
        // Reading goes on after a revocation.
        false => context.newest_epoch(deadline).await?,
    };
    let mut search = Search {
        context,
        wanted,
        namespace,
        options,
        deadline,
        records: Vec::new(),
        asked: BTreeMap::new(),
        said: BTreeMap::new(),
        ledger: Ledger::default(),
        found: BTreeMap::new(),
        judged: HashSet::new(),
    };
    let newest = first.committee.epoch();
    // Members that never answer must leave time for the epochs before.
    search.ask(vec![first], if options.active_epoch_only { deadline } else { halfway(deadline) }).await;
    let mut every_epoch = true;
    if !options.active_epoch_only && !search.is_enough() {
        let (older, all) = epochs::before(context, newest, MAX_EPOCHS, deadline).await;
        every_epoch = all;
        search.ask(older, deadline).await;
    }
    search.outcome(every_epoch)
}

/// One search on its way.
struct Search<'a> {
    context: &'a Context,
    wanted: Wanted,
    namespace: Option<Namespace>,
    options: LookupOptions,
    deadline: Instant,
    records: Vec<Arc<EpochRecord>>,
    /// Members by their key: who serves in many epochs is asked once.
    asked: BTreeMap<[u8; PublicKey::BYTES], Member>,
    /// What each said that has nothing.
    said: BTreeMap<[u8; PublicKey::BYTES], FailureReason>,
    ledger: Ledger,
    found: BTreeMap<BlobId, Found>,
    /// Certificates that were verified or refused before.
    judged: HashSet<Vec<u8>>,
}

impl Search<'_> {
    /// Asks every member of these epochs that was not asked before, until the answer is known or `until`.
    async fn ask(&mut self, records: Vec<Arc<EpochRecord>>, until: Instant) {
        let mut answers = FuturesUnordered::new();
        let mut outstanding = BTreeSet::new();
        for record in &records {
            for member in self.context.members(record) {
                let Some(key) = record.committee.key(member.slot).map(PublicKey::to_bytes) else { continue };
                if self.asked.insert(key, member.clone()).is_none() {
                    outstanding.insert(key);
                    let (wanted, namespace) = (self.wanted, self.namespace);
                    answers.push(async move { (key, known_to(&member, wanted, namespace, until).await) });
                }
            }
        }
        self.records.extend(records);
        while !self.is_enough() && !self.is_denied() {
            match timeout_at(until, answers.next()).await {
                Ok(Some((key, Ok(claims)))) => {
                    outstanding.remove(&key);
                    for claim in claims {
                        self.take(claim).await;
                    }
                    self.said.remove(&key);
                }
                Ok(Some((key, Err(reason)))) => {
                    outstanding.remove(&key);
                    if let Some(member) = self.asked.get(&key) {
                        self.ledger.fail(member, reason.clone());
                    }
                    self.said.insert(key, reason);
                }
                Ok(None) => return,
                Err(_) => return self.give_up(&outstanding),
            }
        }
    }

    /// The time is over: whoever has not answered by now is named.
    fn give_up(&mut self, outstanding: &BTreeSet<[u8; PublicKey::BYTES]>) {
        let within = self.options.deadline.unwrap_or(self.context.config.read_deadline);
        for member in outstanding.iter().filter_map(|key| self.asked.get(key)) {
            self.ledger.give_up(member, FailureReason::NoAnswer { within });
        }
    }

    /// Keeps what of a member's claim is true.
    async fn take(&mut self, claim: Claim) {
        let id = claim.blob.id();
        if self.found.len() >= MAX_FOUND && !self.found.contains_key(&id) {
            return;
        }
        let mut certificates = Vec::new();
        for certificate in claim.certificates {
            let record = match self.records.iter().find(|it| it.committee.epoch() == certificate.statement.epoch) {
                Some(record) => Ok(Arc::clone(record)),
                None => self.context.epoch(certificate.statement.epoch, self.deadline).await,
            };
            // Whether it was judged before is asked of all its bytes: another signature is another certificate.
            if let Ok(record) = record
                && self.judged.insert(certificate.encode())
            {
                let committee = Arc::clone(&record.committee);
                match self.context.cpu.run(move || certificate.verify(&committee)).await {
                    Ok(verified) => certificates.push(verified),
                    Err(error) => {
                        tracing::debug!(blob = %id, %error, "a member gave a certificate that is not genuine")
                    }
                }
            }
        }
        let found = self.found.entry(id).or_insert_with(|| Found { blob: claim.blob, certificates: Vec::new() });
        for certificate in certificates {
            if !found.certificates.iter().any(|known| known.statement == certificate.statement) {
                found.certificates.push(certificate);
            }
        }
        found.certificates.sort_by_key(|certificate| Reverse(certificate.statement.retain_until));
    }

    fn is_enough(&self) -> bool {
        let Some(least) = self.options.enough else { return false };
        let active = self.records.first().map(|record| record.committee.epoch());
        self.found.values().flat_map(|found| &found.certificates).any(|certificate| {
            let statement = &certificate.statement;
            statement.retain_until >= least && (!self.options.active_epoch_only || Some(statement.epoch) == active)
        })
    }

    /// Whether so many members of each epoch deny the blob that it cannot be read.
    fn is_denied(&self) -> bool {
        !self.records.is_empty() && self.records.iter().all(|record| self.denied_in(record) >= needed(record))
    }

    fn denied_in(&self, record: &EpochRecord) -> u16 {
        let slots = 0..record.committee.parameters().total_shards();
        let deny = slots.filter(|slot| {
            let key = record.committee.key(*slot).map(PublicKey::to_bytes);
            key.is_some_and(|key| matches!(self.said.get(&key), Some(FailureReason::NotStored)))
        });
        u16::try_from(deny.count()).unwrap_or(u16::MAX)
    }

    fn outcome(self, every_epoch: bool) -> Result<Vec<Found>, Error> {
        // What one member claims without a certificate does not outweigh so many that deny it: it was never certified, and
        // cannot be read from shards.
        let certified = self.found.values().any(|found| !found.certificates.is_empty());
        let denied = every_epoch && self.is_denied();
        if certified || (!self.found.is_empty() && !denied) {
            let active = self.records.first().map(|record| record.committee.epoch());
            let mut found: Vec<Found> = self.found.into_values().collect();
            if self.options.active_epoch_only {
                for blob in &mut found {
                    blob.certificates.retain(|certificate| Some(certificate.statement.epoch) == active);
                }
            }
            let last = |found: &Found| found.certificates.first().map(|it| it.statement.retain_until);
            found.sort_by_key(|found| (Reverse(last(found)), found.blob.id()));
            return Ok(found);
        }
        let failures: Vec<MemberFailure> = self.ledger.failures();
        let worst =
            self.records.iter().min_by_key(|record| i32::from(self.denied_in(record)) - i32::from(needed(record)));
        let (said, needed) = worst.map_or((0, 1), |record| (self.denied_in(record), needed(record)));
        if denied {
            return Err(Error::NotFound { what: self.wanted, said, needed });
        }
        Err(Error::Unknown { what: self.wanted, said, needed, failures })
    }
}

/// How many members must deny a blob, `n - k + 1`.
fn needed(record: &EpochRecord) -> u16 {
    record.committee.parameters().code().recovery_shards() + 1
}

/// What one member says of a blob; certificates are decoded, not verified.
struct Claim {
    blob: Blob,
    certificates: Vec<Certificate>,
}

async fn known_to(
    member: &Member,
    wanted: Wanted,
    namespace: Option<Namespace>,
    until: Instant,
) -> Result<Vec<Claim>, FailureReason> {
    let ids: BTreeSet<BlobId> = match (wanted, namespace) {
        (Wanted::Payload(digest), Some(namespace)) => {
            let request = v1::FindBlobsRequest {
                namespace: Bytes::copy_from_slice(namespace.as_bytes()),
                payload_digest: Bytes::copy_from_slice(digest.as_bytes()),
            };
            let listed = patiently(until, || member.peer.find_blobs(&request)).await?.blob_ids;
            let ids = listed.iter().take(MAX_LISTED).map(|id| holdfast_proto::blob_id(id));
            ids.collect::<Result<_, _>>().map_err(Fault::Malformed)?
        }
        (Wanted::Payload(_), None) => BTreeSet::new(),
        (Wanted::Blob(id), _) => BTreeSet::from([id]),
    };
    let mut claims = Vec::new();
    for id in ids {
        let answer = patiently(until, || member.peer.get_blob(&id)).await?;
        claims.push(claim(id, &answer, wanted, namespace)?);
    }
    if claims.is_empty() { Err(FailureReason::NotStored) } else { Ok(claims) }
}

fn claim(
    id: BlobId,
    answer: &v1::GetBlobResponse,
    wanted: Wanted,
    namespace: Option<Namespace>,
) -> Result<Claim, Fault> {
    let missing = || Fault::Malformed(holdfast_proto::Error::Missing { field: "commitment" });
    let wire = answer.commitment.as_ref().and_then(|commitment| commitment.blob.as_ref()).ok_or_else(missing)?;
    let blob = Blob::try_from(wire)?;
    let names_the_payload = match wanted {
        Wanted::Payload(digest) => blob.payload_digest == digest,
        Wanted::Blob(_) => true,
    };
    if blob.id() != id || !names_the_payload {
        return Err(Fault::WrongCommitment { got: blob.id() });
    }
    let encoded = answer.statements.iter().map(|signed| &signed.certificate).filter(|bytes| !bytes.is_empty());
    let mut certificates: Vec<Certificate> = encoded
        .filter_map(|bytes| Certificate::decode(bytes).ok())
        .filter(|certificate| certificate.statement.blob == blob)
        .filter(|certificate| namespace.is_none_or(|namespace| certificate.statement.namespace == namespace))
        .collect();
    certificates.sort_by_key(|certificate| Reverse(certificate.statement.retain_until));
    certificates.truncate(MAX_CERTIFICATES);
    Ok(Claim { blob, certificates })
}
