//! What every handler works with.

use std::sync::Arc;

use axum::extract::Request;
use bytes::Bytes;
use holdfast_erasure::Dispersal;

use crate::{
    auth::Writers,
    backend::Backend,
    body,
    budget::{Budget, Held},
    config::Config,
    failure::Failure,
    health::Health,
    history::History,
    listen::Peer,
    metrics::{Direction, Metrics, Stage},
    order::{Client, Order},
    publish::Publishing,
    puts::{Puts, Stored},
    reads::Reads,
};

/// What every handler works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) puts: Puts,
    pub(crate) reads: Reads,
    pub(crate) publishing: Publishing,
    pub(crate) budget: Budget,
    pub(crate) writers: Arc<Writers>,
    pub(crate) order: Order,
    pub(crate) health: Health,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A request whose sender may write.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) client: Client,
}

impl App {
    /// Checks that the sender may write, before anything of the body is read.
    pub(crate) fn writing(&self, request: &Request) -> Result<Writing, Failure> {
        self.puts.check_can_write()?;
        let name = self.writers.check(request.headers())?;
        let address = request.extensions().get::<Peer>().map_or([0, 0, 0, 0].into(), |peer| peer.0.ip());
        Ok(Writing { client: name.map_or(Client::At(address), Client::Named) })
    }

    /// Takes a payload of at most the committee's limit, or of `most` where that is less, and its place among the PUTs.
    pub(crate) async fn take_payload(&self, request: Request, most: Option<u32>) -> Result<(Bytes, Held), Failure> {
        let limit = self.puts.max_payload().await?;
        let limit = most.map_or(limit, |most| limit.min(most as usize));
        let (parts, body) = request.into_parts();
        let mut held = self.budget.put().await?;
        let timer = self.metrics.stage(Stage::Body);
        let payload = body::read(&parts.headers, body, limit, &self.budget, &mut held, &self.config.limits).await?;
        timer.stop();
        if payload.is_empty() {
            return Err(Failure::Empty);
        }
        self.metrics.passed(Direction::In, payload.len());
        Ok((payload, held))
    }

    /// Stores a payload by payload, with the retention of the settings: what the stacks' protocols do.
    pub(crate) async fn put_by_payload(&self, payload: Bytes, held: Held) -> Result<Stored, Failure> {
        self.puts.put(payload, Dispersal::ByPayload, self.puts.retention(), held).await
    }
}
