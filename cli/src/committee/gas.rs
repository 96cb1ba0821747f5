//! What a publication costs on L1: a model of `publish` with a few constants, held against the measured figures.

/// Gas of the whole transaction with a committee of up to eight members that have all signed: pairing, hash to curve,
/// transaction, calldata.
const PUBLISH: u64 = 160_100;
/// Each further byte of the signers' bitmap, since a byte that is not zero costs more calldata.
const BITMAP_BYTE: u64 = 12;
/// The first signer that is missing: without one, no key is subtracted at all.
const FIRST_MISSING: u64 = 1_500;
/// Each further one: its key is copied from the epoch's and added.
const MISSING: u64 = 1_150;

/// Estimated gas of a `publish` transaction of a committee of `n` members, `missing` of which have not signed.
pub(crate) fn of_publication(n: u16, missing: u16) -> u64 {
    let bitmap = u64::from(n.div_ceil(8)).saturating_sub(1) * BITMAP_BYTE;
    let subtracted = match u64::from(missing) {
        0 => 0,
        missing => FIRST_MISSING + (missing - 1) * MISSING,
    };
    PUBLISH + bitmap + subtracted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_within_one_percent_of_what_was_measured() {
        // docs/performance.md, "Gas": n, missing, gas of the publication.
        for (n, missing, measured) in [
            (5, 0, 160_095),
            (5, 1, 161_444),
            (7, 0, 160_107),
            (7, 1, 161_608),
            (20, 0, 160_143),
            (20, 6, 167_201),
            (94, 0, 160_251),
            (94, 31, 195_898),
        ] {
            let modelled = of_publication(n, missing);
            assert!(modelled.abs_diff(measured) * 100 <= measured, "n={n} missing={missing}: {modelled}, {measured}");
        }
    }
}
