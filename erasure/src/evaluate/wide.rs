//! POLYVAL with VPCLMULQDQ: sixteen blocks are multiplied by the point's first sixteen powers, two blocks with one
//! instruction and at both points, and the sum is reduced once.
#![allow(unsafe_code, reason = "instructions that only some processors have")]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_clmulepi64_si128, _mm_loadu_si128, _mm_set_epi64x, _mm_shuffle_epi32, _mm_slli_si128,
    _mm_srli_si128, _mm_storeu_si128, _mm_xor_si128, _mm256_castsi256_si128, _mm256_clmulepi64_epi128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_permute4x64_epi64, _mm256_setzero_si256, _mm256_xor_si256,
    _mm256_zextsi128_si256,
};

use polyval::Block;

use super::{Element, POINTS};
use crate::transpose::PLANES;

/// Blocks that are multiplied before the sum is reduced.
const RUN: usize = 16;

/// `x^127 + x^126 + x^121`, the upper half of POLYVAL's polynomial as it is multiplied by.
const POLYNOMIAL: i64 = 0xc200_0000_0000_0000_u64.cast_signed();

#[derive(Clone)]
pub(crate) struct Evaluation {
    /// Each point's powers, from the sixteenth to the first.
    powers: [[Element; RUN]; POINTS],
    values: [[Element; PLANES]; POINTS],
}

impl Evaluation {
    /// Starts before the first block; nothing where the processor lacks an instruction.
    pub(super) fn new(points: &[Element; POINTS]) -> Option<Self> {
        let able = std::arch::is_x86_feature_detected!("vpclmulqdq")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
            && std::arch::is_x86_feature_detected!("avx2");
        // SAFETY: the processor has these instructions, as was just asked.
        able.then(|| Self { powers: points.map(|point| unsafe { powers(point) }), values: [[[0; 16]; PLANES]; POINTS] })
    }

    /// Takes the next blocks of one plane.
    pub(super) fn update(&mut self, plane: usize, blocks: &[Block]) {
        let (runs, rest) = blocks.as_chunks::<RUN>();
        let mut values = self.values.map(|of| of[plane]);
        // SAFETY: there is no value of this type where the processor lacks an instruction.
        unsafe {
            for run in runs {
                values = take(&self.powers, values, run, RUN);
            }
            if !rest.is_empty() {
                // Zeros before the first block add nothing.
                let mut run = [Block::default(); RUN];
                run[RUN - rest.len()..].copy_from_slice(rest);
                values = take(&self.powers, values, &run, rest.len());
            }
        }
        for (of, value) in self.values.iter_mut().zip(values) {
            of[plane] = value;
        }
    }

    pub(super) fn finish(self) -> [[Element; PLANES]; POINTS] {
        self.values
    }
}

/// The values after a run of blocks, of which the last `count` are there.
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
fn take(
    powers: &[[Element; RUN]; POINTS],
    values: [Element; POINTS],
    run: &[Block; RUN],
    count: usize,
) -> [Element; POINTS] {
    let mut sums = [Sum::zero(); POINTS];
    // The value so far belongs to the first block that is there.
    let (with, upper) = ((RUN - count) / 2, (RUN - count) % 2 == 1);
    for (at, two) in run.as_chunks::<2>().0.iter().enumerate() {
        // SAFETY: two blocks are 32 readable bytes, and this load asks for no alignment.
        let blocks = unsafe { _mm256_loadu_si256(two.as_ptr().cast()) };
        for ((sum, powers), value) in sums.iter_mut().zip(powers).zip(&values) {
            let blocks = if at == with { _mm256_xor_si256(blocks, placed(value, upper)) } else { blocks };
            let powers = powers.as_chunks::<2>().0;
            // SAFETY: as above.
            let powers = unsafe { _mm256_loadu_si256(powers[at].as_ptr().cast()) };
            sum.add_product(blocks, powers);
        }
    }
    sums.map(|sum| store(sum.reduced()))
}

#[target_feature(enable = "avx2")]
fn placed(value: &Element, upper: bool) -> __m256i {
    let value = _mm256_zextsi128_si256(load(value));
    if upper { _mm256_permute4x64_epi64::<0b01_00_11_10>(value) } else { value }
}

/// A sum of products, not reduced: its lower and upper halves, and what lies across both.
#[derive(Clone, Copy)]
struct Sum {
    low: __m256i,
    across: __m256i,
    high: __m256i,
}

impl Sum {
    #[target_feature(enable = "avx2")]
    fn zero() -> Self {
        let zero = _mm256_setzero_si256();
        Self { low: zero, across: zero, high: zero }
    }

    #[target_feature(enable = "avx2,vpclmulqdq")]
    fn add_product(&mut self, a: __m256i, b: __m256i) {
        let across = _mm256_xor_si256(_mm256_clmulepi64_epi128::<0x01>(a, b), _mm256_clmulepi64_epi128::<0x10>(a, b));
        self.low = _mm256_xor_si256(self.low, _mm256_clmulepi64_epi128::<0x00>(a, b));
        self.high = _mm256_xor_si256(self.high, _mm256_clmulepi64_epi128::<0x11>(a, b));
        self.across = _mm256_xor_si256(self.across, across);
    }

    #[target_feature(enable = "avx2,pclmulqdq")]
    fn reduced(self) -> __m128i {
        let (low, across, high) = (folded(self.low), folded(self.across), folded(self.high));
        let low = _mm_xor_si128(low, _mm_slli_si128::<8>(across));
        let high = _mm_xor_si128(high, _mm_srli_si128::<8>(across));
        reduce(low, high)
    }
}

#[target_feature(enable = "avx2")]
fn folded(both: __m256i) -> __m128i {
    _mm_xor_si128(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both))
}

/// The product of 256 bits times `x^-128`, by Montgomery's reduction.
#[target_feature(enable = "avx2,pclmulqdq")]
fn reduce(low: __m128i, high: __m128i) -> __m128i {
    let polynomial = _mm_set_epi64x(0, POLYNOMIAL);
    let first = _mm_xor_si128(swapped(low), _mm_clmulepi64_si128::<0x00>(low, polynomial));
    let second = _mm_xor_si128(swapped(first), _mm_clmulepi64_si128::<0x00>(first, polynomial));
    _mm_xor_si128(second, high)
}

#[target_feature(enable = "avx2")]
fn swapped(halves: __m128i) -> __m128i {
    _mm_shuffle_epi32::<0b01_00_11_10>(halves)
}

/// The powers of a point, from the sixteenth to the first.
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
fn powers(point: Element) -> [Element; RUN] {
    let mut powers = [point; RUN];
    let by = _mm256_zextsi128_si256(load(&point));
    for at in (0..RUN - 1).rev() {
        let mut sum = Sum::zero();
        sum.add_product(_mm256_zextsi128_si256(load(&powers[at + 1])), by);
        powers[at] = store(sum.reduced());
    }
    powers
}

#[target_feature(enable = "avx2")]
fn load(element: &Element) -> __m128i {
    // SAFETY: an element is 16 readable bytes, and this load asks for no alignment.
    unsafe { _mm_loadu_si128(element.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(value: __m128i) -> Element {
    let mut element = [0; 16];
    // SAFETY: an element is 16 writable bytes, and this store asks for no alignment.
    unsafe { _mm_storeu_si128(element.as_mut_ptr().cast(), value) };
    element
}
