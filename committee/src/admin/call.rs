//! Orders, and how one is given.

use std::{
    io::{self, ErrorKind},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};

/// The longest order or answer, in bytes.
pub(super) const MOST_BYTES: u64 = 16 << 10;
/// How long one order may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Order {
    /// Nothing but the state.
    Status,
    /// Take no new statement; go on reading out.
    Drain,
    /// Take statements again.
    Undrain,
    /// Drop nothing that has expired until then, unix seconds; a time that has come ends a hold.
    Hold {
        /// Until when.
        until: u64,
    },
    /// Read and check all that is stored, beginning now.
    Scrub,
    /// Log by another filter.
    Log {
        /// As in `HOLDFAST_LOG`.
        filter: String,
    },
}

/// How it is after an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The member's version.
    pub version: String,
    /// It takes no new statement, by its operator's order.
    pub drained: bool,
    /// Statements that are being stored and signed.
    pub under_way: usize,
    /// Until when nothing is dropped, unix seconds, by its operator's order.
    pub held_until: Option<u64>,
    /// Whether a pass over the store was asked for and has not ended.
    pub scrubbing: bool,
    /// Passes that have ended since the start.
    pub scrubs: u64,
    /// When the last one ended, unix seconds; 0 if none has.
    pub scrubbed_at: u64,
    /// The log's filter, where it can be changed.
    pub log: Option<String>,
}

/// What an order is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done.
    #[serde(rename = "ok")]
    Done(State),
    /// It was not, and why.
    #[serde(rename = "error")]
    Refused(String),
}

/// Gives a member an order.
///
/// # Errors
///
/// No member takes orders there, it does not answer in time, or it answers something else.
pub async fn ask(socket: &Path, order: &Order) -> io::Result<Answer> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(MOST_BYTES)).read_until(b'\n', &mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    };
    timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
