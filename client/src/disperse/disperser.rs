use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Namespace, Statement, VerifiedCertificate};
use holdfast_erasure::{Dispersal, encode_on};
use holdfast_registry::EpochRecord;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::{
    delivery::Delivery,
    feeding::{Feeding, feeding, settle},
    options::DisperseOptions,
    round::{Ended, Round},
    rules,
    signing::sign,
    statement::{self, Times},
};
use crate::{
    config::{MAX_RETENTION, MAX_WAIT},
    context::{Context, unix_now},
    error::Error,
    failure::MemberFailure,
    retries,
    signer::DisperserSigner,
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

/// What is dispersed, but for the epoch: it stays the same if the epoch changes on the way.
struct Asked {
    payload: Bytes,
    dispersal: Dispersal,
    namespace: Namespace,
    key: Arc<dyn DisperserSigner>,
    times: Times,
}

pub(crate) async fn disperse(context: &Context, payload: Bytes, options: DisperseOptions) -> Result<Dispersed, Error> {
    let allowed = options.deadline.unwrap_or(context.config.disperse_deadline).min(MAX_WAIT);
    let span = tracing::info_span!("disperse", bytes = payload.len(), blob = tracing::field::Empty);
    let attempt = |left| once(context, payload.clone(), options, left);
    retries::until(context.config.retries, allowed, attempt).instrument(span).await
}

async fn once(
    context: &Context,
    payload: Bytes,
    options: DisperseOptions,
    allowed: Duration,
) -> Result<Dispersed, Error> {
    context.check_open()?;
    let started = Instant::now();
    let deadline = started + allowed;
    let (now, asked) = (unix_now(), asked(context, payload, &options)?);
    let (active, rules) = tokio::join!(context.active_epoch(deadline), context.rules(&asked.namespace, deadline));
    let mut record = active?;
    rules::check(rules?.as_ref(), asked.namespace, asked.key.address(), &asked.times, now)?;
    loop {
        let delivery = Arc::new(prepare(context, &record, &asked, deadline).await?);
        let statement = *delivery.statement();
        Span::current().record("blob", tracing::field::display(statement.blob.id()));
        let mut round = Round::ask(context, &record, started, allowed, move |member| {
            let delivery = Arc::clone(&delivery);
            async move { delivery.to(&member).await }
        });
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

/// Returns at once, and goes on with the slow members in the background.
fn stands(context: &Context, certificate: VerifiedCertificate, round: Round<'_>) -> Dispersed {
    let (asking, attested, failures) = round.into_rest();
    let (tell, feeding) = feeding(failures.clone());
    let encoded = Bytes::from(certificate.encode());
    let rest = settle(asking, attested, encoded, context.config.background_limit, tell).in_current_span();
    if !context.background.spawn(rest) {
        tracing::debug!("too many dispersals are fed in the background: slow members are left to repair");
    }
    Dispersed { attested: certificate.signer_slots(), certificate, failures, feeding }
}

/// What the caller asks for, with the client's defaults.
fn asked(context: &Context, payload: Bytes, options: &DisperseOptions) -> Result<Asked, Error> {
    let (namespace, key) = (context.namespace(options.namespace)?, context.disperser()?);
    if payload.is_empty() {
        return Err(Error::EmptyPayload);
    }
    if let Some(asked) = options.retain_for.filter(|asked| asked.is_zero() || *asked > MAX_RETENTION) {
        let reason = format!("{asked:?}, expected above zero and at most {MAX_RETENTION:?}");
        return Err(Error::Invalid { what: "retain_for", reason });
    }
    let (config, dispersal) = (&context.config, options.dispersal);
    let retention = options.retain_for.unwrap_or(config.retention);
    let (retain_until, whole_until) = (options.retain_until, options.whole_until);
    let times = statement::times(unix_now(), dispersal, retain_until, whole_until, retention, config.whole_retention);
    Ok(Asked { payload, dispersal, namespace, key, times })
}

/// Encodes the payload, makes the statement and signs it.
async fn prepare(
    context: &Context,
    record: &Arc<EpochRecord>,
    asked: &Asked,
    deadline: Instant,
) -> Result<Delivery, Error> {
    let parameters = *record.committee.parameters();
    let max = u64::from(parameters.max_payload());
    match u64::try_from(asked.payload.len()) {
        Ok(got) if got <= max => {}
        got => return Err(Error::PayloadTooLarge { max, got: got.unwrap_or(u64::MAX) }),
    }
    let Asked { payload, dispersal, namespace, key, times } = asked;
    let (payload, dispersal, namespace, times) = (payload.clone(), *dispersal, *namespace, *times);
    let (epoch, cores) = (record.committee.epoch(), context.cpu.cores());
    let (statement, encoded) = context
        .cpu
        .run(move || {
            let encoded = encode_on(cores, parameters.code(), payload, dispersal).map_err(Error::Code)?;
            let statement = Statement {
                namespace,
                epoch,
                blob: *encoded.blob(),
                whole_until: times.whole_until,
                retain_until: times.retain_until,
            };
            statement.check(&parameters).map_err(Error::Statement)?;
            Ok((statement, encoded))
        })
        .await?;
    let signature = sign(&**key, statement.digest(record.committee.domain()), deadline).await?;
    Ok(Delivery::new(statement, &signature, encoded, dispersal))
}
