//! What a proposed epoch changes, slot by slot.

use holdfast_certificate::{Address, PublicKey};
use serde::Serialize;

use super::{card::Pin, plan};

/// One slot of an epoch, as far as a diff looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) key: PublicKey,
    /// The account that registered the key on L1.
    pub(super) account: Address,
    /// The endpoint on L1; empty where there is none.
    pub(super) endpoint: String,
    /// The TLS pin on L1.
    pub(super) tls_pin: Option<Pin>,
    /// Who the card says operates it.
    pub(super) operator: Option<String>,
}

/// What happens to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    /// Same key.
    Stays,
    /// The account stays and signs with another key.
    ChangesKey,
    /// Another account's key.
    ChangesOperator,
    /// The slot did not exist.
    New,
    /// The slot will not exist.
    Leaves,
}

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SlotChange {
    pub(super) slot: usize,
    pub(super) change: Change,
    pub(super) key_id: Option<String>,
    pub(super) account: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) tls_pin: Option<Pin>,
    pub(super) operator: Option<String>,
    pub(super) previous_key_id: Option<String>,
    pub(super) previous_account: Option<String>,
    /// The slot that has this key in the epoch before, where it is another one.
    pub(super) moves_from: Option<usize>,
}

/// Threshold and shards of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Numbers {
    pub(super) members: u16,
    pub(super) threshold: u16,
    pub(super) original_shards: u16,
    pub(super) max_payload: u32,
}

/// Compares two epochs' slots.
pub(super) fn slots(before: &[Slot], after: &[Slot]) -> Vec<SlotChange> {
    (0..before.len().max(after.len()))
        .map(|slot| {
            let (old, new) = (before.get(slot), after.get(slot));
            let change = match (old, new) {
                (Some(old), Some(new)) if old.key == new.key => Change::Stays,
                (Some(old), Some(new)) if old.account == new.account => Change::ChangesKey,
                (Some(_), Some(_)) => Change::ChangesOperator,
                (None, _) => Change::New,
                (Some(_), None) => Change::Leaves,
            };
            let replaced = old.filter(|_| change != Change::Stays);
            SlotChange {
                slot,
                change,
                key_id: new.map(|new| new.key.id().to_string()),
                account: new.map(|new| new.account.to_string()),
                endpoint: new.map(|new| new.endpoint.clone()),
                tls_pin: new.and_then(|new| new.tls_pin),
                operator: new.and_then(|new| new.operator.clone()),
                previous_key_id: replaced.map(|old| old.key.id().to_string()),
                previous_account: replaced.map(|old| old.account.to_string()),
                moves_from: new.and_then(|new| {
                    before.iter().position(|old| old.key == new.key).filter(|position| *position != slot)
                }),
            }
        })
        .collect()
}

/// What changed numbers and slots mean, in sentences; empty when nothing gets weaker or needs care.
pub(super) fn notes(before: Option<Numbers>, after: Numbers, slots: &[SlotChange]) -> Vec<String> {
    let mut notes = Vec::new();
    let choice = |numbers: Numbers| plan::choice(numbers.members, numbers.threshold, numbers.original_shards);
    if let Some(before) = before {
        let (old, new) = (choice(before), choice(after));
        if new.colluders_to_withhold < old.colluders_to_withhold {
            let (old, new) = (old.colluders_to_withhold, new.colluders_to_withhold);
            notes.push(format!("weaker: {new} members can withhold data by colluding, {old} before"));
        }
        if new.honest_needed > old.honest_needed {
            let (old, new) = (old.honest_needed, new.honest_needed);
            notes.push(format!("weaker: {new} honest members are needed to read, {old} before"));
        }
        if new.writes_survive < old.writes_survive {
            let (old, new) = (old.writes_survive, new.writes_survive);
            notes.push(format!("{new} members may be down while payloads are stored, {old} before"));
        }
        if after.max_payload < before.max_payload {
            notes.push(format!(
                "payloads over {} bytes are refused; {} were allowed",
                after.max_payload, before.max_payload
            ));
        }
        let others = slots.iter().filter(|slot| slot.change == Change::ChangesOperator).count();
        if others >= usize::from(new.colluders_to_withhold) {
            notes.push(format!("{others} slots change operator: enough new operators to withhold data by colluding"));
        }
    }
    if after.threshold == after.members {
        notes.push("t = n: no payload can be stored while any member is down".to_owned());
    }
    if after.threshold == after.original_shards {
        notes.push("t = k: any one signer can withhold data".to_owned());
    }
    for slot in slots {
        let name = format!("m{}", slot.slot);
        if let Some(from) = slot.moves_from {
            notes.push(format!(
                "{name} has the key of m{from}: members keep their data only in the slot that they have"
            ));
        }
        if slot.endpoint.as_deref() == Some("") {
            notes.push(format!(
                "{name} has no endpoint on L1: its account runs `holdfast l1 endpoint set --keystore FILE --url URL`"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    fn slot(key: u32, account: u8) -> Slot {
        let master = SecretKey::derive_master(&[3; 32]).expect("a seed of 32 bytes");
        Slot {
            key: master.derive_child(key).public_key(),
            account: Address::from([account; 20]),
            endpoint: "http://m".to_owned(),
            tls_pin: None,
            operator: None,
        }
    }

    #[test]
    fn every_kind_of_change_is_told_apart() {
        let before = [slot(0, 1), slot(1, 2), slot(2, 3), slot(3, 4)];
        let after = [slot(0, 1), slot(9, 2), slot(3, 4)];
        let changes = slots(&before, &after);
        let kinds: Vec<_> = changes.iter().map(|change| (change.change, change.moves_from)).collect();
        assert_eq!(
            kinds,
            [
                (Change::Stays, None),
                (Change::ChangesKey, None),
                (Change::ChangesOperator, Some(3)),
                (Change::Leaves, None),
            ]
        );
        assert_eq!(changes[1].previous_key_id, Some(before[1].key.id().to_string()));
        assert_eq!((&changes[0].previous_key_id, &changes[3].key_id), (&None, &None));
        let first = slots(&[], &after);
        assert!(first.iter().all(|change| change.change == Change::New), "{first:?}");
    }

    #[test]
    fn what_gets_weaker_is_said() {
        let numbers =
            |members, threshold, original_shards| Numbers { members, threshold, original_shards, max_payload: 1 << 25 };
        let unchanged = slots(&[slot(0, 1)], &[slot(0, 1)]);
        let cases = [
            (numbers(7, 6, 2), numbers(7, 6, 2), ""),
            (numbers(7, 6, 2), numbers(7, 5, 2), "4 members can withhold"),
            (numbers(7, 6, 2), numbers(7, 6, 3), "4 honest members are needed"),
            (numbers(7, 5, 2), numbers(7, 6, 2), "1 members may be down"),
            (numbers(7, 6, 2), numbers(7, 7, 2), "t = n"),
            (numbers(7, 6, 2), numbers(7, 4, 4), "t = k"),
        ];
        for (before, after, says) in cases {
            let notes = notes(Some(before), after, &unchanged).join("\n");
            assert!(notes.contains(says) && notes.is_empty() == says.is_empty(), "{before:?} {after:?}: {notes}");
        }
        let all_new = slots(&[slot(0, 1), slot(1, 2)], &[slot(5, 6), slot(6, 7)]);
        let notes = notes(Some(numbers(2, 2, 1)), numbers(2, 2, 1), &all_new).join("\n");
        assert!(notes.contains("2 slots change operator"), "{notes}");
    }
}
