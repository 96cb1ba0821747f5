//! What a transaction offers for its gas (EIP-1559), and by how much more its replacement must.

use serde::{Deserialize, Serialize};

/// Base fees rise by at most an eighth a block, so an offer of twice the base fee stands for five full blocks.
const BASE_FEE_ROOM: u64 = 2;

/// Wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fees {
    /// The most that is paid, base fee and tip together.
    pub(super) max_fee: u64,
    /// The most that the block's proposer gets.
    pub(super) tip: u64,
}

/// What may be offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Never offered more.
    pub(super) max_fee: u64,
    /// Never tipped less, unless the bound on both together is lower.
    pub(super) min_tip: u64,
}

impl Bounds {
    /// A first offer at a base fee and what others tip; `None` while the base fee alone is over the bound.
    pub(super) fn offer(&self, base_fee: u64, usual_tip: u64) -> Option<Fees> {
        if base_fee > self.max_fee {
            return None;
        }
        let tip = usual_tip.max(self.min_tip).min(self.max_fee);
        let max_fee = base_fee.saturating_mul(BASE_FEE_ROOM).saturating_add(tip).min(self.max_fee);
        Some(Fees { max_fee, tip })
    }

    /// An offer in place of one that the node has refused for its tip; `None` where the bound leaves no room.
    pub(super) fn with_tip(&self, last: Fees, base_fee: u64, least_tip: u64) -> Option<Fees> {
        let offer = self.replace(last, base_fee, least_tip).or_else(|| self.offer(base_fee, least_tip))?;
        (offer.tip >= least_tip && offer.max_fee >= last.max_fee).then_some(offer)
    }

    /// An offer that replaces `last`: nodes want at least a tenth more of both, and some round, so it is an eighth.
    /// `None` where the bound leaves no room for that.
    pub(super) fn replace(&self, last: Fees, base_fee: u64, usual_tip: u64) -> Option<Fees> {
        let raised = Fees { max_fee: eighth_more(last.max_fee), tip: eighth_more(last.tip) };
        if raised.max_fee > self.max_fee {
            return None;
        }
        let wanted = self.offer(base_fee, usual_tip).unwrap_or(raised);
        let max_fee = wanted.max_fee.max(raised.max_fee);
        Some(Fees { max_fee, tip: wanted.tip.max(raised.tip).min(max_fee) })
    }
}

/// What a node that finds a transaction too cheap says of the least tip, in wei per gas. Clients say it each in their words:
/// "gas tip cap 1, minimum needed 1000000" (geth), "tip needed 25000000000, tip permitted 1" (bor), "min tip 7".
pub(super) fn least_tip(message: &str) -> Option<u64> {
    const BEFORE: [&str; 9] = [
        "minimum needed",
        "tip needed",
        "min tip",
        "minimum tip",
        "at least",
        "required",
        "minimum",
        "needed",
        "least",
    ];
    let message = message.to_ascii_lowercase();
    if !is_underpriced(&message) {
        return None;
    }
    BEFORE.iter().find_map(|words| {
        let after = message.split_once(words)?.1.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let after = after.strip_prefix("is ").or(after.strip_prefix("of ")).unwrap_or(after);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let number: u64 = after[..end].parse().ok()?;
        let in_gwei = after[end..].trim_start().starts_with("gwei");
        Some(if in_gwei { number.saturating_mul(1_000_000_000) } else { number })
    })
}

/// Whether a node refuses a transaction because it offers too little, and not because it replaces another one.
pub(super) fn is_underpriced(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let is_price =
        ["underpriced", "tip", "priority fee", "gas price", "feetoolow"].iter().any(|word| message.contains(word));
    is_price && !message.contains("replacement") && !message.contains("insufficient funds")
}

/// At least one more, so that an offer of nothing rises too.
fn eighth_more(fee: u64) -> u64 {
    fee.saturating_add(fee.div_ceil(8)).saturating_add(u64::from(fee == 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GWEI: u64 = 1_000_000_000;

    #[test]
    fn an_offer_stands_some_blocks_and_keeps_the_bounds() {
        let bounds = Bounds { max_fee: 100 * GWEI, min_tip: GWEI / 10 };
        assert_eq!(bounds.offer(10 * GWEI, GWEI), Some(Fees { max_fee: 21 * GWEI, tip: GWEI }));
        assert_eq!(bounds.offer(10 * GWEI, 0).map(|fees| fees.tip), Some(GWEI / 10));
        assert_eq!(bounds.offer(80 * GWEI, GWEI).map(|fees| fees.max_fee), Some(100 * GWEI));
        assert_eq!(bounds.offer(100 * GWEI + 1, GWEI), None, "waits rather than pays more");
    }

    #[test]
    fn a_stated_least_tip_is_found_in_every_clients_words() {
        for (message, tip) in [
            ("transaction underpriced: gas tip cap 1, minimum needed 1000000", Some(1_000_000)),
            ("transaction underpriced: tip needed 25000000000, tip permitted 1000000000", Some(25 * GWEI)),
            ("transaction underpriced: min tip 30000000000", Some(30 * GWEI)),
            ("max priority fee per gas too low: minimum is 2 gwei", Some(2 * GWEI)),
            ("transaction underpriced", None),
            ("replacement transaction underpriced: minimum needed 7", None),
            ("insufficient funds for gas * price + value: at least 7", None),
            ("nonce too low: minimum 7", None),
        ] {
            assert_eq!(least_tip(message), tip, "{message}");
        }
    }

    proptest! {
        #[test]
        fn a_replacement_is_a_tenth_dearer_in_both_or_there_is_none(
            base_fee in 0..u64::MAX / 4, tip in 0..u64::MAX / 4, later in 0..u64::MAX / 4, usual in 0..u64::MAX / 4,
            max_fee in 1..u64::MAX, min_tip in 0..u64::MAX / 4,
        ) {
            let bounds = Bounds { max_fee, min_tip };
            let Some(first) = bounds.offer(base_fee, tip) else { return Ok(()) };
            prop_assert!(first.max_fee <= max_fee && first.tip <= first.max_fee);
            let Some(next) = bounds.replace(first, later, usual) else {
                prop_assert!(eighth_more(first.max_fee) > max_fee);
                return Ok(());
            };
            prop_assert!(next.max_fee <= max_fee && next.tip <= next.max_fee);
            let tenth = |fee: u64| u128::from(fee) * 11 / 10;
            prop_assert!(u128::from(next.max_fee) >= tenth(first.max_fee).max(1));
            prop_assert!(u128::from(next.tip) >= tenth(first.tip));
        }
    }
}
