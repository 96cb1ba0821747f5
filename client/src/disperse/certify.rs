use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Attestation, Statement, VerifiedCertificate};
use holdfast_registry::EpochRecord;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::{
    feeding::{Feeding, feeding, give_all, settle},
    round::{Ended, Round},
};
use crate::{
    context::Context,
    error::Error,
    failure::{FailureReason, MemberFailure},
    members::Member,
};

/// A dispersal that reached its quorum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dispersed {
    /// The certificate, verified.
    pub certificate: VerifiedCertificate,
    /// Slots whose attestation is in the certificate.
    pub attested: Vec<u16>,
    /// Members that had failed when the quorum was reached, those with bad attestations among them. Slow members are in
    /// neither list.
    pub failures: Vec<MemberFailure>,
    /// What goes on with the slow members; nobody need wait for it.
    pub feeding: Feeding,
}

/// One statement, and how each member gets what it must have to attest it.
pub(crate) trait Deliver: Send + Sync + 'static {
    fn statement(&self) -> &Statement;

    /// Gives the member its part and returns its attestation; neither slot nor signature is verified.
    fn deliver(&self, member: &Member) -> impl Future<Output = Result<Attestation, FailureReason>> + Send;
}

/// What makes the delivery for an epoch: anew where another one has become the active one on the way.
pub(crate) trait Plan: Send {
    type Delivery: Deliver;

    fn delivery(&mut self, record: &EpochRecord) -> impl Future<Output = Result<Self::Delivery, Error>> + Send;
}

/// Has a statement attested by the members of an epoch until a certificate of it stands, and made anew for another epoch
/// where that has become the active one.
pub(crate) async fn certify(
    context: &Context,
    mut record: Arc<EpochRecord>,
    (started, allowed): (Instant, Duration),
    mut plan: impl Plan,
) -> Result<Dispersed, Error> {
    loop {
        let delivery = Arc::new(plan.delivery(&record).await?);
        let statement = *delivery.statement();
        Span::current().record("blob", tracing::field::display(statement.blob.id()));
        let mut round = ask(context, &record, (started, allowed), delivery);
        let certified =
            round.certified(|attestations| context.verifying.certify(&context.cpu, &record, statement, attestations));
        match certified.await? {
            Ended::Certified(certificate) => return Ok(stands(context, certificate, round)),
            Ended::Switched(active) => {
                drop(round);
                record = active;
            }
        }
    }
}

/// Delivers in the background what a certificate that stands already speaks of: a member that lost its part gets it again.
pub(crate) fn deliver_again<D: Deliver>(
    context: &Context,
    record: &Arc<EpochRecord>,
    certificate: VerifiedCertificate,
    delivery: D,
) -> Dispersed {
    let round = ask(context, record, (Instant::now(), context.config.background_limit), Arc::new(delivery));
    stands(context, certificate, round)
}

/// What stands already, and of which nobody is told.
pub(crate) fn known(certificate: VerifiedCertificate) -> Dispersed {
    let (_over, feeding) = feeding(Vec::new());
    Dispersed { attested: certificate.signer_slots(), certificate, failures: Vec::new(), feeding }
}

fn ask<'a, D: Deliver>(
    context: &'a Context,
    record: &'a Arc<EpochRecord>,
    (started, allowed): (Instant, Duration),
    delivery: Arc<D>,
) -> Round<'a> {
    // Members are asked in tasks of their own.
    let within = Span::current();
    Round::ask(context, record, started, allowed, move |member| {
        let delivery = Arc::clone(&delivery);
        let span = tracing::debug_span!(parent: &within, "disperse.deliver", slot = member.slot);
        async move { delivery.deliver(&member).await }.instrument(span)
    })
}

/// Returns at once, and goes on with the slow members in the background.
fn stands(context: &Context, certificate: VerifiedCertificate, round: Round<'_>) -> Dispersed {
    let (asking, attested, failures) = round.into_rest();
    let (tell, feeding) = feeding(failures.clone());
    let (encoded, members) = (Bytes::from(certificate.encode()), asking.members().to_vec());
    let rest = settle(asking, attested, encoded.clone(), context.config.background_limit, tell).in_current_span();
    if !context.background.spawn(rest) {
        // One member that hangs is enough for that. The others get the certificate all the same.
        tracing::debug!("too many dispersals are fed in the background: slow members are left to repair");
        if !context.background.spawn_note(give_all(members, encoded).in_current_span()) {
            tracing::warn!("too many certificates are on their way to members: this one is given to none");
        }
    }
    Dispersed { attested: certificate.signer_slots(), certificate, failures, feeding }
}
