//! Payloads, each other than every one before: the same one again would be answered from what is held.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// Bytes that make a payload its own: enough for whatever is stored twice on one committee, in this run or another.
const OWN: usize = 16;

/// Payloads of one length. To make one is to copy it: what it costs is part of the client's share, and small beside it.
#[derive(Debug)]
pub(super) struct Payloads {
    like: Vec<u8>,
    next: AtomicU64,
    of_run: u64,
}

impl Payloads {
    pub(super) fn of(length: u32) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = (length as usize).div_ceil(8);
        let random = (0..words).flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state ^ state >> 29).to_le_bytes()
        });
        let like = random.take(length as usize).collect();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let of_run = since.as_secs() << 30 | u64::from(since.subsec_nanos());
        Self { like, next: AtomicU64::new(0), of_run }
    }

    pub(super) fn next(&self) -> Bytes {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut own = [0; OWN];
        // The number first: what is shorter than all of it is still other than the last.
        own[..8].copy_from_slice(&number.to_le_bytes());
        own[8..].copy_from_slice(&self.of_run.to_le_bytes());
        let mut payload = self.like.clone();
        let length = payload.len().min(OWN);
        payload[..length].copy_from_slice(&own[..length]);
        payload.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payload_is_made_twice() {
        for length in [8, 16, 1000] {
            let (one, other) = (Payloads::of(length), Payloads::of(length));
            let mut made: Vec<Bytes> = (0..100).map(|_| one.next()).collect();
            if length >= 16 {
                made.extend((0..100).map(|_| other.next()));
            }
            assert!(made.iter().all(|payload| payload.len() == length as usize));
            let count = made.len();
            made.sort();
            made.dedup();
            assert_eq!(made.len(), count, "{length}");
        }
    }
}
