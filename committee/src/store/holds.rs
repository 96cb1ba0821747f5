//! Which buckets that have expired are kept, because the guardian holds a namespace on L1 (docs/protocol.md section 6).

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use holdfast_certificate::Namespace;
use holdfast_erasure::BlobId;

use super::{
    Error, GRACE, Store,
    keys::{self, Bucket},
    records::Held,
};

/// How long a bucket is kept past its time, or past the hold last seen, while the registry does not say whether it is held: a
/// disk must not fill for ever because L1 is away.
pub(crate) const PATIENCE: u64 = 14 * 86_400;

/// What the registry says of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Held until this time; zero if never held, or if there is no such namespace.
    HeldUntil(u64),
    /// It cannot be asked.
    Unknown,
}

/// What lies in a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// Namespaces to which something in it was promised.
    namespaces: BTreeSet<Namespace>,
    /// Until when it was held when the registry last said so. Holds only ever get longer.
    seen: u64,
    /// A record cannot be read that may be of something in it.
    unreadable: bool,
}

/// Buckets in which every promise has ended and which are still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due(BTreeMap<Bucket, Content>);

/// What becomes of the buckets that are due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) drop: BTreeSet<Bucket>,
    /// With the time until which each is known to be held.
    pub(super) keep: BTreeMap<Bucket, u64>,
    /// Of those dropped, the ones of which nobody could say whether they are held, with one such namespace each.
    pub(super) given_up: Vec<(Bucket, Namespace)>,
}

impl Due {
    /// All namespaces that have data in one of the buckets.
    pub(crate) fn namespaces(&self) -> BTreeSet<Namespace> {
        self.0.values().flat_map(|content| &content.namespaces).copied().collect()
    }

    /// Keeps the buckets of namespaces that are held at `now`, and for a while those of which the registry does not say.
    pub(super) fn decide(&self, answers: &BTreeMap<Namespace, Answer>, now: u64) -> Decision {
        let mut decision = Decision::default();
        for (&bucket, content) in &self.0 {
            if content.unreadable {
                decision.keep.insert(bucket, content.seen);
                continue;
            }
            let (mut held, mut unknown) = (0, None);
            for namespace in &content.namespaces {
                match answers.get(namespace) {
                    Some(Answer::HeldUntil(until)) => held = held.max(*until),
                    Some(Answer::Unknown) | None => unknown = Some(*namespace),
                }
            }
            if unknown.is_some() {
                held = held.max(content.seen);
            }
            let waits = unknown.is_some() && now < held.max(bucket.end()).saturating_add(PATIENCE);
            // A hold gets the same grace as a promise.
            if waits || now < held.saturating_add(GRACE) {
                decision.keep.insert(bucket, held);
            } else {
                decision.drop.insert(bucket);
                decision.given_up.extend(unknown.map(|namespace| (bucket, namespace)));
            }
        }
        decision
    }
}

