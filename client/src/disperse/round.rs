use std::{sync::Arc, time::Duration};

use holdfast_certificate::Attestation;
use holdfast_registry::{self as registry, EpochRecord};
use tokio::time::Instant;

use super::{
    asking::{Asking, Heard},
    quorum::{Quorum, Verdict},
};
use crate::{
    context::Context,
    error::Error,
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    members::Member,
    observer::Progress,
};

/// How long members are still heard after the quorum has become impossible, so that the error can say what each said.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// How often the active epoch is looked at while members say that it is another one.
const EPOCH_PAUSE: Duration = Duration::from_millis(250);

/// Every member of an epoch asked at once to attest the same thing. Dropping it cuts the requests in flight.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    context: &'a Context,
    record: &'a Arc<EpochRecord>,
    asking: Asking,
    quorum: Quorum<Attestation, FailureReason>,
    started: Instant,
    allowed: Duration,
    /// When the active epoch was last looked at.
    looked: Option<Instant>,
}

/// How a round ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// With a certificate, verified.
    Certified(T),
    /// Members said that another epoch is active, and now the registry says so too.
    Switched(Arc<EpochRecord>),
}

impl<'a> Round<'a> {
    /// Asks every member; each has until `allowed` after `started`. An attestation for another slot fails its member.
    pub(crate) fn ask<F>(
        context: &'a Context,
        record: &'a Arc<EpochRecord>,
        started: Instant,
        allowed: Duration,
        ask: impl Fn(Member) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Attestation, FailureReason>> + Send + 'static,
    {
        let asking = Asking::all(context.members(record), started + allowed, ask);
        let parameters = record.committee.parameters();
        let quorum = Quorum::new(parameters.total_shards(), parameters.threshold());
        context.tell(Progress::Asked { members: parameters.total_shards() });
        Self { context, record, asking, quorum, started, allowed, looked: None }
    }

    /// Hears members until `aggregate` makes a certificate of a threshold of attestations. It verifies the sum, and names
    /// the slots of bad attestations: those members have failed, and others are heard on.
    pub(crate) async fn certified<T, F>(
        &mut self,
        aggregate: impl Fn(Vec<Attestation>) -> F + Sync,
    ) -> Result<Ended<T>, Error>
    where
        F: Future<Output = Result<T, holdfast_certificate::Error>>,
    {
        let deadline = self.started + self.allowed;
        let mut hearing_until = None;
        loop {
            match self.quorum.verdict() {
                Verdict::Reached => {
                    if let Some(certificate) = self.certify(&aggregate).await? {
                        return Ok(Ended::Certified(certificate));
                    }
                }
                Verdict::Impossible if !self.quorum.waiting().is_empty() => {
                    let until = *hearing_until.get_or_insert_with(|| deadline.min(Instant::now() + LAST_WORDS));
                    if self.hear(until).await.is_none() {
                        let after = self.started.elapsed();
                        self.fail_waiting(FailureReason::NotAwaited { after });
                    }
                }
                Verdict::Impossible => {
                    return Err(Error::QuorumNotReached {
                        needed: self.record.committee.parameters().threshold(),
                        attested: self.attested(),
                        failures: self.failures(),
                    });
                }
                Verdict::Wait => match self.hear(deadline).await {
                    Some(Some(slot)) => {
                        if let Some(record) = self.switched(slot, deadline).await? {
                            return Ok(Ended::Switched(record));
                        }
                    }
                    Some(None) => {}
                    None => self.fail_waiting(FailureReason::NoAnswer { within: self.allowed }),
                },
            }
        }
    }

    /// The members that have failed so far, in slot order.
    pub(crate) fn failures(&self) -> Vec<MemberFailure> {
        let failed = self.quorum.failed();
        failed.map(|(slot, reason)| self.asking.member(slot).failure(reason.clone())).collect()
    }

    fn attested(&self) -> u16 {
        u16::try_from(self.quorum.attested().count()).expect("a committee has at most 126 members")
    }

    /// The requests still in flight, the slots that attested, and those that failed.
    pub(crate) fn into_rest(self) -> (Asking, Vec<u16>, Vec<MemberFailure>) {
        let attested = self.quorum.attested().map(|(slot, _)| slot).collect();
        let failures = self.failures();
        (self.asking, attested, failures)
    }

    /// Takes the next member's answer; the slot of one that is asked again. None when there is none until then.
    async fn hear(&mut self, until: Instant) -> Option<Option<u16>> {
        match self.asking.next(until).await? {
            Heard::Attested(slot, attestation) => {
                self.quorum.attest(slot, attestation);
                let needed = self.record.committee.parameters().threshold();
                self.context.tell(Progress::Attested { attested: self.attested(), needed });
            }
            Heard::Failed(slot, reason) => self.quorum.fail(slot, reason),
            Heard::Later(slot) => return Some(Some(slot)),
        }
        Some(None)
    }

    /// The epoch that is active now, where a member said that it is another one and the registry says so too. An error where
    /// it says that none is: then there is nothing to wait for.
    async fn switched(&mut self, slot: u16, deadline: Instant) -> Result<Option<Arc<EpochRecord>>, Error> {
        if !matches!(self.asking.said(slot), Some(FailureReason::WrongEpoch { .. }))
            || self.looked.is_some_and(|looked| looked.elapsed() < EPOCH_PAUSE)
        {
            return Ok(None);
        }
        self.looked = Some(Instant::now());
        match self.context.active_epoch(deadline).await {
            Ok(active) => Ok(Some(active).filter(|it| it.committee.epoch() != self.record.committee.epoch())),
            Err(error @ Error::Registry(registry::Error::NoActiveEpoch { .. })) => Err(error),
            // What cannot be read now says nothing.
            Err(_) => Ok(None),
        }
    }

    /// Fails who is still waited for, with its last word where it had one.
    fn fail_waiting(&mut self, reason: FailureReason) {
        let asking = &self.asking;
        self.quorum.fail_waiting(|slot| asking.said(slot).cloned().unwrap_or_else(|| reason.clone()));
    }

    /// Aggregates the attestations and verifies their sum. None when some were bad: their members have now failed, and others
    /// may still attest.
    async fn certify<T, F>(&mut self, aggregate: impl Fn(Vec<Attestation>) -> F) -> Result<Option<T>, Error>
    where
        F: Future<Output = Result<T, holdfast_certificate::Error>>,
    {
        let attestations = self.quorum.attested().map(|(_, attestation)| *attestation).collect();
        match aggregate(attestations).await {
            Ok(certificate) => Ok(Some(certificate)),
            Err(holdfast_certificate::Error::BadAttestations { slots }) if !slots.is_empty() => {
                for slot in slots {
                    self.quorum.fail(slot, Fault::BadAttestation.into());
                }
                Ok(None)
            }
            Err(error) => Err(Error::Statement(error)),
        }
    }
}
