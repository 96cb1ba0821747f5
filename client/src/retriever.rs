use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::Statement;
use holdfast_erasure::{Blob, BlobId};
use holdfast_registry::EpochRecord;
use tokio::{sync::watch, time::Instant};

use crate::{
    client::{Inner, unix_now},
    config::MAX_WAIT,
    error::Error,
    failure::{MemberFailure, MemberFault},
    ledger::Ledger,
    locate::{Located, locate},
    members::Member,
    race::halfway,
    reference::Reference,
    shards::{self, Holder, Promised},
    whole,
};

/// The most epochs, counted back from the active one, that are searched for a blob by its id alone.
const MAX_EPOCHS_SEARCHED: u64 = 8;

/// How a blob is read.
#[derive(Clone, Debug, Default)]
pub struct RetrieveOptions {
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
    /// By blob id: the epoch whose members are asked, where not the active one and those before it.
    pub epoch: Option<u64>,
    /// Only these slots are asked, where not empty.
    pub only: Vec<u16>,
    /// Asks every member for its shard, even when enough are accepted, so that every faulty one is named.
    pub audit: bool,
}

/// A payload that was read, and what it took.
#[derive(Clone, Debug)]
pub struct Retrieved {
    /// The payload.
    pub payload: Bytes,
    /// The blob, whose id was asked for.
    pub blob: Blob,
    /// The payload's way back: whole from one member, or decoded from shards.
    pub way: Way,
    /// Slots whose data was used, in order.
    pub from: Vec<u16>,
    /// Members that lied or whose copy is damaged.
    pub faults: Vec<MemberFault>,
    /// Members that were asked and did not help, the faulty ones among them.
    pub failures: Vec<MemberFailure>,
}

/// How a payload came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One member gave it whole, and its recomputed blob id is the one asked for.
    Whole,
    /// It was decoded from `k` accepted shards.
    Shards,
}

/// One read on its way.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) id: BlobId,
    pub(crate) deadline: Instant,
    pub(crate) ledger: Ledger,
    pub(crate) options: RetrieveOptions,
}

pub(crate) async fn retrieve(
    inner: &Inner,
    reference: Reference,
    options: RetrieveOptions,
) -> Result<Retrieved, Error> {
    inner.check_open()?;
    let deadline = Instant::now() + options.deadline.unwrap_or(inner.config.read_deadline).min(MAX_WAIT);
    let id = match &reference {
        Reference::BlobId(id) => *id,
        Reference::Certificate(certificate) => certificate.statement.blob.id(),
    };
    let mut read = Read { inner, id, deadline, ledger: Ledger::default(), options };
    let now = unix_now();
    match reference {
        Reference::Certificate(certificate) => {
            let record = inner.epoch(certificate.statement.epoch, deadline).await?;
            let committee = Arc::clone(&record.committee);
            let verified = inner.cpu.run(move || certificate.verify(&committee)).await.map_err(Error::Certificate)?;
            read.by_statement(&verified.statement, record, now).await
        }
        Reference::BlobId(_) => {
            let (record, located) = read.search().await?;
            let records = read.records_of(&located, record).await?;
            let blob = *located.commitment.blob();
            let (_given, promised) = watch::channel(Some(located.commitment));
            read.in_any_epoch(&blob, records, located.whole_until > now, promised).await
        }
    }
}

