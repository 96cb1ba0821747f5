//! HTTP/2 as Holdfast speaks it.

use std::time::Duration;

use tonic::transport::{Endpoint, Server};

/// The bytes that a peer may have in flight to us on one stream, and on the whole connection: enough for 1 Gbit/s at
/// 30 ms, and the bound on what an unread stream can make us hold.
pub const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// See [`STREAM_WINDOW_BYTES`].
pub const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The largest frame.
pub const FRAME_BYTES: u32 = 256 << 10;

/// A client probes a silent connection after this time, and gives it up [`CLIENT_KEEP_ALIVE_LIMIT`] later.
pub const CLIENT_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// See [`CLIENT_KEEP_ALIVE`].
pub const CLIENT_KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(5);

/// A member probes a silent connection after this time, by HTTP/2 and by TCP: it has many, and they may idle.
pub const SERVER_KEEP_ALIVE: Duration = Duration::from_secs(30);

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

/// A server of members, with the settings of all servers.
#[must_use]
pub fn server(streams_per_connection: u32) -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(streams_per_connection)
        .http2_keepalive_interval(Some(SERVER_KEEP_ALIVE))
}
