//! Bounds of messages.

/// The largest chunk of a streamed body.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;

/// The largest gRPC message either side accepts: a chunk, or a header (126 shard roots and 125 rows of fingerprints,
/// 36 KiB), or a page of 1000 listed blobs (under 300 KiB), with room for framing.
pub const MAX_MESSAGE_BYTES: usize = MAX_CHUNK_BYTES + (64 << 10);
