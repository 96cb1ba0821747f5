//! The member's end of the socket.

use std::{io, path::Path, sync::Arc};

use serde::Deserialize as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::call::{Answer, LIMIT, MOST_BYTES, Order, State};
use crate::{accept, rpc::Shared, socket::Socket};

/// Orders that are taken at once; further ones wait.
const AT_ONCE: usize = 4;

/// Where orders are taken.
#[derive(Debug)]
pub(crate) struct Listener(Socket);

impl Listener {
    /// Makes the socket.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        Socket::bind(path).map(Self)
    }

    /// Takes orders until told to stop.
    pub(crate) async fn run(self, shared: Arc<Shared>, stop: CancellationToken) {
        let serve = |(stream, _)| {
            let shared = Arc::clone(&shared);
            async move {
                match timeout(LIMIT, serve(stream, &shared)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "admin.serve"),
                    Err(_) => tracing::debug!("admin.serve: too slow"),
                }
            }
        };
        accept::each(|context| self.0.poll_accept(context), AT_ONCE, stop, serve).await;
    }
}

async fn serve(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(read.take(MOST_BYTES)).read_until(b'\n', &mut line).await?;
    let answer = match parse(&line) {
        Ok(order) => obey(&order, shared).map_or_else(Answer::Refused, |()| Answer::Done(state(shared))),
        Err(reason) => Answer::Refused(format!("no order: {reason}")),
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await
}

/// The order that a line is. One with fields that it does not have is none: it may mean more than is understood.
fn parse(line: &[u8]) -> Result<Order, String> {
    let said: serde_json::Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let order = Order::deserialize(&said).map_err(|error| error.to_string())?;
    match serde_json::to_value(&order) {
        Ok(understood) if understood == said => Ok(order),
        _ => Err("it has fields that such an order does not have".to_owned()),
    }
}

fn obey(order: &Order, shared: &Shared) -> Result<(), String> {
    let operator = &shared.operator;
    match order {
        Order::Status => {}
        Order::Drain => operator.drain(true),
        Order::Undrain => operator.drain(false),
        Order::Hold { until } => operator.hold(*until, shared.attestor.clock.now())?,
        Order::Scrub => operator.scrub().ask(),
        Order::Log { filter } => operator.set_log_filter(filter)?,
    }
    Ok(())
}

fn state(shared: &Shared) -> State {
    let operator = &shared.operator;
    State {
        version: env!("CARGO_PKG_VERSION").into(),
        drained: operator.is_drained(),
        under_way: operator.under_way(),
        held_until: operator.held_until(shared.attestor.clock.now()),
        scrubbing: operator.scrub().is(),
        scrubs: operator.scrub().passes(),
        scrubbed_at: shared.attestor.store.scrubbed_at(),
        log: operator.log_filter(),
    }
}
