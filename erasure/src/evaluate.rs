//! The bit planes of a shard, evaluated at both points: POLYVAL of RFC 8452, with the processor's wide multiplication where it
//! has one.

use polyval::universal_hash::UniversalHash as _;
use polyval::{Block, Polyval};

use crate::transpose::PLANES;

#[cfg(target_arch = "x86_64")]
mod wide;

/// How many points a shard is evaluated at.
pub(crate) const POINTS: usize = 2;

/// A field element, as POLYVAL writes it.
type Element = [u8; 16];

/// The values so far: of each point, those of all planes.
#[derive(Clone)]
pub(crate) enum Evaluation {
    Plain(Box<[[Polyval; PLANES]; POINTS]>),
    #[cfg(target_arch = "x86_64")]
    Wide(Box<wide::Evaluation>),
}

impl Evaluation {
    /// Starts before the first block.
    pub(crate) fn new(points: &[Element; POINTS]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(wide) = wide::Evaluation::new(points) {
            return Self::Wide(Box::new(wide));
        }
        Self::plain(points)
    }

    fn plain(points: &[Element; POINTS]) -> Self {
        Self::Plain(Box::new(points.map(|point| {
            let hasher = Polyval::new(&point.into());
            std::array::from_fn(|_| hasher.clone())
        })))
    }

    /// Takes the first `count` blocks of every plane.
    pub(crate) fn update<const BATCH: usize>(&mut self, planes: &[[Block; BATCH]; PLANES], count: usize) {
        match self {
            Self::Plain(hashers) => {
                for hashers in hashers.iter_mut() {
                    for (hasher, plane) in hashers.iter_mut().zip(planes) {
                        hasher.update(&plane[..count]);
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => {
                for (number, plane) in planes.iter().enumerate() {
                    wide.update(number, &plane[..count]);
                }
            }
        }
    }

    /// The values of all planes at each point.
    pub(crate) fn finish(self) -> [[Element; PLANES]; POINTS] {
        match self {
            Self::Plain(hashers) => hashers.map(|hashers| hashers.map(|hasher| hasher.finalize().into())),
            #[cfg(target_arch = "x86_64")]
            Self::Wide(wide) => wide.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT_BYTES: [Element; POINTS] = [*b"one of the point", [0xff; 16]];

    fn planes(seed: usize) -> [[Block; 40]; PLANES] {
        let byte = |p: usize, b: usize, i: usize| {
            let mixed = (seed + 1) * 2_654_435_761 + p * 40_503 + b * 69_069 + i * 362_437;
            u8::try_from((mixed ^ (mixed >> 13)) % 256).expect("below 256")
        };
        std::array::from_fn(|p| std::array::from_fn(|b| std::array::from_fn::<_, 16, _>(|i| byte(p, b, i)).into()))
    }

    /// Vectors of RFC 8452, appendix A: two blocks at one point.
    #[test]
    fn the_rfcs_example_at_either_point() {
        let element = |text: &str| {
            let mut bytes = [0; 16];
            hex::decode_to_slice(text, &mut bytes).expect("hex");
            bytes
        };
        let point = element("25629347589242761d31f826ba4b757b");
        let blocks = ["4f4f95668c83dfb6401762bb2d01a262", "d1a24ddd2721d006bbe45f20d3c9f362"].map(element);
        let planes: [[Block; 2]; PLANES] = [blocks.map(Into::into); PLANES];
        for mut evaluation in [Evaluation::new(&[point; POINTS]), Evaluation::plain(&[point; POINTS])] {
            evaluation.update(&planes, 2);
            assert_eq!(evaluation.finish(), [[element("f7a3b47b846119fae5b7866cf5e5b77e"); PLANES]; POINTS]);
        }
    }

    #[test]
    fn every_way_to_evaluate_gives_the_same_for_every_run_of_blocks() {
        for first in 0..=40 {
            for second in [0, 1, 2, 15, 16, 17, 31, 32, 33, 40] {
                let mut evaluations = [Evaluation::new(&POINT_BYTES), Evaluation::plain(&POINT_BYTES)];
                for evaluation in &mut evaluations {
                    evaluation.update(&planes(first), first);
                    evaluation.update(&planes(second + 100), second);
                }
                let [got, expected] = evaluations.map(Evaluation::finish);
                assert_eq!(got, expected, "{first} blocks, then {second}");
            }
        }
    }
}
