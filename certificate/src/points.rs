//! Decoding and encoding of BLS12-381 points, compressed (ZCash format) and as EIP-2537 lays them out.
//!
//! Every point that enters the crate comes through here: canonical, on the curve, in the subgroup, not the identity.

use blst::BLST_ERROR;
use blst::min_sig::{PublicKey as G2, Signature as G1};

use crate::malformed::{Malformed, PointProblem};
use crate::text::fixed;

/// Bytes of a compressed G1 point.
pub(crate) const G1_BYTES: usize = 48;
/// Bytes of a compressed G2 point.
pub(crate) const G2_BYTES: usize = 96;
/// Bytes of a G1 point in EIP-2537 layout.
pub(crate) const G1_EIP2537_BYTES: usize = 128;
/// Bytes of a G2 point in EIP-2537 layout.
pub(crate) const G2_EIP2537_BYTES: usize = 256;

/// Bytes of a base field element.
const FIELD_BYTES: usize = 48;
/// Bytes of a base field element in EIP-2537, big-endian with leading zeros.
const PADDED_BYTES: usize = 64;

pub(crate) fn g1_from_compressed(what: &'static str, bytes: &[u8]) -> Result<G1, Malformed> {
    let bytes: [u8; G1_BYTES] = fixed(what, bytes)?;
    let point = G1::uncompress(&bytes).map_err(|code| refused(what, code))?;
    g1_check(what, point)
}

pub(crate) fn g1_from_eip2537(what: &'static str, bytes: &[u8]) -> Result<G1, Malformed> {
    let bytes: [u8; G1_EIP2537_BYTES] = fixed(what, bytes)?;
    let mut plain = [0; 2 * FIELD_BYTES];
    strip_padding(what, &bytes, &mut plain)?;
    let point = G1::deserialize(&plain).map_err(|code| refused(what, code))?;
    g1_check(what, point)
}

/// Checks subgroup and identity of a point that was decoded.
fn g1_check(what: &'static str, point: G1) -> Result<G1, Malformed> {
    point.validate(true).map_err(|code| refused(what, code))?;
    Ok(point)
}

pub(crate) fn g1_to_eip2537(point: &G1) -> [u8; G1_EIP2537_BYTES] {
    let mut padded = [0; G1_EIP2537_BYTES];
    add_padding(&point.serialize(), &mut padded);
    padded
}

pub(crate) fn g2_from_compressed(what: &'static str, bytes: &[u8]) -> Result<G2, Malformed> {
    let bytes: [u8; G2_BYTES] = fixed(what, bytes)?;
    let point = G2::uncompress(&bytes).map_err(|code| refused(what, code))?;
    point.validate().map_err(|code| refused(what, code))?;
    Ok(point)
}

pub(crate) fn g2_from_eip2537(what: &'static str, bytes: &[u8]) -> Result<G2, Malformed> {
    let bytes: [u8; G2_EIP2537_BYTES] = fixed(what, bytes)?;
    let mut plain = [0; 4 * FIELD_BYTES];
    strip_padding(what, &bytes, &mut plain)?;
    let point = G2::deserialize(&swap_halves(plain)).map_err(|code| refused(what, code))?;
    point.validate().map_err(|code| refused(what, code))?;
    Ok(point)
}

pub(crate) fn g2_to_eip2537(point: &G2) -> [u8; G2_EIP2537_BYTES] {
    let mut padded = [0; G2_EIP2537_BYTES];
    add_padding(&swap_halves(point.serialize()), &mut padded);
    padded
}

/// blst writes an Fp2 as c1 | c0, EIP-2537 as c0 | c1. The exchange is its own inverse.
fn swap_halves(mut point: [u8; 4 * FIELD_BYTES]) -> [u8; 4 * FIELD_BYTES] {
    for coordinate in point.chunks_exact_mut(2 * FIELD_BYTES) {
        let (first, second) = coordinate.split_at_mut(FIELD_BYTES);
        first.swap_with_slice(second);
    }
    point
}

fn add_padding(plain: &[u8], padded: &mut [u8]) {
    for (element, slot) in plain.chunks_exact(FIELD_BYTES).zip(padded.chunks_exact_mut(PADDED_BYTES)) {
        slot[PADDED_BYTES - FIELD_BYTES..].copy_from_slice(element);
    }
}

fn strip_padding(what: &'static str, padded: &[u8], plain: &mut [u8]) -> Result<(), Malformed> {
    // EIP-2537 writes infinity as all zeros, which blst would call a point off the curve.
    if padded.iter().all(|byte| *byte == 0) {
        return Err(Malformed::Point { what, problem: PointProblem::Identity });
    }
    // That the elements are below the modulus, so also without the flags of other encodings, blst checks.
    for (element, slot) in plain.chunks_exact_mut(FIELD_BYTES).zip(padded.chunks_exact(PADDED_BYTES)) {
        let (padding, value) = slot.split_at(PADDED_BYTES - FIELD_BYTES);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed::Point { what, problem: PointProblem::Encoding });
        }
        element.copy_from_slice(value);
    }
    Ok(())
}

fn refused(what: &'static str, code: BLST_ERROR) -> Malformed {
    let problem = match code {
        BLST_ERROR::BLST_POINT_NOT_ON_CURVE => PointProblem::Curve,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => PointProblem::Subgroup,
        BLST_ERROR::BLST_PK_IS_INFINITY => PointProblem::Identity,
        _ => PointProblem::Encoding,
    };
    Malformed::Point { what, problem }
}
