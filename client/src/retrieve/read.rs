use holdfast_certificate::Certificate;
use holdfast_erasure::BlobId;
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{ledger::Ledger, options::RetrieveOptions};
use crate::{
    context::Context,
    failure::FailureReason,
    fault::{Denial, Fault},
    members::Member,
};

/// So far members' clocks may be ahead, in seconds, when they say that something has expired.
const CLOCK_TOLERANCE: u64 = 600;

/// One read on its way: what is wanted, until when, and what each member has done so far.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub(crate) context: &'a Context,
    pub(crate) id: BlobId,
    pub(crate) deadline: Instant,
    pub(crate) ledger: Ledger,
    pub(crate) options: RetrieveOptions,
    promise: Option<Promise>,
}

/// What the signers of the certificate in hand have signed for.
#[derive(Clone, Debug)]
struct Promise {
    epoch: u64,
    signers: Vec<u16>,
    retain_until: u64,
    whole_until: u64,
    /// When the read began, unix seconds.
    now: u64,
}

impl<'a> Read<'a> {
    pub(crate) fn new(context: &'a Context, id: BlobId, deadline: Instant, options: RetrieveOptions) -> Self {
        Self { context, id, deadline, ledger: Ledger::default(), options, promise: None }
    }

    /// The same with a certificate in hand, as of unix time `now`: whoever reads by it gives out nothing before it has verified.
    pub(crate) fn promised_by(mut self, certificate: &Certificate, now: u64) -> Self {
        let statement = &certificate.statement;
        self.promise = Some(Promise {
            epoch: statement.epoch,
            signers: certificate.signer_slots(),
            retain_until: statement.retain_until,
            whole_until: statement.whole_until,
            now,
        });
        self
    }

    /// A read of the same blob that goes on beside this one; what it sees is [merged](Ledger::merge) when both are over.
    pub(crate) fn aside(&self) -> Self {
        let options = self.options.clone();
        Self { promise: self.promise.clone(), ..Self::new(self.context, self.id, self.deadline, options) }
    }

    /// The epoch's members, or those of them that the caller wants asked.
    pub(crate) fn members(&self, record: &EpochRecord) -> Vec<Member> {
        let RetrieveOptions { only, except, .. } = &self.options;
        let excepted = except.and_then(|key| record.committee.slot_of(&key));
        let mut members = self.context.members(record);
        members.retain(|member| Some(member.slot) != excepted && (only.is_empty() || only.contains(&member.slot)));
        members
    }

    /// Until when signers hold their shards and know the blob; zero without a certificate.
    pub(crate) fn promised(&self) -> u64 {
        self.promise.as_ref().map_or(0, |promise| promise.retain_until)
    }

    /// Until when signers keep the payload whole; zero without a certificate.
    pub(crate) fn promised_whole(&self) -> u64 {
        self.promise.as_ref().map_or(0, |promise| promise.whole_until)
    }

    /// What puts a member behind the others of this read: it has failed in it already, or keeps readers waiting. Whoever sorts by
    /// it looks once at each, since other reads change it meanwhile.
    pub(crate) fn rank(&self, member: &Member, now: Instant) -> (bool, bool) {
        (self.ledger.has_failed(member), member.peer.is_behind(now))
    }

    /// The member gave what it was asked for.
    pub(crate) fn succeed(&mut self, member: &Member) {
        self.ledger.succeed(member);
        member.peer.set_behind(false);
    }

    /// The member failed. That of a signer which denies what it signed to hold `until` some time is a fault.
    pub(crate) fn fail(&mut self, member: &Member, reason: FailureReason, until: u64) {
        let reason = self.judged(member, reason, until);
        self.ledger.fail(member, reason);
    }

    /// What a member's failure is in the light of what it has signed.
    pub(crate) fn judged(&self, member: &Member, reason: FailureReason, until: u64) -> FailureReason {
        let Some(promise) = &self.promise else { return reason };
        let said = match &reason {
            FailureReason::NotStored if promise.now < until => Denial::NeverStored,
            FailureReason::Expired if promise.now.saturating_add(CLOCK_TOLERANCE) < until => Denial::Expired,
            _ => return reason,
        };
        if member.epoch == promise.epoch && promise.signers.contains(&member.slot) {
            Fault::BrokenPromise { until, said }.into()
        } else {
            reason
        }
    }
}
