//! Sums of products in GF(2^8), which is all that coding and decoding are.

use reed_solomon_erasure::Field as _;

use crate::field::Field;

#[cfg(target_arch = "x86_64")]
mod gfni;

/// Writes to each output the sum of the inputs times that output's row of factors. All slices have one length, above zero.
///
/// Callers pass tiles that fit the first-level cache, since inputs, or outputs, are gone through several times.
pub(crate) fn combine(rows: &[Vec<u8>], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    #[cfg(target_arch = "x86_64")]
    if gfni::combine(rows, inputs, outputs) {
        return;
    }
    combine_slices(rows, inputs, outputs);
}

/// The same, a product of one slice and one factor at a time.
fn combine_slices(rows: &[Vec<u8>], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    for (i, input) in inputs.iter().enumerate() {
        for (row, output) in rows.iter().zip(outputs.iter_mut()) {
            if i == 0 {
                Field::mul_slice(row[i], input, output);
            } else {
                Field::mul_slice_add(row[i], input, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Combine = fn(&[Vec<u8>], &[&[u8]], &mut [&mut [u8]]);

    fn bytes(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at * at * 7 + at * 131 + seed * 29) % 251).expect("below 256")).collect()
    }

    /// What `combine` makes of `inputs`, over outputs that are not empty before.
    fn combined(combine: Combine, rows: &[Vec<u8>], inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let mut outputs = vec![vec![0xa5; inputs[0].len()]; rows.len()];
        combine(rows, &inputs, &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
        outputs
    }

    fn assert_both_agree(rows: &[Vec<u8>], inputs: &[Vec<u8>]) {
        assert!(combined(combine, rows, inputs) == combined(combine_slices, rows, inputs), "factors {rows:?}");
    }

    #[test]
    fn every_factor_times_every_element_is_the_fields_product() {
        let elements: Vec<u8> = (0..=u8::MAX).collect();
        let rows: Vec<Vec<u8>> = elements.iter().map(|factor| vec![*factor]).collect();
        for (factor, products) in elements.iter().zip(combined(combine, &rows, std::slice::from_ref(&elements))) {
            for (element, product) in elements.iter().zip(products) {
                assert_eq!(product, Field::mul(*factor, *element), "{factor} times {element}");
            }
        }
    }

    #[test]
    fn every_way_to_combine_gives_the_same_for_every_length_up_to_a_leaf() {
        let rows: Vec<Vec<u8>> = (1..6).map(|seed| bytes(3, seed)).collect();
        for length in 1..=4096 {
            let inputs: Vec<Vec<u8>> = (0..3).map(|seed| bytes(length, seed)).collect();
            assert_both_agree(&rows, &inputs);
        }
    }

    proptest! {
        #[test]
        fn long_random_ones_agree_too(
            (rows, inputs) in (1usize..20, 1usize..20, 1usize..20_000).prop_flat_map(|(outputs, inputs, length)| {
                let bytes = |length| prop::collection::vec(any::<u8>(), length);
                (prop::collection::vec(bytes(inputs), outputs), prop::collection::vec(bytes(length), inputs))
            })
        ) {
            assert_both_agree(&rows, &inputs);
        }
    }
}
