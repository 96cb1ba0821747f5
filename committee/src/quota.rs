//! How much each namespace may make this member keep: bytes times the seconds that they are still to be kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use holdfast_certificate::Namespace;
use holdfast_erasure::BlobId;

use crate::{
    heartbeat::Heartbeat,
    store::{self, Store},
};

const DAY: u64 = 86_400;

/// Bytes by the time until which they are promised.
type Account = BTreeMap<u64, u64>;

/// Bytes to be kept longer than now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) bytes: u64,
    /// Until when they are promised already; zero if not at all.
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// A namespace has used up what it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("namespace {namespace} is over its quota: {wanted} more byte-seconds wanted, {used} of {limit} used")]
pub(crate) struct OverQuota {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// Byte-seconds it may have outstanding.
    pub(crate) limit: u128,
    /// Byte-seconds outstanding.
    pub(crate) used: u128,
    /// Byte-seconds that the statement adds.
    pub(crate) wanted: u128,
}

/// The accounts of all namespaces. An account has at most one entry for each hour of the longest retention.
///
/// When they are counted only the latest promise of each blob is: copies of it that are still to be dropped are not.
/// Two dispersals of one blob at the same moment are both charged until the next count: too much, never too little.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    limit: u128,
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    accounts: HashMap<Namespace, Account>,
    /// How often they were counted anew: what was reserved before is not in these.
    edition: u64,
}

impl Quota {
    /// Empty accounts, until they are counted.
    pub(crate) fn new(limit: u128) -> Self {
        Self { limit, books: Arc::default() }
    }

    /// Counts anew what `store` has promised, and goes by that. The store must not be written meanwhile: what is written later,
    /// though it was reserved before, is charged when it is kept.
    pub(crate) fn count(&self, store: &Store) -> Result<(), store::Error> {
        let mut accounts: HashMap<Namespace, Account> = HashMap::new();
        // Promises come in the order of blob ids, so those of one blob are together.
        let mut blob: Option<BlobId> = None;
        let mut latest: HashMap<Namespace, [Charge; 2]> = HashMap::new();
        let mut flush = |latest: &mut HashMap<Namespace, [Charge; 2]>| {
            for (namespace, charges) in latest.drain() {
                apply(accounts.entry(namespace).or_default(), &charges);
            }
        };
        let mut heartbeat = Heartbeat::of("promises counted");
        store.each_promise(|promise| {
            heartbeat.beat();
            let statement = &promise.statement;
            let id = statement.blob.id();
            if blob != Some(id) {
                flush(&mut latest);
                blob = Some(id);
            }
            let new = charges(statement, 0, 0);
            let known = latest.entry(statement.namespace).or_insert(new);
            for (known, new) in known.iter_mut().zip(new) {
                known.until = known.until.max(new.until);
            }
        })?;
        flush(&mut latest);
        let mut books = self.books();
        *books = Books { accounts, edition: books.edition + 1 };
        Ok(())
    }

    /// Takes what `charges` add, or says what is left. Dropping the reservation gives it back, unless it was kept.
    pub(crate) fn reserve(&self, namespace: Namespace, now: u64, charges: &[Charge]) -> Result<Reservation, OverQuota> {
        let mut books = self.books();
        let edition = books.edition;
        let account = books.accounts.entry(namespace).or_default();
        *account = account.split_off(&now.saturating_add(1));
        let used = account.iter().map(|(until, bytes)| u128::from(*bytes) * u128::from(until - now)).sum();
        let wanted = charges.iter().map(|charge| charge.cost(now)).sum();
        if used + wanted > self.limit {
            return Err(OverQuota { namespace, limit: self.limit, used, wanted });
        }
        apply(account, charges);
        Ok(Reservation { quota: self.clone(), edition, namespace, charges: charges.to_vec() })
    }

    /// Takes what `charges` add, whatever is left: for what was promised before.
    pub(crate) fn charge(&self, namespace: Namespace, charges: &[Charge]) -> Reservation {
        let mut books = self.books();
        apply(books.accounts.entry(namespace).or_default(), charges);
        Reservation { quota: self.clone(), edition: books.edition, namespace, charges: charges.to_vec() }
    }

