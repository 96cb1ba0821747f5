//! Products with GFNI: to multiply by a factor is linear over bits, so it is a matrix of 8 by 8 bits, which one instruction
//! applies to each of 32 bytes. Sums of several outputs stay in registers until all inputs are in them.
#![allow(unsafe_code, reason = "instructions that only some processors have")]

use std::arch::x86_64::{
    __m256i, _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use super::combine_slices;

/// Bytes of each slice that are worked on at once.
const STEP: usize = 64;
/// Outputs that are summed at once: two registers each, of sixteen.
const TOGETHER: usize = 4;

/// x^8 in the field, less x^8: see [`crate::code`].
const POLYNOMIAL: u8 = 0x1d;

/// For each factor the matrix that multiplies by it.
static MATRICES: [i64; 256] = {
    let mut matrices = [0; 256];
    let mut factor = 0;
    while factor < 256 {
        matrices[factor] = matrix(factor.to_le_bytes()[0]);
        factor += 1;
    }
    matrices
};

/// Does what the function above it does and says so, or does nothing when the processor lacks an instruction.
pub(super) fn combine(rows: &[Vec<u8>], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
    let able = std::arch::is_x86_feature_detected!("gfni") && std::arch::is_x86_feature_detected!("avx2");
    if able {
        for (rows, outputs) in rows.chunks(TOGETHER).zip(outputs.chunks_mut(TOGETHER)) {
            // SAFETY: the processor has these instructions, as was just asked.
            unsafe {
                match outputs.len() {
                    1 => sums::<1>(rows, inputs, outputs),
                    2 => sums::<2>(rows, inputs, outputs),
                    3 => sums::<3>(rows, inputs, outputs),
                    _ => sums::<TOGETHER>(rows, inputs, outputs),
                }
            }
        }
    }
    able
}

/// Writes `N` outputs.
#[target_feature(enable = "gfni,avx2")]
fn sums<const N: usize>(rows: &[Vec<u8>], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let mut factors = vec![[0; N]; inputs.len()];
    for (i, factors) in factors.iter_mut().enumerate() {
        for (factor, row) in factors.iter_mut().zip(rows) {
            *factor = MATRICES[usize::from(row[i])];
        }
    }
    let whole = inputs[0].len() / STEP * STEP;
    for from in (0..whole).step_by(STEP) {
        let mut sums = [[_mm256_setzero_si256(); 2]; N];
        for (input, factors) in inputs.iter().zip(&factors) {
            let [low, high] = load(&input[from..from + STEP]);
            for (sum, factor) in sums.iter_mut().zip(factors) {
                let factor = _mm256_set1_epi64x(*factor);
                sum[0] = _mm256_xor_si256(sum[0], _mm256_gf2p8affine_epi64_epi8::<0>(low, factor));
                sum[1] = _mm256_xor_si256(sum[1], _mm256_gf2p8affine_epi64_epi8::<0>(high, factor));
            }
        }
        for (output, sum) in outputs.iter_mut().zip(sums) {
            store(&mut output[from..from + STEP], sum);
        }
    }
    if whole < inputs[0].len() {
        let inputs: Vec<&[u8]> = inputs.iter().map(|input| &input[whole..]).collect();
        let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(|output| &mut output[whole..]).collect();
        combine_slices(rows, &inputs, &mut outputs);
    }
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> [__m256i; 2] {
    let (low, high) = bytes[..STEP].split_at(STEP / 2);
    // SAFETY: each half is 32 readable bytes, and these loads ask for no alignment.
    unsafe { [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())] }
}

#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8], sum: [__m256i; 2]) {
    let (low, high) = bytes[..STEP].split_at_mut(STEP / 2);
    // SAFETY: each half is 32 writable bytes, and these stores ask for no alignment.
    unsafe {
        _mm256_storeu_si256(low.as_mut_ptr().cast(), sum[0]);
        _mm256_storeu_si256(high.as_mut_ptr().cast(), sum[1]);
    }
}

/// Byte `7 - i` of the matrix has the element's bits whose sum is bit `i` of the product.
const fn matrix(factor: u8) -> i64 {
    let (mut matrix, mut product, mut bit) = (0u64, factor, 0);
    while bit < 8 {
        let mut i = 0;
        while i < 8 {
            matrix |= ((product >> i & 1) as u64) << (8 * (7 - i) + bit);
            i += 1;
        }
        product = (product << 1) ^ ((product >> 7) * POLYNOMIAL);
        bit += 1;
    }
    matrix.cast_signed()
}
