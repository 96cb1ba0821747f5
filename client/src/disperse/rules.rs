//! What no member would sign, told before anything is sent: the rules of a namespace that the registry knows.

use holdfast_certificate::{Address, Namespace};
use holdfast_registry::NamespaceRecord;

use super::statement::Times;
use crate::error::Error;

/// Checks what can be known of a statement before its members are asked. Without `rules`, which are L1's, only that its
/// times are ahead.
pub(crate) fn check(
    rules: Option<&NamespaceRecord>,
    namespace: Namespace,
    disperser: Address,
    times: &Times,
    now: u64,
) -> Result<(), Error> {
    if let Some(rules) = rules
        && !rules.dispersers.contains(&disperser)
    {
        return Err(Error::NotADisperser { disperser, namespace });
    }
    let minimum = rules.map_or(0, |rules| rules.min_retention_at(now)).max(1);
    at_least("retain_until", times.retain_until, now.saturating_add(minimum))?;
    // Zero by shard, for which a statement has its own rule.
    if times.whole_until != 0 { at_least("whole_until", times.whole_until, now.saturating_add(1)) } else { Ok(()) }
}

fn at_least(field: &'static str, got: u64, least: u64) -> Result<(), Error> {
    if got < least { Err(Error::TooSoon { field, least, got }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn rules() -> NamespaceRecord {
        NamespaceRecord {
            owner: Address::from([1; 20]),
            dispersers: vec![Address::from([2; 20]), Address::from([3; 20])],
            min_retention: 100,
            next_min_retention: None,
            hold_until: 0,
        }
    }

    fn checked(
        rules: Option<&NamespaceRecord>,
        disperser: u8,
        whole_until: u64,
        retain_until: u64,
    ) -> Result<(), Error> {
        let times = Times { whole_until, retain_until };
        check(rules, Namespace::from([7; 32]), Address::from([disperser; 20]), &times, NOW)
    }

    #[test]
    fn a_key_that_disperses_nowhere_and_a_retention_below_the_minimum_are_told_with_what_is_expected() {
        checked(Some(&rules()), 3, 0, NOW + 100).expect("by the rules");
        let stranger = checked(Some(&rules()), 4, 0, NOW + 100).expect_err("no disperser");
        assert!(matches!(stranger, Error::NotADisperser { .. }), "{stranger}");
        let short = checked(Some(&rules()), 2, 0, NOW + 99).expect_err("too short");
        assert!(matches!(short, Error::TooSoon { field: "retain_until", least, .. } if least == NOW + 100), "{short}");
        let raised = NamespaceRecord { next_min_retention: Some((200, NOW)), ..rules() };
        checked(Some(&raised), 2, 0, NOW + 199).expect_err("raised in the meantime");
    }

    #[test]
    fn without_rules_only_times_that_are_over_are_refused() {
        checked(None, 9, 0, NOW + 1).expect("the members decide");
        checked(None, 9, 0, NOW).expect_err("over");
        let whole = checked(None, 9, NOW, NOW + 10).expect_err("over");
        assert!(matches!(whole, Error::TooSoon { field: "whole_until", .. }), "{whole}");
    }
}
