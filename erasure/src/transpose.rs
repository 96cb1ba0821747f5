//! Between groups of 128 bytes and their eight bit planes of 16 bytes.
//!
//! Bit `u` of plane `p` (bit `u mod 8` of byte `u div 8`, least significant first) is bit `p` of the group's byte `u`.

use polyval::Block;

use crate::parameters::GROUP_BYTES;

/// Bits in a byte.
pub(crate) const PLANES: usize = 8;

/// Bytes of one group's plane: a block of POLYVAL.
const PLANE_BYTES: usize = GROUP_BYTES / PLANES;

/// Writes the planes of `groups[g]` to `planes[..][g]`.
pub(crate) fn groups_to_planes<const BATCH: usize>(
    groups: &[[u8; GROUP_BYTES]],
    planes: &mut [[Block; BATCH]; PLANES],
) {
    #[cfg(target_arch = "x86_64")]
    if avx2::groups_to_planes(groups, planes) {
        return;
    }
    groups_to_planes_portable(groups, planes);
}

fn groups_to_planes_portable<const BATCH: usize>(groups: &[[u8; GROUP_BYTES]], planes: &mut [[Block; BATCH]; PLANES]) {
    for (g, group) in groups.iter().enumerate() {
        let blocks = group_to_planes(group);
        for (plane, block) in planes.iter_mut().zip(blocks) {
            plane[g] = block.into();
        }
    }
}

/// The inverse, for one group.
pub(crate) fn planes_to_group(planes: &[[u8; PLANE_BYTES]; PLANES]) -> [u8; GROUP_BYTES] {
    let mut group = [0; GROUP_BYTES];
    for (byte, eight) in group.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *eight = transpose_8x8(u64::from_le_bytes(planes.map(|plane| plane[byte]))).to_le_bytes();
    }
    group
}

fn group_to_planes(group: &[u8; GROUP_BYTES]) -> [[u8; PLANE_BYTES]; PLANES] {
    let mut planes = [[0; PLANE_BYTES]; PLANES];
    for (byte, eight) in group.as_chunks::<8>().0.iter().enumerate() {
        let eight_planes = transpose_8x8(u64::from_le_bytes(*eight)).to_le_bytes();
        for (plane, bits) in planes.iter_mut().zip(eight_planes) {
            plane[byte] = bits;
        }
    }
    planes
}

/// Swaps rows and columns of the 8 by 8 bits whose row `r` is byte `r`, least significant first: Hacker's Delight, 7-3.
const fn transpose_8x8(mut bits: u64) -> u64 {
    let mut swap = (bits ^ (bits >> 7)) & 0x00aa_00aa_00aa_00aa;
    bits ^= swap ^ (swap << 7);
    swap = (bits ^ (bits >> 14)) & 0x0000_cccc_0000_cccc;
    bits ^= swap ^ (swap << 14);
    swap = (bits ^ (bits >> 28)) & 0x0000_0000_f0f0_f0f0;
    bits ^ swap ^ (swap << 28)
}

/// The same with AVX2, which collects one bit of each of 32 bytes in one instruction.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "vector instructions that only some processors have")]
mod avx2 {
    use std::arch::x86_64::{_mm256_add_epi8, _mm256_loadu_si256, _mm256_movemask_epi8};

    use super::{Block, GROUP_BYTES, PLANES};

    /// Does what the function above it does and says so, or does nothing when the processor has no AVX2.
    pub(super) fn groups_to_planes<const BATCH: usize>(
        groups: &[[u8; GROUP_BYTES]],
        planes: &mut [[Block; BATCH]; PLANES],
    ) -> bool {
        let able = std::arch::is_x86_feature_detected!("avx2");
        if able {
            // SAFETY: the processor has AVX2, as was just asked.
            unsafe { transpose(groups, planes) };
        }
        able
    }

    #[target_feature(enable = "avx2")]
    fn transpose<const BATCH: usize>(groups: &[[u8; GROUP_BYTES]], planes: &mut [[Block; BATCH]; PLANES]) {
        for (g, group) in groups.iter().enumerate() {
            for (quarter, bytes) in group.as_chunks::<32>().0.iter().enumerate() {
                // SAFETY: `bytes` is 32 readable bytes, and this load asks for no alignment.
                let mut vector = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
                for plane in planes.iter_mut().rev() {
                    // The top bit of each byte, then the next one down moves to the top.
                    let bits = _mm256_movemask_epi8(vector).to_le_bytes();
                    plane[g][4 * quarter..4 * quarter + 4].copy_from_slice(&bits);
                    vector = _mm256_add_epi8(vector, vector);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(seed: usize) -> [u8; GROUP_BYTES] {
        std::array::from_fn(|u| u8::try_from((seed * 131 + u * u * 7 + u * 29 + 3) % 256).expect("below 256"))
    }

    #[test]
    fn every_way_to_transpose_follows_the_definition() {
        let groups: [_; 5] = std::array::from_fn(group);
        let mut planes = [[Block::default(); 5]; PLANES];
        groups_to_planes(&groups, &mut planes);
        let mut portable = [[Block::default(); 5]; PLANES];
        groups_to_planes_portable(&groups, &mut portable);
        assert_eq!(planes, portable);
        for (g, group) in groups.iter().enumerate() {
            for (p, plane) in planes.iter().enumerate() {
                for (u, byte) in group.iter().enumerate() {
                    assert_eq!(plane[g][u / 8] >> (u % 8) & 1, byte >> p & 1, "group {g}, plane {p}, byte {u}");
                }
            }
            assert_eq!(planes_to_group(&planes.map(|plane| plane[g].into())), *group);
        }
    }
}
