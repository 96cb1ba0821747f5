//! One of the nodes that are asked, and what is remembered of its conduct.

use std::{
    future::Future,
    mem::{Discriminant, discriminant},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{error::Error, node::Node};

/// The most calls under way to one node: one that answers nothing must not gather them.
const MAX_UNDER_WAY: usize = 256;

/// How long a contradiction counts, and how often a node is named in the log for the same thing.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A node among those that must agree.
#[derive(Debug)]
pub(super) struct Peer {
    node: Node,
    under_way: Semaphore,
    conduct: Mutex<Conduct>,
}

#[derive(Debug, Default)]
struct Conduct {
    /// Whether it has said that it serves the right chain.
    right_chain: bool,
    /// Whether its last call ran out of time.
    timed_out: bool,
    /// When each kind of failure of it was last named in the log.
    named: Vec<(Discriminant<Error>, Instant)>,
    /// When it last contradicted the others.
    dissent: Option<Instant>,
}

impl Peer {
    pub(super) fn new(node: Node) -> Self {
        Self { node, under_way: Semaphore::new(MAX_UNDER_WAY), conduct: Mutex::default() }
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn host(&self) -> &str {
        self.node.host()
    }

    /// Waits for one answer of this node.
    pub(super) async fn answer<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Ok(_slot) = self.under_way.try_acquire() else {
            return Err(Error::Rpc { what: "a call", reason: format!("{MAX_UNDER_WAY} calls are under way") });
        };
        let answer = question.await;
        match &answer {
            // What has no state or reverts has answered.
            Ok(_) | Err(Error::NoState { .. } | Error::Reverted { .. }) => self.answered(),
            Err(error) => self.failed(error),
        }
        answer
    }

    /// Asks once which chain it serves: a node that was down at the start could come back as another.
    pub(super) async fn serves(&self, chain_id: u64) -> Result<(), Error> {
        if self.conduct().right_chain {
            return Ok(());
        }
        let got = self.node.chain_id().await?;
        if got != chain_id {
            return Err(Error::WrongChain { expected: chain_id, got });
        }
        self.conduct().right_chain = true;
        Ok(())
    }

    /// Whether it answered in time when it was last asked.
    pub(super) fn is_hopeful(&self) -> bool {
        !self.conduct().timed_out
    }

    /// It contradicts what enough others agree on.
    pub(super) fn dissents(&self, what: &str) {
        let now = Instant::now();
        let last = self.conduct().dissent.replace(now);
        if last.is_none_or(|last| now.duration_since(last) > REMEMBERED) {
            tracing::warn!(node = self.host(), %what, "this L1 node contradicts the others, who agree: it is outvoted");
        }
    }

    /// Whether it has contradicted the others within the last hour.
    pub(super) fn is_dissenter(&self) -> bool {
        self.conduct().dissent.is_some_and(|last| last.elapsed() <= REMEMBERED)
    }

    fn answered(&self) {
        self.conduct().timed_out = false;
    }

    fn failed(&self, error: &Error) {
        let now = Instant::now();
        let mut conduct = self.conduct();
        conduct.timed_out = matches!(error, Error::Timeout { .. });
        conduct.named.retain(|(_, named)| now.duration_since(*named) <= REMEMBERED);
        let kind = discriminant(error);
        if conduct.named.iter().all(|(known, _)| *known != kind) {
            conduct.named.push((kind, now));
            tracing::warn!(node = self.host(), %error, "this L1 node does not answer as it should");
        }
    }

    fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().expect("no code panics while it holds the lock")
    }
}