    /// Bytes that are promised until some time of a day, by the day's first second; what is promised of one thing until two times is
    /// there once, at the later one.
    pub(crate) fn days(&self, now: u64) -> Vec<(u64, u64)> {
        let mut days: BTreeMap<u64, u64> = BTreeMap::new();
        for (until, bytes) in self.books().accounts.values().flatten().filter(|(until, _)| **until > now) {
            *days.entry(until - until % DAY).or_default() += bytes;
        }
        days.into_iter().collect()
    }

    /// Whether a namespace has, or had, something here.
    pub(crate) fn knows(&self, namespace: &Namespace) -> bool {
        self.books().accounts.contains_key(namespace)
    }

    /// Byte-seconds that a namespace has outstanding at `now`.
    #[cfg(test)]
    pub(crate) fn used(&self, namespace: Namespace, now: u64) -> u128 {
        let books = self.books();
        let account = books.accounts.get(&namespace).into_iter().flatten();
        account.map(|(until, bytes)| u128::from(*bytes) * u128::from(until.saturating_sub(now))).sum()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    fn cost(&self, now: u64) -> u128 {
        u128::from(self.bytes) * u128::from(self.until.saturating_sub(self.from.max(now)))
    }
}

/// What a statement costs its namespace: its shard until `retain_until`, and by payload the payload until `whole_until`.
/// `retained` and `whole` say until when they are promised already.
///
/// # What is copied is paid for
///
/// Data lies with everything else of its day. A later day is another copy, while the one before stays on the disk until its
/// own day is over; so it is charged from now on, beside the one before. Within a day only the added time is.
pub(crate) fn charges(statement: &holdfast_certificate::Statement, retained: u64, whole: u64) -> [Charge; 2] {
    let blob = &statement.blob;
    let shard = blob.shard_length().map_or(0, |length| length as u64);
    [charge(shard, retained, statement.retain_until), charge(blob.payload_length.into(), whole, statement.whole_until)]
}

/// The bytes that a statement adds to the disk: none where what it speaks of is `held` already.
pub(crate) fn added(charges: &[Charge; 2], held: bool) -> u64 {
    charges.iter().filter(|_| !held).filter(|charge| charge.until > 0).map(|charge| charge.bytes).sum()
}

/// The bytes that it may have copied to a later day, where what it speaks of is `held` already.
pub(crate) fn copied(charges: &[Charge; 2], held: bool) -> u64 {
    let later = |charge: &&Charge| charge.from == 0 && charge.until > 0;
    charges.iter().filter(|_| held).filter(later).map(|charge| charge.bytes).sum()
}

fn charge(bytes: u64, from: u64, until: u64) -> Charge {
    let copied = until > from && store::day_of(until) > store::day_of(from);
    Charge { bytes, from: if copied { 0 } else { from }, until }
}

fn apply(account: &mut Account, charges: &[Charge]) {
    for charge in charges.iter().filter(|charge| charge.until > charge.from) {
        take(account, charge.from, charge.bytes);
        *account.entry(charge.until).or_default() += charge.bytes;
    }
}

fn take(account: &mut Account, at: u64, bytes: u64) {
    if let Some(there) = account.get_mut(&at) {
        *there = there.saturating_sub(bytes);
        if *there == 0 {
            account.remove(&at);
        }
    }
}

/// Quota taken for one statement.
#[derive(Debug)]
pub(crate) struct Reservation {
    quota: Quota,
    edition: u64,
    namespace: Namespace,
    charges: Vec<Charge>,
}

impl Reservation {
    /// The promise is made: the charge stays until its time is over. Where all was counted anew meanwhile it is charged again,
    /// whether or not it was there to be counted: too much, never too little.
    pub(crate) fn keep(mut self) {
        let charges = std::mem::take(&mut self.charges);
        let mut books = self.quota.books();
        if books.edition != self.edition {
            apply(books.accounts.entry(self.namespace).or_default(), &charges);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut books = self.quota.books();
        // What it was taken from is counted anew.
        let counted = books.edition != self.edition;
        let Some(account) = books.accounts.get_mut(&self.namespace).filter(|_| !counted) else { return };
        for charge in self.charges.iter().filter(|charge| charge.until > charge.from) {
            take(account, charge.until, charge.bytes);
            if charge.from > 0 {
                *account.entry(charge.from).or_default() += charge.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_that_is_not_kept_is_given_back_and_time_frees_the_rest() {
        let quota = Quota::new(1000);
        let namespace = Namespace::from([1; 32]);
        let charge = [Charge { bytes: 10, from: 0, until: 150 }];
        drop(quota.reserve(namespace, 100, &charge).expect("500 of 1000"));
        quota.reserve(namespace, 100, &charge).expect("500 of 1000").keep();
        quota.reserve(namespace, 100, &charge).expect("1000 of 1000").keep();
        let over = quota.reserve(namespace, 100, &charge).expect_err("over");
        assert_eq!((over.used, over.wanted, over.limit), (1000, 500, 1000));
        quota.reserve(namespace, 125, &[Charge { bytes: 10, from: 0, until: 175 }]).expect("500 + 500 of 1000").keep();
        assert!(quota.reserve(Namespace::from([2; 32]), 100, &charge).is_ok());
    }

    #[test]
    fn what_was_reserved_before_a_count_takes_nothing_out_of_it_and_is_in_it_once_it_is_kept() {
        let quota = Quota::new(1000);
        let namespace = Namespace::from([1; 32]);
        let charge = [Charge { bytes: 10, from: 0, until: 150 }];
        let reserve = || quota.reserve(namespace, 100, &charge);
        let (given_back, kept) = (reserve().expect("500 of 1000"), reserve().expect("1000 of 1000"));
        // A count that finds 500, of whatever was there.
        let mut counted = Account::new();
        apply(&mut counted, &charge);
        *quota.books() = Books { accounts: HashMap::from([(namespace, counted)]), edition: 1 };
        drop(given_back);
        drop(reserve().expect("500 are free, as counted"));
        kept.keep();
        assert_eq!(reserve().expect_err("all is charged").used, 1000);
    }

    #[test]
    fn what_is_promised_is_told_by_the_day_on_which_it_ends() {
        let quota = Quota::new(u128::MAX);
        for (namespace, bytes, until) in [(1, 10, DAY + 1), (2, 5, 2 * DAY - 1), (1, 7, 3 * DAY), (1, 100, 50)] {
            let charge = [Charge { bytes, from: 0, until }];
            quota.charge(Namespace::from([namespace; 32]), &charge).keep();
        }
        assert_eq!(quota.days(60), [(DAY, 15), (3 * DAY, 7)]);
    }

    #[test]
    fn an_extension_costs_only_the_added_time() {
        let quota = Quota::new(1000);
        let namespace = Namespace::from([1; 32]);
        quota.reserve(namespace, 100, &[Charge { bytes: 10, from: 0, until: 150 }]).expect("500").keep();
        drop(quota.reserve(namespace, 100, &[Charge { bytes: 10, from: 150, until: 200 }]).expect("500 more"));
        quota.reserve(namespace, 100, &[Charge { bytes: 10, from: 150, until: 200 }]).expect("500 more").keep();
        let over = quota.reserve(namespace, 100, &[Charge { bytes: 1, from: 0, until: 101 }]).expect_err("over");
        assert_eq!(over.used, 1000);
    }

    #[test]
    fn eighty_extensions_by_a_day_are_charged_for_the_copies_that_they_make() {
        // One byte for eighty days, and room for three times as much.
        let quota = Quota::new(u128::from(3 * 80 * DAY));
        let namespace = Namespace::from([1; 32]);
        let (mut promised, mut copies) = (0, 0);
        for day in 1..=80 {
            if let Ok(reservation) = quota.reserve(namespace, 0, &[charge(1, promised, day * DAY)]) {
                reservation.keep();
                (promised, copies) = (day * DAY, copies + 1);
            }
        }
        // 1 + 2 + ... + 21 = 231 days.
        assert_eq!(copies, 21);
        // Hour by hour within one day nothing is copied.
        let quota = Quota::new(DAY.into());
        let mut promised = 0;
        for hour in 1..24 {
            let hourly = charge(1, promised, hour * 3600);
            quota.reserve(namespace, 0, &[hourly]).expect("only the added hour").keep();
            promised = hour * 3600;
        }
        assert_eq!(charge(1, 100, 50).cost(0), 0, "a shorter promise adds nothing");
    }
}
