//! What the benches share.

use bytes::Bytes;

/// Another payload each time: storing the same one again would be answered from what is held.
pub fn payload(length: usize, number: &mut u64) -> Bytes {
    *number += 1;
    let mut state = *number;
    (0..length.div_ceil(8))
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()
        })
        .take(length)
        .collect::<Vec<u8>>()
        .into()
}
