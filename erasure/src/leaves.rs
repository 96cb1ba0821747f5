//! Hashes of leaves: SHA-256 with the prefix 0x00 (RFC 6962), of one leaf or of two at once.
//!
//! A processor's instructions for SHA-256 each wait for the one before; two hashes side by side fill these waits.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

const LEAF_PREFIX: u8 = 0x00;

/// Hash of one leaf's bytes.
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    let digest: [u8; 32] = Sha256::new().chain_update([LEAF_PREFIX]).chain_update(leaf).finalize().into();
    digest.into()
}

/// The hashes of two leaves, as [`leaf_hash`] makes each.
pub(crate) fn two_leaf_hashes(leaves: [&[u8]; 2]) -> [Digest; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(hashes) = sha_ni::two_leaf_hashes(leaves) {
        return hashes;
    }
    leaves.map(leaf_hash)
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "instructions that only some processors have")]
mod sha_ni {
    use std::arch::{
        asm,
        x86_64::{
            __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_loadu_si128, _mm_set_epi32, _mm_set_epi64x,
            _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
        },
    };

    use super::{Digest, LEAF_PREFIX};

    /// Bytes of a block.
    const BLOCK: usize = 64;
    /// The first words of the square roots of the first eight primes (FIPS 180-4, 5.3.3).
    const START: [u32; 8] =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
    /// The round constants (FIPS 180-4, 4.2.2).
    const ROUNDS: [[u32; 4]; 16] = [
        [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
        [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
        [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
        [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
        [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
        [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
        [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
        [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
        [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
        [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
        [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
        [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
        [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
        [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
        [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
        [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
    ];

    /// The two halves of a state, as the instructions want them.
    #[derive(Clone, Copy)]
    struct State {
        abef: __m128i,
        cdgh: __m128i,
    }

    /// The hashes; nothing where the processor lacks an instruction, or the leaves differ in length.
    pub(super) fn two_leaf_hashes(leaves: [&[u8]; 2]) -> Option<[Digest; 2]> {
        let able = std::arch::is_x86_feature_detected!("sha")
            && std::arch::is_x86_feature_detected!("ssse3")
            && std::arch::is_x86_feature_detected!("sse4.1");
        if !able || leaves[0].len() != leaves[1].len() {
            return None;
        }
        // SAFETY: the processor has these instructions, as was just asked.
        Some(unsafe { hash(leaves) })
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn hash(leaves: [&[u8]; 2]) -> [Digest; 2] {
        let mut states = [start(); 2];
        let length = leaves[0].len();
        // The prefix and the first 63 bytes; after them the leaf's own bytes are blocks.
        let mut rest = leaves;
        if length + 1 >= BLOCK {
            let first = leaves.map(|leaf| {
                let mut block = [LEAF_PREFIX; BLOCK];
                block[1..].copy_from_slice(&leaf[..BLOCK - 1]);
                block
            });
            compress(&mut states, [&first[0], &first[1]]);
            let (one, other) =
                (leaves[0][BLOCK - 1..].as_chunks::<BLOCK>(), leaves[1][BLOCK - 1..].as_chunks::<BLOCK>());
            for (one, other) in one.0.iter().zip(other.0) {
                compress(&mut states, [one, other]);
            }
            rest = [one.1, other.1];
        }
        // What is left, the bit after it, and the length in bits.
        let bits = (length as u64 + 1) * 8;
        let ends = rest.map(|rest| {
            let mut end = [0; 2 * BLOCK];
            let from = usize::from(length + 1 < BLOCK);
            end[from..from + rest.len()].copy_from_slice(rest);
            end[from + rest.len()] = 0x80;
            end
        });
        let used = usize::from(length + 1 < BLOCK) + rest[0].len() + 1 + 8;
        let blocks = used.div_ceil(BLOCK);
        let ends = ends.map(|mut end| {
            end[blocks * BLOCK - 8..blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
            end
        });
        let (one, other) = (ends[0].as_chunks::<BLOCK>().0, ends[1].as_chunks::<BLOCK>().0);
        for (one, other) in one.iter().zip(other).take(blocks) {
            compress(&mut states, [one, other]);
        }
        [digest(states[0]), digest(states[1])]
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn start() -> State {
        let [a, b, c, d, e, f, g, h] = START.map(u32::cast_signed);
        State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn digest(State { abef, cdgh }: State) -> Digest {
        let words = [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ];
        let mut bytes = [0; 32];
        for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *four = word.to_be_bytes();
        }
        bytes.into()
    }

    /// Sixty-four rounds of each; the two take turns at every step.
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    #[inline]
    fn compress(states: &mut [State; 2], blocks: [&[u8; BLOCK]; 2]) {
        let [mut one, mut other] = *states;
        let mut words = [load(blocks[0]), load(blocks[1])];
        // Four rounds, and before them from the fifth time on the next four words of the schedule.
        macro_rules! four {
            ($at:literal) => {
                let constants = ROUNDS[$at].map(u32::cast_signed);
                let constants = _mm_set_epi32(constants[3], constants[2], constants[1], constants[0]);
                if $at >= 4 {
                    for words in &mut words {
                        let near = _mm_alignr_epi8::<4>(words[($at + 3) % 4], words[($at + 2) % 4]);
                        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(words[$at % 4], words[($at + 1) % 4]), near);
                        words[$at % 4] = _mm_sha256msg2_epu32(sum, words[($at + 3) % 4]);
                    }
                }
                let sums = [_mm_add_epi32(words[0][$at % 4], constants), _mm_add_epi32(words[1][$at % 4], constants)];
                one.cdgh = _mm_sha256rnds2_epu32(one.cdgh, one.abef, sums[0]);
                other.cdgh = _mm_sha256rnds2_epu32(other.cdgh, other.abef, sums[1]);
                let sums = [_mm_shuffle_epi32::<0x0e>(sums[0]), _mm_shuffle_epi32::<0x0e>(sums[1])];
                one.abef = _mm_sha256rnds2_epu32(one.abef, one.cdgh, sums[0]);
                other.abef = _mm_sha256rnds2_epu32(other.abef, other.cdgh, sums[1]);
                // The compiler would else put all rounds of one before those of the other.
                // SAFETY: there is no instruction in it; it only says that both are used at this place.
                unsafe {
                    asm!(
                        "/* {0} {1} */",
                        inout(xmm_reg) one.abef,
                        inout(xmm_reg) other.abef,
                        options(nomem, nostack, preserves_flags)
                    );
                }
            };
        }
        four!(0);
        four!(1);
        four!(2);
        four!(3);
        four!(4);
        four!(5);
        four!(6);
        four!(7);
        four!(8);
        four!(9);
        four!(10);
        four!(11);
        four!(12);
        four!(13);
        four!(14);
        four!(15);
        for (state, after) in states.iter_mut().zip([one, other]) {
            state.abef = _mm_add_epi32(state.abef, after.abef);
            state.cdgh = _mm_add_epi32(state.cdgh, after.cdgh);
        }
    }

    /// A block as big-endian words.
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    #[inline]
    fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
        let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let quarter = |at: usize| {
            let bytes = &block[16 * at..16 * at + 16];
            // SAFETY: `bytes` is 16 readable bytes, and this load asks for no alignment.
            _mm_shuffle_epi8(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }, order)
        };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at * at * 7 + at * 131 + seed * 29) % 251).expect("below 256")).collect()
    }

    #[test]
    fn twins_are_what_each_is_alone_for_every_length_up_to_a_leaf() {
        for length in 0..=4096 {
            let (one, other) = (bytes(length, 1), bytes(length, 2));
            let expected = [leaf_hash(&one), leaf_hash(&other)];
            assert_eq!(two_leaf_hashes([&one, &other]), expected, "{length} bytes");
        }
    }

    #[test]
    fn leaves_of_different_lengths_are_hashed_one_by_one() {
        let (one, other) = (bytes(4096, 1), bytes(128, 2));
        assert_eq!(two_leaf_hashes([&one, &other]), [leaf_hash(&one), leaf_hash(&other)]);
    }

    proptest! {
        #[test]
        fn long_random_ones_agree_too(
            (one, other) in (0usize..100_000).prop_flat_map(|length| {
                (prop::collection::vec(any::<u8>(), length), prop::collection::vec(any::<u8>(), length))
            })
        ) {
            prop_assert_eq!(two_leaf_hashes([&one, &other]), [leaf_hash(&one), leaf_hash(&other)]);
        }
    }
}
