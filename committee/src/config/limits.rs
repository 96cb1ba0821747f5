//! What a member takes on at once, and from one peer.

use std::time::Duration;

use holdfast_transport::human;
use serde::{Deserialize, Serialize};

/// What a member takes on at once, and from one peer. Each is named in docs/operations.md with what it protects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory of the whole process, in MiB; the budgets and windows that are not given by name follow from it.
    pub memory_mib: usize,
    /// Memory for bodies being received, in MiB, as they come. A quarter of it, at most, is one address's, one namespace's or
    /// one disperser's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving_mib: Option<usize>,
    /// Memory for what is computed of, or read back for, dispersals, in MiB; shared out in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_mib: Option<usize>,
    /// Memory for answers on their way, in MiB: of a long one, what is in flight. A quarter of it, at most, is one
    /// address's, and an eighth is for small ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending_mib: Option<usize>,
    /// Memory for shards and payloads that are being read, in MiB; at least twice the largest payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading_mib: Option<usize>,
    /// Calls at once in all; one address has an eighth of them.
    pub calls: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections of one IPv4 address, or of one /64 of IPv6.
    pub connections_per_address: usize,
    /// Of all connections, those kept for addresses from which a disperser has brought data within a day.
    pub connections_reserved: usize,
    /// Calls at once on one connection.
    pub streams_per_connection: u32,
    /// From a connection to its first call, such as `10s`.
    #[serde(with = "human")]
    pub opening_deadline: Duration,
    /// How long a connection may be without a call, such as `300s`.
    #[serde(with = "human")]
    pub idle_deadline: Duration,
    /// How long a call may take that is not a body, such as `10s`.
    #[serde(with = "human")]
    pub call_deadline: Duration,
    /// How long a peer may send or take nothing, beside the least rate, such as `10s`.
    #[serde(with = "human")]
    pub stall_deadline: Duration,
    /// The least rate at which bodies must come and go, in KiB a second.
    pub least_kib_per_second: u32,
    /// Calls a second of one address.
    pub calls_per_second: u32,
    /// Of them, those that list, find or sign checkpoints.
    pub costly_calls_per_second: u32,
    /// HTTP/2 frames a second on one connection that carry no body.
    pub frames_per_second: u32,
    /// How long a stop waits for calls that are under way, such as `10s`.
    #[serde(with = "human")]
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 2048,
            receiving_mib: None,
            working_mib: None,
            sending_mib: None,
            reading_mib: None,
            calls: 4096,
            connections: 512,
            connections_per_address: 64,
            connections_reserved: 64,
            streams_per_connection: 128,
            opening_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(300),
            call_deadline: Duration::from_secs(10),
            stall_deadline: Duration::from_secs(10),
            least_kib_per_second: 128,
            calls_per_second: 2000,
            costly_calls_per_second: 50,
            frames_per_second: 2000,
            drain_deadline: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Checks what the types do not: the key that is wrong, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let counts = [
            ("limits.receiving_mib", self.receiving_mib.unwrap_or(1)),
            ("limits.working_mib", self.working_mib.unwrap_or(1)),
            ("limits.sending_mib", self.sending_mib.unwrap_or(1)),
            ("limits.reading_mib", self.reading_mib.unwrap_or(1)),
            ("limits.calls", self.calls),
            ("limits.connections", self.connections),
            ("limits.connections_per_address", self.connections_per_address),
            ("limits.streams_per_connection", self.streams_per_connection as usize),
            ("limits.least_kib_per_second", self.least_kib_per_second as usize),
            ("limits.calls_per_second", self.calls_per_second as usize),
            ("limits.costly_calls_per_second", self.costly_calls_per_second as usize),
            ("limits.frames_per_second", self.frames_per_second as usize),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err((key, "must be at least 1, got 0".into()));
        }
        let times = [
            ("limits.opening_deadline", self.opening_deadline),
            ("limits.idle_deadline", self.idle_deadline),
            ("limits.call_deadline", self.call_deadline),
            ("limits.stall_deadline", self.stall_deadline),
        ];
        if let Some((key, _)) = times.into_iter().find(|(_, time)| time.is_zero()) {
            return Err((key, "must be more than 0s, got 0s".into()));
        }
        if self.connections_reserved >= self.connections {
            let reason = format!("must be below connections ({}), got {}", self.connections, self.connections_reserved);
            return Err(("limits.connections_reserved", reason));
        }
        Ok(())
    }
}
