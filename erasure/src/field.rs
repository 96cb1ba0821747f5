//! The field GF(2^8) for the Reed-Solomon library, safe on every processor.
//!
//! On x86-64 the library's vector code is compiled for AVX2 whatever machine it will run on. So its own field is used only
//! where the processor is found to have AVX2, and a table of products for each factor elsewhere.

use reed_solomon_erasure::{Field as LibraryField, galois_8};

/// The field, with the fastest slice operations that the processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field;

impl LibraryField for Field {
    const ORDER: usize = galois_8::Field::ORDER;

    type Elem = u8;

    fn add(a: u8, b: u8) -> u8 {
        galois_8::add(a, b)
    }

    fn mul(a: u8, b: u8) -> u8 {
        galois_8::mul(a, b)
    }

    fn div(a: u8, b: u8) -> u8 {
        galois_8::div(a, b)
    }

    fn exp(a: u8, n: usize) -> u8 {
        galois_8::exp(a, n)
    }

    fn zero() -> u8 {
        0
    }

    fn one() -> u8 {
        1
    }

    fn nth_internal(n: usize) -> u8 {
        u8::try_from(n).expect("the library asks for no element past the order")
    }

    fn mul_slice(factor: u8, input: &[u8], output: &mut [u8]) {
        if library_runs_here() {
            galois_8::mul_slice(factor, input, output);
        } else {
            mul_slice_portable(factor, input, output);
        }
    }

    fn mul_slice_add(factor: u8, input: &[u8], output: &mut [u8]) {
        if library_runs_here() {
            galois_8::mul_slice_xor(factor, input, output);
        } else {
            mul_slice_add_portable(factor, input, output);
        }
    }
}

fn library_runs_here() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return true;
}

fn mul_slice_portable(factor: u8, input: &[u8], output: &mut [u8]) {
    let products = products(factor);
    for (output, &input) in output.iter_mut().zip(input) {
        *output = products[usize::from(input)];
    }
}

fn mul_slice_add_portable(factor: u8, input: &[u8], output: &mut [u8]) {
    let products = products(factor);
    for (output, &input) in output.iter_mut().zip(input) {
        *output ^= products[usize::from(input)];
    }
}

/// The products of `factor` with every element.
fn products(factor: u8) -> [u8; 256] {
    let mut products = [0; 256];
    for (product, element) in products.iter_mut().zip(0..=u8::MAX) {
        *product = galois_8::mul(factor, element);
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_and_library_slices_agree() {
        let input: Vec<u8> = (0..=u8::MAX).chain(0..77).collect();
        let before: Vec<u8> = input.iter().rev().copied().collect();
        for factor in 0..=u8::MAX {
            let (mut library, mut portable) = (before.clone(), before.clone());
            Field::mul_slice(factor, &input, &mut library);
            mul_slice_portable(factor, &input, &mut portable);
            assert_eq!(library, portable, "times {factor}");
            let (mut library, mut portable) = (before.clone(), before.clone());
            Field::mul_slice_add(factor, &input, &mut library);
            mul_slice_add_portable(factor, &input, &mut portable);
            assert_eq!(library, portable, "plus times {factor}");
        }
    }
}
