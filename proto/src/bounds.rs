use bytes::Bytes;

/// The largest chunk of a streamed body.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;

/// The largest gRPC message either side accepts: a chunk, or a header (126 shard roots and 125 rows of fingerprints,
/// 36 KiB), or a page of 1000 listed blobs (under 300 KiB), with room for framing.
pub const MAX_MESSAGE_BYTES: usize = MAX_CHUNK_BYTES + (64 << 10);

/// Cuts a body into chunks of at most [`MAX_CHUNK_BYTES`] without copying it.
pub fn chunks(body: Bytes) -> impl Iterator<Item = Bytes> + Send {
    let mut rest = body;
    std::iter::from_fn(move || (!rest.is_empty()).then(|| rest.split_to(rest.len().min(MAX_CHUNK_BYTES))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_to_the_body_and_share_its_memory() {
        for length in [0, 1, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 3 * MAX_CHUNK_BYTES + 7] {
            let body = Bytes::from(vec![7u8; length]);
            let mut offset = 0;
            for chunk in chunks(body.clone()) {
                assert!(!chunk.is_empty() && chunk.len() <= MAX_CHUNK_BYTES);
                assert_eq!(chunk.as_ptr(), body[offset..].as_ptr());
                offset += chunk.len();
            }
            assert_eq!(offset, length);
        }
    }
}
