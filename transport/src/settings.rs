//! HTTP/2 as Holdfast speaks it.

use std::time::Duration;

use tonic::transport::Endpoint;

/// The bytes that a member may have in flight to a client on one stream, and on the whole connection: enough for 1 Gbit/s at
/// 30 ms, and the bound on what a stream that the client does not read can make it hold. A member gives as much to those
/// who have brought data before.
pub const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// See [`STREAM_WINDOW_BYTES`].
pub const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The bytes that a stranger may have in flight to a member on a connection, half of them on one stream: 250 Mbit/s at
/// 30 ms, and the bound on what it can make the member hold before a call is looked at. Where there are many it is less.
pub const STRANGER_CONNECTION_WINDOW_BYTES: u32 = 2 << 20;

/// The least that one stream may have in flight: HTTP/2 begins with so much (RFC 9113, 6.9.2).
pub const LEAST_STREAM_WINDOW_BYTES: u32 = 65_535;

/// The bytes of one answer that HTTP/2 takes from a member before the client has room for them.
pub const SEND_BUFFER_BYTES: usize = 128 << 10;

/// The headers of one request, together, and 32 bytes for each of them.
pub const HEADER_BYTES: u32 = 8 << 10;

/// Calls that a client has cut off and that the member has not looked at yet; beyond it the connection is closed. What it
/// has looked at is bounded by its rates.
pub const PENDING_RESETS: usize = 20;

/// Streams that break the rules of HTTP/2 before the connection is closed.
pub const BROKEN_STREAMS: usize = 100;

/// The largest frame.
pub const FRAME_BYTES: u32 = 256 << 10;

/// The least that the largest frame may be (RFC 9113, 4.2).
pub const LEAST_FRAME_BYTES: u32 = 16 << 10;

/// A client probes a silent connection after this time, and gives it up [`CLIENT_KEEP_ALIVE_LIMIT`] later.
pub const CLIENT_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// See [`CLIENT_KEEP_ALIVE`].
pub const CLIENT_KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(5);

/// A member probes a silent connection after this time, and gives it up [`SERVER_KEEP_ALIVE_LIMIT`] later: it has many, and
/// they may idle.
pub const SERVER_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// See [`SERVER_KEEP_ALIVE`].
pub const SERVER_KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(20);

/// A channel to a member, with the settings of all channels.
#[must_use]
pub fn channel(endpoint: Endpoint, connect_timeout: Duration) -> Endpoint {
    endpoint
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keep_alive_interval(CLIENT_KEEP_ALIVE)
        .keep_alive_timeout(CLIENT_KEEP_ALIVE_LIMIT)
}
