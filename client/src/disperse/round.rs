use std::{sync::Arc, time::Duration};

use holdfast_certificate::{Attestation, Committee};
use holdfast_registry::EpochRecord;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::quorum::{Quorum, Verdict};
use crate::{
    context::Context,
    error::Error,
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    members::Member,
};

/// How long members are still heard after the quorum has become impossible, so that the error can say what each said.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// The requests in flight, each with the slot it was sent to.
pub(crate) type Sending = JoinSet<(u16, Result<Attestation, FailureReason>)>;

/// Every member of an epoch asked at once to attest the same thing. Dropping it cuts the requests in flight.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    context: &'a Context,
    record: &'a Arc<EpochRecord>,
    members: Vec<Member>,
    sending: Sending,
    quorum: Quorum<Attestation, FailureReason>,
    started: Instant,
    allowed: Duration,
}

impl<'a> Round<'a> {
    /// Asks every member; each has until `allowed` after `started`. An attestation for another slot fails its member.
    pub(crate) fn ask<F>(
        context: &'a Context,
        record: &'a Arc<EpochRecord>,
        started: Instant,
        allowed: Duration,
        ask: impl Fn(Member) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Attestation, FailureReason>> + Send + 'static,
    {
        let members = context.members(record);
        let mut sending = Sending::new();
        for member in &members {
            let (slot, answer) = (member.slot, ask(member.clone()));
            sending.spawn(async move { (slot, answer.await.and_then(|it| of_slot(slot, it))) });
        }
        let parameters = record.committee.parameters();
        let quorum = Quorum::new(parameters.total_shards(), parameters.threshold());
        Self { context, record, members, sending, quorum, started, allowed }
    }

    /// Hears members until `aggregate` makes a certificate of a threshold of attestations. It verifies the sum, and names
    /// the slots of bad attestations: those members have failed, and others are heard on.
    pub(crate) async fn certified<T: Send + 'static>(
        &mut self,
        aggregate: impl Fn(&Committee, &[Attestation]) -> Result<T, holdfast_certificate::Error> + Copy + Send + 'static,
    ) -> Result<T, Error> {
        let deadline = self.started + self.allowed;
        let mut hearing_until = None;
        loop {
            match self.quorum.verdict() {
                Verdict::Reached => {
                    if let Some(certificate) = self.certify(aggregate).await? {
                        return Ok(certificate);
                    }
                }
                Verdict::Impossible if !self.quorum.waiting().is_empty() => {
                    let until = *hearing_until.get_or_insert_with(|| deadline.min(Instant::now() + LAST_WORDS));
                    if !self.hear(until).await {
                        let after = self.started.elapsed();
                        self.quorum.fail_waiting(|_| FailureReason::NotAwaited { after });
                    }
                }
                Verdict::Impossible => {
                    let attested = u16::try_from(self.quorum.attested().count());
                    return Err(Error::QuorumNotReached {
                        needed: self.record.committee.parameters().threshold(),
                        attested: attested.expect("a committee has at most 126 members"),
                        failures: self.failures(),
                    });
                }
                Verdict::Wait => {
                    if !self.hear(deadline).await {
                        let within = self.allowed;
                        self.quorum.fail_waiting(|_| FailureReason::NoAnswer { within });
                    }
                }
            }
        }
    }

    /// The members that have failed so far, in slot order.
    pub(crate) fn failures(&self) -> Vec<MemberFailure> {
        let failed = self.quorum.failed();
        failed.map(|(slot, reason)| self.members[usize::from(slot)].failure(reason.clone())).collect()
    }

    /// The members, the requests still in flight, and the slots that attested.
    pub(crate) fn into_rest(self) -> (Vec<Member>, Sending, Vec<u16>) {
        let attested = self.quorum.attested().map(|(slot, _)| slot).collect();
        (self.members, self.sending, attested)
    }

    /// Takes the next member's answer. False when there is none until then.
    async fn hear(&mut self, until: Instant) -> bool {
        match timeout_at(until, self.sending.join_next()).await {
            Ok(Some(Ok((slot, Ok(attestation))))) => self.quorum.attest(slot, attestation),
            Ok(Some(Ok((slot, Err(reason))))) => self.quorum.fail(slot, reason),
            Ok(Some(Err(error))) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being stopped.
                Err(_) => return false,
            },
            Ok(None) | Err(_) => return false,
        }
        true
    }

    /// Aggregates the attestations and verifies them with one pairing check. None when some were bad: their members have
    /// now failed, and others may still attest.
    async fn certify<T: Send + 'static>(
        &mut self,
        aggregate: impl Fn(&Committee, &[Attestation]) -> Result<T, holdfast_certificate::Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let attestations: Vec<Attestation> = self.quorum.attested().map(|(_, attestation)| *attestation).collect();
        let record = Arc::clone(self.record);
        match self.context.cpu.run(move || aggregate(&record.committee, &attestations)).await {
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

fn of_slot(slot: u16, attestation: Attestation) -> Result<Attestation, FailureReason> {
    if attestation.slot == slot {
        Ok(attestation)
    } else {
        Err(Fault::WrongSlot { expected: slot, got: attestation.slot }.into())
    }
}
