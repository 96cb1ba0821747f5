use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Namespace, Statement};
use holdfast_erasure::{Dispersal, EncodedBlob, encode_on};
use holdfast_registry::EpochRecord;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    certify::{Dispersed, Plan, certify, deliver_again},
    delivery::Delivery,
    existing::existing,
    options::DisperseOptions,
    rules,
    signing::sign,
    statement::{self, Times},
};
use crate::{
    config::MAX_WAIT,
    context::{Context, unix_now},
    error::Error,
    retries,
    signer::DisperserSigner,
};

/// What is dispersed, but for the epoch: it stays the same if the epoch changes on the way.
struct Asked {
    payload: Bytes,
    dispersal: Dispersal,
    namespace: Namespace,
    key: Arc<dyn DisperserSigner>,
    times: Times,
    /// A certificate that holds until then is taken where there is one.
    enough: Option<u64>,
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
    let record = active?;
    rules::check(rules?.as_ref(), asked.namespace, asked.key.address(), &asked.times, now)?;
    let enough = asked.enough;
    let mut plan = Put { context, asked, ready: None, deadline };
    if let Some(enough) = enough {
        let blob = plan.encoded(&record).await?;
        let (id, namespace) = (blob.id(), plan.asked.namespace);
        if let Some(certificate) = existing(context, &record, id, namespace, enough, deadline).await {
            let delivery = plan.signed(&record, certificate.statement, blob).await?;
            return Ok(deliver_again(context, &record, certificate, delivery));
        }
        plan.ready = Some(blob);
    }
    certify(context, record, (started, allowed), plan).await
}

/// What the caller asks for, with the client's defaults.
fn asked(context: &Context, payload: Bytes, options: &DisperseOptions) -> Result<Asked, Error> {
    let (namespace, key) = (context.namespace(options.namespace)?, context.disperser()?);
    if payload.is_empty() {
        return Err(Error::EmptyPayload);
    }
    statement::check_span(options.retain_for)?;
    let (config, dispersal) = (&context.config, options.dispersal);
    let retention = options.retain_for.unwrap_or(config.retention);
    let (retain_until, whole_until) = (options.retain_until, options.whole_until);
    let times = statement::times(unix_now(), dispersal, retain_until, whole_until, retention, config.whole_retention);
    let enough = options.enough_for.map(|enough| unix_now().saturating_add(enough.as_secs()));
    Ok(Asked { payload, dispersal, namespace, key, times, enough })
}

/// From a payload to what each member is sent.
struct Put<'a> {
    context: &'a Context,
    asked: Asked,
    /// The blob in the code of the first epoch that is asked for it, where it is made already.
    ready: Option<EncodedBlob>,
    deadline: Instant,
}

impl Put<'_> {
    async fn encoded(&self, record: &EpochRecord) -> Result<EncodedBlob, Error> {
        let parameters = *record.committee.parameters();
        let max = u64::from(parameters.max_payload());
        match u64::try_from(self.asked.payload.len()) {
            Ok(got) if got <= max => {}
            got => return Err(Error::PayloadTooLarge { max, got: got.unwrap_or(u64::MAX) }),
        }
        let (payload, dispersal) = (self.asked.payload.clone(), self.asked.dispersal);
        let (cpu, code) = (&self.context.cpu, parameters.code());
        let (cores, bytes) = (cpu.cores(), payload.len());
        cpu.encode(bytes, move || encode_on(cores, code, payload, dispersal).map_err(Error::Code)).await
    }

    async fn signed(
        &self,
        record: &EpochRecord,
        statement: Statement,
        encoded: EncodedBlob,
    ) -> Result<Delivery, Error> {
        let digest = statement.digest(record.committee.domain());
        let signature = sign(&*self.asked.key, digest, self.deadline).await?;
        Ok(Delivery::new(statement, &signature, encoded, self.asked.dispersal))
    }
}

impl Plan for Put<'_> {
    type Delivery = Delivery;

    async fn delivery(&mut self, record: &EpochRecord) -> Result<Delivery, Error> {
        let encoded = match self.ready.take() {
            Some(encoded) => encoded,
            None => self.encoded(record).await?,
        };
        let Times { whole_until, retain_until } = self.asked.times;
        let (namespace, epoch, blob) = (self.asked.namespace, record.committee.epoch(), *encoded.blob());
        let statement = Statement { namespace, epoch, blob, whole_until, retain_until };
        statement.check(record.committee.parameters()).map_err(Error::Statement)?;
        self.signed(record, statement, encoded).await
    }
}
