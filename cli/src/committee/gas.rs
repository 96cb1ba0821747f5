//! What a committee costs on L1: whole transactions, by a few constants that a test holds against the measured figures.

/// `verify` by shard when all have signed, whatever their number: pairing, hash to curve, transaction, calldata.
const VERIFY: u64 = 152_800;
/// What `publish` takes more: its event, and the block's time.
const PUBLISH_MORE: u64 = 2_550;
/// The first signer that is missing: without one, no key is subtracted at all.
const FIRST_MISSING: u64 = 1_110;
/// Each further one: its key is copied from the epoch's and added.
const MISSING: u64 = 983;
/// `registerKey`: a proof of possession, and whose key it is.
pub(super) const REGISTER_KEY: u64 = 171_800;
/// `proposeEpoch` without its keys.
const PROPOSE: u64 = 154_000;
/// Each key of it: brought along, added to the aggregate, and written as code.
const PROPOSE_KEY: u64 = 59_590;

/// Estimated gas of a transaction that only verifies a certificate which `missing` members have not signed.
pub(super) fn of_verification(missing: u16) -> u64 {
    VERIFY
        + match u64::from(missing) {
            0 => 0,
            missing => FIRST_MISSING + (missing - 1) * MISSING,
        }
}

/// Estimated gas of a `publish` transaction of such a certificate.
pub(super) fn of_publication(missing: u16) -> u64 {
    of_verification(missing) + PUBLISH_MORE
}

/// Estimated gas of a `proposeEpoch` transaction with `n` keys.
pub(super) fn of_proposal(n: u16) -> u64 {
    PROPOSE + u64::from(n) * PROPOSE_KEY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured, and compared to the unit by a test of the contracts.
    const SNAPSHOT: &str = include_str!("../../../contracts/gas-snapshot.txt");

    /// The model's figure for a row of the snapshot; `None` where it has none.
    fn modelled(row: &str) -> Option<u64> {
        if row == "registerKey" {
            return Some(REGISTER_KEY);
        }
        let (what, rest) = row.split_once(" n=")?;
        if what == "proposeEpoch" {
            return Some(of_proposal(rest.parse().ok()?));
        }
        let missing = match rest.split_once(", ")?.1 {
            "all signed" => 0,
            signed => signed.strip_suffix(" missing")?.parse().ok()?,
        };
        match what {
            "verify" => Some(of_verification(missing)),
            "publish" => Some(of_publication(missing)),
            _ => None,
        }
    }

    #[test]
    fn the_model_is_within_one_percent_of_every_measured_figure() {
        const WITHIN: u64 = 100;
        let mut compared = Vec::new();
        for line in SNAPSHOT.lines().filter(|line| !line.starts_with('#')) {
            let (row, gas) = line.rsplit_once(": ").expect("a row is `what: gas`");
            let measured: u64 = gas.parse().expect("gas is a number");
            let Some(modelled) = modelled(row) else { continue };
            assert!(
                modelled.abs_diff(measured) * WITHIN <= measured,
                "{row}: modelled {modelled}, measured {measured}"
            );
            compared.push(row);
        }
        // A renamed row must not go unnoticed.
        for row in ["verify n=5, all signed", "publish n=94, 31 missing", "proposeEpoch n=94", "registerKey"] {
            assert!(compared.contains(&row), "{row} is not in the snapshot");
        }
        assert!(compared.len() >= 20, "{compared:?}");
    }
}
