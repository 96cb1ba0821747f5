//! Which of a blob's statements are given out when there are more than one answer takes.

use std::collections::BTreeMap;

use holdfast_certificate::Namespace;

use super::{Durable, records::Promise};

/// Statements of one blob that are given out at once.
pub(super) const MOST: usize = 100;

/// A statement that this member has signed.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) durable: Durable,
    pub(super) promise: Promise,
    pub(super) certified: bool,
}

/// At most [`MOST`]: certified ones before others, then each namespace in its turn, the latest retention first.
///
/// So nobody hides another's certificate: statements without one come after it however many they are, and those of one
/// namespace, of which there may be many, take only its turns.
pub(super) fn choose(signed: Vec<Signed>) -> Vec<Signed> {
    let mut by_namespace: BTreeMap<Namespace, Vec<Signed>> = BTreeMap::new();
    for statement in signed {
        by_namespace.entry(statement.promise.statement.namespace).or_default().push(statement);
    }
    // Each with its turn among those of its namespace that are as good.
    let mut turns: Vec<(bool, usize, Signed)> = Vec::new();
    for mut of in by_namespace.into_values() {
        of.sort_by_key(|signed| (!signed.certified, std::cmp::Reverse(signed.promise.statement.retain_until)));
        let certified = of.iter().filter(|signed| signed.certified).count();
        turns.extend(of.into_iter().enumerate().map(|(at, signed)| {
            let turn = if signed.certified { at } else { at - certified };
            (!signed.certified, turn, signed)
        }));
    }
    turns.sort_by_key(|(uncertified, turn, signed)| {
        (*uncertified, *turn, std::cmp::Reverse(signed.promise.statement.retain_until))
    });
    turns.into_iter().take(MOST).map(|(_, _, signed)| signed).collect()
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::{DisperserKey, DisperserSignature, Statement, StatementDigest};
    use holdfast_erasure::{Blob, Digest};
    use proptest::prelude::*;

    use super::*;

    fn signed(namespace: u8, retain_until: u64, certified: bool) -> Signed {
        let blob = Blob {
            payload_length: 1,
            payload_digest: Digest::ZERO,
            original_shards: 1,
            total_shards: 2,
            shards_root: Digest::ZERO,
            fingerprints_hash: Digest::ZERO,
        };
        let namespace = Namespace::from([namespace; 32]);
        let statement = Statement { namespace, epoch: 1, blob, whole_until: 0, retain_until };
        let digest = StatementDigest::from_bytes(&[1; 32]).expect("32 bytes");
        // Signing each would take longer than the test.
        static SIGNATURE: std::sync::OnceLock<DisperserSignature> = std::sync::OnceLock::new();
        let disperser_signature =
            *SIGNATURE.get_or_init(|| DisperserKey::from_bytes(&[9; 32]).expect("in range").sign(&digest));
        let promise = Promise { statement, disperser_signature, slot: 0 };
        Signed { durable: Durable { digest, slot: 0 }, promise, certified }
    }

    fn of(chosen: &[Signed], namespace: u8) -> Vec<(u64, bool)> {
        let of = chosen.iter().filter(|signed| signed.promise.statement.namespace == Namespace::from([namespace; 32]));
        of.map(|signed| (signed.promise.statement.retain_until, signed.certified)).collect()
    }

    #[test]
    fn another_namespace_hides_no_certificate_and_no_statement() {
        let mut all: Vec<Signed> = (0..256).map(|later| signed(9, 1000 + later, false)).collect();
        all.extend([signed(1, 10, true), signed(1, 9, false), signed(2, 5, false)]);
        let chosen = choose(all);
        assert_eq!(chosen.len(), MOST);
        assert!(chosen[0].certified, "what is certified comes first");
        assert_eq!(of(&chosen, 1), [(10, true), (9, false)]);
        assert_eq!(of(&chosen, 2), [(5, false)]);
        assert_eq!(of(&chosen, 9)[0], (1255, false), "the latest retention first");
    }

    #[test]
    fn as_many_certificates_of_one_namespace_leave_another_its_turn() {
        let mut all: Vec<Signed> = (0..256).map(|later| signed(9, 1000 + later, true)).collect();
        all.push(signed(1, 10, true));
        assert_eq!(of(&choose(all), 1), [(10, true)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_below_the_bound_and_every_namespace_is_there(
            all in proptest::collection::vec((0u8..20, 0u64..50, any::<bool>()), 0..300)
        ) {
            let chosen = choose(all.iter().map(|(namespace, until, certified)| signed(*namespace, *until, *certified)).collect());
            prop_assert_eq!(chosen.len(), all.len().min(MOST));
            let any_certified: Vec<u8> = all.iter().filter(|(_, _, certified)| *certified).map(|(namespace, _, _)| *namespace).collect();
            for namespace in any_certified {
                prop_assert!(of(&chosen, namespace).iter().any(|(_, certified)| *certified));
            }
            prop_assert!(chosen.is_sorted_by_key(|signed| !signed.certified));
        }
    }
}