impl Store {
    /// Buckets of days before `before` that are still there, and whose data is in them. Blocking, and reads the record of
    /// everything that was ever held if there are such buckets; of that it remembers the namespaces only.
    pub(super) fn due_before(&self, before: u32) -> Result<Due, Error> {
        let database = self.database()?;
        let dropped = database.dropped()?;
        let mut due = Due::default();
        for bucket in database.buckets() {
            if bucket.day < before && !dropped.has(bucket) {
                let seen = dropped.kept.get(&bucket).copied().unwrap_or_default();
                due.0.insert(bucket, Content { seen, ..Content::default() });
            }
        }
        if due.0.is_empty() {
            return Ok(due);
        }
        let unreadable = database.walk(keys::HELD, &[], &[], |key, value| {
            let bucket = Bucket::of_held(key, Held::decode(value)?.day);
            let id = key.first_chunk::<32>().copied().map(BlobId::from);
            if let (Some(content), Some(id)) = (due.0.get_mut(&bucket), id) {
                let namespaces = &mut content.namespaces;
                content.unreadable |= database.each_promise_of(&id, |_, promise| {
                    namespaces.insert(promise.statement.namespace);
                })?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if unreadable {
            // It may be of any of them.
            due.0.values_mut().for_each(|content| content.unreadable = true);
        }
        for bucket in due.0.iter().filter(|(_, content)| content.unreadable).map(|(bucket, _)| bucket) {
            tracing::error!(%bucket, "store.keep_expired: a record cannot be read that may be of something in it");
        }
        Ok(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Kind;

    const SHARDS: Bucket = Bucket { kind: Kind::Shards, day: 20_000 };
    const WHOLE: Bucket = Bucket { kind: Kind::Whole, day: 19_990 };
    const END: u64 = 20_001 * 86_400;

    fn namespace(number: u8) -> Namespace {
        Namespace::from([number; 32])
    }

    fn due(buckets: &[(Bucket, &[u8], u64)]) -> Due {
        let content = |namespaces: &[u8], seen| Content {
            namespaces: namespaces.iter().copied().map(namespace).collect(),
            seen,
            unreadable: false,
        };
        Due(buckets.iter().map(|(bucket, namespaces, seen)| (*bucket, content(namespaces, *seen))).collect())
    }

    fn kept(due: &Due, answers: &[(u8, Answer)], now: u64) -> Vec<(Bucket, u64)> {
        let answers = answers.iter().map(|(number, answer)| (namespace(*number), *answer)).collect();
        let decision = due.decide(&answers, now);
        assert_eq!(decision.keep.len() + decision.drop.len(), due.0.len(), "each bucket has one fate");
        assert!(decision.keep.keys().all(|bucket| !decision.drop.contains(bucket)));
        decision.keep.into_iter().collect()
    }

    #[test]
    fn one_held_namespace_keeps_its_buckets_and_no_others() {
        let due = due(&[(SHARDS, &[1, 2], 0), (WHOLE, &[2], 0)]);
        let (no, until) = (Answer::HeldUntil(0), END + 5000);
        assert_eq!(kept(&due, &[(1, no), (2, no)], END + GRACE), []);
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(until)), (2, no)], END + GRACE), [(SHARDS, until)]);
        assert_eq!(
            kept(&due, &[(1, no), (2, Answer::HeldUntil(until))], END + GRACE),
            [(SHARDS, until), (WHOLE, until)]
        );
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(until)), (2, no)], until + GRACE - 1), [(SHARDS, until)]);
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(until)), (2, no)], until + GRACE), []);
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(u64::MAX)), (2, no)], u64::MAX - 1), [(SHARDS, u64::MAX)]);
    }

    #[test]
    fn a_bucket_of_which_a_record_cannot_be_read_is_kept_however_late_it_is() {
        let mut due = due(&[(SHARDS, &[1], 0), (WHOLE, &[1], 0)]);
        due.0.get_mut(&SHARDS).expect("due").unreadable = true;
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(0))], END + 1000 * PATIENCE), [(SHARDS, 0)]);
    }

    #[test]
    fn a_bucket_with_nothing_in_it_is_dropped_whatever_the_registry_says() {
        assert_eq!(kept(&due(&[(SHARDS, &[], END + 5000)]), &[(1, Answer::Unknown)], END + GRACE), []);
    }

    #[test]
    fn a_registry_that_is_away_keeps_a_bucket_for_fourteen_days_and_says_what_was_given_up() {
        let due = due(&[(SHARDS, &[1, 2], 0)]);
        let answers = [(1, Answer::HeldUntil(0)), (2, Answer::Unknown)];
        assert_eq!(kept(&due, &answers, END + PATIENCE - 1), [(SHARDS, 0)]);
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(0))], END + PATIENCE - 1), [(SHARDS, 0)], "no answer is unknown");
        let answers = answers.into_iter().map(|(number, answer)| (namespace(number), answer)).collect();
        let decision = due.decide(&answers, END + PATIENCE);
        assert_eq!(decision.given_up, [(SHARDS, namespace(2))]);
        assert_eq!(decision.drop.len(), 1);
    }

    #[test]
    fn a_hold_that_was_seen_outlasts_a_registry_that_is_away_and_not_one_that_denies_it() {
        let seen = END + 60 * 86_400;
        let due = due(&[(SHARDS, &[1], seen)]);
        assert_eq!(kept(&due, &[(1, Answer::Unknown)], seen - 1), [(SHARDS, seen)]);
        // It may have been prolonged meanwhile.
        assert_eq!(kept(&due, &[(1, Answer::Unknown)], seen + PATIENCE - 1), [(SHARDS, seen)]);
        assert_eq!(kept(&due, &[(1, Answer::Unknown)], seen + PATIENCE), []);
        assert_eq!(kept(&due, &[(1, Answer::HeldUntil(0))], END + GRACE), []);
    }

    #[test]
    fn kept_buckets_are_read_back_as_written() {
        for kept in [BTreeMap::new(), BTreeMap::from([(SHARDS, 0), (WHOLE, u64::MAX)])] {
            let mut bytes = crate::store::records::kept(&kept);
            assert_eq!(crate::store::records::decode_kept(&bytes).expect("decodes"), kept);
            bytes.push(2);
            assert!(crate::store::records::decode_kept(&bytes).is_err());
        }
    }
}