impl Read<'_> {
    /// The epoch's members, or those of them that the caller wants asked.
    pub(crate) fn members(&self, record: &EpochRecord) -> Vec<Member> {
        let only = &self.options.only;
        let mut members = self.inner.members(record);
        members.retain(|member| only.is_empty() || only.contains(&member.slot));
        members
    }

    /// Finds the blob by its id: in the epoch asked for, or in the active one and those before it.
    async fn search(&mut self) -> Result<(Arc<EpochRecord>, Located), Error> {
        let first = match self.options.epoch {
            Some(epoch) => self.inner.epoch(epoch, self.deadline).await?,
            None => self.inner.active_epoch(self.deadline).await?,
        };
        let newest = first.committee.epoch();
        let oldest = if self.options.epoch.is_some() { newest } else { newest.saturating_sub(MAX_EPOCHS_SEARCHED - 1) };
        let mut outcome = self.locate_in(first, oldest).await;
        for epoch in (oldest..newest).rev() {
            if outcome.is_ok() {
                break;
            }
            let older = match self.inner.epoch(epoch, self.deadline).await {
                Ok(record) => self.locate_in(record, oldest).await,
                // A gap in the numbers is an epoch that never became active.
                Err(Error::Registry(holdfast_registry::Error::UnknownEpoch { .. })) => continue,
                // Nobody was asked, so nothing is certain.
                Err(error) => Err(error),
            };
            outcome = better(outcome, older);
        }
        outcome
    }

    /// Members of one epoch that never answer must leave time for the epochs before it, down to `oldest`.
    async fn locate_in(&mut self, record: Arc<EpochRecord>, oldest: u64) -> Result<(Arc<EpochRecord>, Located), Error> {
        let until = if record.committee.epoch() > oldest { halfway(self.deadline) } else { self.deadline };
        let members = self.members(&record);
        let located = locate(self.inner, &record, self.id, &members, &mut self.ledger, until).await?;
        Ok((record, located))
    }

    /// Reads a blob from members of the epochs that one member named, and of all the others when those do not have it: it
    /// may have named the wrong ones.
    async fn in_any_epoch(
        &mut self,
        blob: &Blob,
        mut records: Vec<Arc<EpochRecord>>,
        fresh: bool,
        promised: Promised,
    ) -> Result<Retrieved, Error> {
        let others = self.other_records(&records).await;
        if others.is_empty() {
            return self.whole_or_shards(blob, &records, fresh, promised).await;
        }
        let deadline = self.deadline;
        self.deadline = halfway(deadline);
        let outcome = self.whole_or_shards(blob, &records, fresh, promised.clone()).await;
        self.deadline = deadline;
        match outcome {
            Err(Error::NotRetrievable { .. }) => {
                records.extend(others);
                self.shards(blob, &records, promised).await
            }
            outcome => outcome,
        }
    }

    /// The epochs that are searched beside `known`, where the caller has named none.
    async fn other_records(&self, known: &[Arc<EpochRecord>]) -> Vec<Arc<EpochRecord>> {
        let mut others = Vec::new();
        if self.options.epoch.is_none()
            && let Ok(active) = self.inner.active_epoch(self.deadline).await
        {
            let newest = active.committee.epoch();
            for epoch in (newest.saturating_sub(MAX_EPOCHS_SEARCHED - 1)..=newest).rev() {
                let is_known = known.iter().any(|record| record.committee.epoch() == epoch);
                if !is_known && let Ok(record) = self.inner.epoch(epoch, self.deadline).await {
                    others.push(record);
                }
            }
        }
        others
    }

    /// The epochs whose members may hold shards: those that the blob was signed in, as one member says, and the one whose
    /// member said it.
    async fn records_of(&self, located: &Located, found_in: Arc<EpochRecord>) -> Result<Vec<Arc<EpochRecord>>, Error> {
        let mut records = Vec::new();
        for &epoch in &located.epochs {
            if epoch == found_in.committee.epoch() {
                records.push(Arc::clone(&found_in));
            } else if let Ok(record) = self.inner.epoch(epoch, self.deadline).await {
                records.push(record);
            }
        }
        if !located.epochs.contains(&found_in.committee.epoch()) {
            records.push(found_in);
        }
        let got = u64::from(located.commitment.blob().payload_length);
        let max = records.iter().map(|record| u64::from(record.committee.parameters().max_payload())).max();
        match max {
            Some(max) if got > max => Err(Error::PayloadTooLarge { max, got }),
            _ => Ok(records),
        }
    }

    /// Reads a blob that a certificate names, its commitment and its shards at once.
    async fn by_statement(
        &mut self,
        statement: &Statement,
        record: Arc<EpochRecord>,
        now: u64,
    ) -> Result<Retrieved, Error> {
        let (inner, id, deadline) = (self.inner, self.id, self.deadline);
        let members = self.members(&record);
        let fresh = statement.whole_until > now;
        if fresh
            && !self.options.audit
            && let Some(retrieved) = self.whole(&statement.blob, &members, halfway(deadline)).await
        {
            return Ok(retrieved);
        }
        let (give, promised) = watch::channel(None);
        let mut seen = Ledger::default();
        let outcome = {
            let mut located = pin!(async {
                let located = locate(inner, &record, id, &members, &mut seen, deadline).await?;
                give.send_replace(Some(located.commitment));
                Ok::<(), Error>(())
            });
            let records = [Arc::clone(&record)];
            let mut read = pin!(self.whole_or_shards(&statement.blob, &records, false, promised));
            tokio::select! {
                biased;
                // What the members say of the blob itself decides, when the shards do not come.
                outcome = &mut read => match outcome {
                    Ok(retrieved) => Ok(retrieved),
                    Err(error) => located.await.and(Err(error)),
                },
                found = &mut located => match found {
                    Ok(()) => read.await,
                    Err(error) => Err(error),
                },
            }
        };
        self.ledger.merge(seen);
        match outcome {
            Err(Error::NotFound { .. }) if statement.retain_until <= now => {
                Err(Error::Expired { blob: id, failures: self.ledger.failures() })
            }
            Ok(mut retrieved) => {
                (retrieved.faults, retrieved.failures) = (self.ledger.faults(), self.ledger.failures());
                Ok(retrieved)
            }
            failed => failed,
        }
    }

    /// Reads a blob whole first while members keep it whole, else from shards first. That it is kept whole is one member's
    /// word, and whoever never answers must leave time for the shards.
    async fn whole_or_shards(
        &mut self,
        blob: &Blob,
        records: &[Arc<EpochRecord>],
        fresh: bool,
        promised: Promised,
    ) -> Result<Retrieved, Error> {
        let members: Vec<Member> = records.iter().flat_map(|record| self.members(record)).collect();
        let whole_first = fresh && !self.options.audit;
        if blob.is_by_payload()
            && whole_first
            && let Some(retrieved) = self.whole(blob, &members, halfway(self.deadline)).await
        {
            return Ok(retrieved);
        }
        match self.shards(blob, records, promised).await {
            Err(error @ Error::NotRetrievable { .. }) if blob.is_by_payload() && !whole_first => {
                self.whole(blob, &members, self.deadline).await.ok_or(error)
            }
            outcome => outcome,
        }
    }

    async fn whole(&mut self, blob: &Blob, members: &[Member], until: Instant) -> Option<Retrieved> {
        let (payload, slot) = whole::fetch(self, blob, members, until).await?;
        Some(self.retrieved(payload, *blob, Way::Whole, vec![slot]))
    }

    async fn shards(
        &mut self,
        blob: &Blob,
        records: &[Arc<EpochRecord>],
        promised: Promised,
    ) -> Result<Retrieved, Error> {
        let parameters = blob.parameters().map_err(Error::Code)?;
        let of_this_code = || records.iter().filter(|record| record.committee.parameters().code() == parameters);
        let faults = of_this_code().map(|record| record.committee.parameters().faults()).max().unwrap_or(0);
        let holders: Vec<Holder> = of_this_code()
            .flat_map(|record| self.members(record))
            .map(|member| {
                let index = parameters.shard_of_slot(member.slot, &blob.shards_root);
                Holder { member, index }
            })
            .collect();
        let (payload, from) = shards::fetch(self, *blob, promised, holders, faults).await?;
        Ok(self.retrieved(payload, *blob, Way::Shards, from))
    }

    fn retrieved(&self, payload: Bytes, blob: Blob, way: Way, mut from: Vec<u16>) -> Retrieved {
        from.sort_unstable();
        let (faults, failures) = (self.ledger.faults(), self.ledger.failures());
        Retrieved { payload, blob, way, from, faults, failures }
    }
}

/// Of two epochs' outcomes the one that says more: found, then expired, then unknown, then not found.
fn better<T>(a: Result<T, Error>, b: Result<T, Error>) -> Result<T, Error> {
    let rank = |outcome: &Result<T, Error>| match outcome {
        Ok(_) => 3,
        Err(Error::Expired { .. }) => 2,
        Err(Error::NotFound { .. }) => 0,
        Err(_) => 1,
    };
    if rank(&b) > rank(&a) { b } else { a }
}
