use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Certificate, Namespace, Statement, VerifiedCertificate};
use holdfast_erasure::{Dispersal, encode};
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{delivery::Delivery, feeding::settle, round::Round, statement};
use crate::{
    config::MAX_WAIT,
    context::{Context, unix_now},
    error::Error,
    failure::MemberFailure,
};

/// How a payload is dispersed. The default is by shard, with the client's retention and deadline.
#[derive(Clone, Copy, Debug)]
pub struct DisperseOptions {
    /// What each member receives: its shard, or the whole payload.
    pub dispersal: Dispersal,
    /// The namespace, where not the client's.
    pub namespace: Option<Namespace>,
    /// Until when members hold their shard: unix seconds, a whole hour. Default: now plus the client's retention.
    pub retain_until: Option<u64>,
    /// By payload: until when members keep it whole, a whole hour and not past `retain_until`.
    pub whole_until: Option<u64>,
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
}

impl DisperseOptions {
    /// By shard: `n/k` of the payload is sent and stored.
    #[must_use]
    pub fn by_shard() -> Self {
        Self { dispersal: Dispersal::ByShard, namespace: None, retain_until: None, whole_until: None, deadline: None }
    }

    /// By payload: every member receives and hashes the whole payload, and the certificate carries its keccak256.
    #[must_use]
    pub fn by_payload() -> Self {
        Self { dispersal: Dispersal::ByPayload, ..Self::by_shard() }
    }
}

impl Default for DisperseOptions {
    fn default() -> Self {
        Self::by_shard()
    }
}

/// A dispersal that reached its quorum.
#[derive(Clone, Debug)]
pub struct Dispersed {
    /// The certificate, verified.
    pub certificate: VerifiedCertificate,
    /// Slots whose attestation is in the certificate.
    pub attested: Vec<u16>,
    /// Members that had failed when the quorum was reached, those with bad attestations among them. Slow members are in
    /// neither list.
    pub failures: Vec<MemberFailure>,
}

pub(crate) async fn disperse(context: &Context, payload: Bytes, options: DisperseOptions) -> Result<Dispersed, Error> {
    context.check_open()?;
    let started = Instant::now();
    let allowed = options.deadline.unwrap_or(context.config.disperse_deadline).min(MAX_WAIT);
    let deadline = started + allowed;
    let record = context.active_epoch(deadline).await?;
    let delivery = Arc::new(prepare(context, &record, payload, &options).await?);
    let mut round = Round::ask(context, &record, started, allowed, |member| {
        let delivery = Arc::clone(&delivery);
        async move { delivery.to(&member).await }
    });
    let statement = *delivery.statement();
    let certificate = round
        .certified(move |committee, attestations| Certificate::aggregate(committee, statement, attestations))
        .await?;
    let dispersed = Dispersed { attested: certificate.signer_slots(), failures: round.failures(), certificate };
    let (members, sending, attested) = round.into_rest();
    let encoded = Bytes::from(dispersed.certificate.encode());
    let rest = settle(members, encoded, sending, attested, context.config.background_limit);
    if !context.background.spawn(rest) {
        tracing::debug!("too many dispersals are fed in the background: slow members are left to repair");
    }
    Ok(dispersed)
}

/// Encodes the payload, makes the statement and signs it.
async fn prepare(
    context: &Context,
    record: &Arc<EpochRecord>,
    payload: Bytes,
    options: &DisperseOptions,
) -> Result<Delivery, Error> {
    let namespace = context.namespace(options.namespace)?;
    let key = context.disperser()?;
    let parameters = *record.committee.parameters();
    if payload.is_empty() {
        return Err(Error::EmptyPayload);
    }
    let max = u64::from(parameters.max_payload());
    match u64::try_from(payload.len()) {
        Ok(got) if got <= max => {}
        got => return Err(Error::PayloadTooLarge { max, got: got.unwrap_or(u64::MAX) }),
    }
    let (retention, whole_retention) = (context.config.retention, context.config.whole_retention);
    let dispersal = options.dispersal;
    let times =
        statement::times(unix_now(), dispersal, options.retain_until, options.whole_until, retention, whole_retention);
    let (epoch, domain) = (record.committee.epoch(), *record.committee.domain());
    context
        .cpu
        .run(move || {
            let encoded = encode(parameters.code(), payload, dispersal).map_err(Error::Code)?;
            let statement = Statement {
                namespace,
                epoch,
                blob: *encoded.blob(),
                whole_until: times.whole_until,
                retain_until: times.retain_until,
            };
            statement.check(&parameters).map_err(Error::Statement)?;
            let signature = key.sign(&statement.digest(&domain));
            Ok(Delivery::new(statement, &signature, encoded, dispersal))
        })
        .await
}
