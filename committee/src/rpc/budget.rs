//! A bound on the bytes that all calls together hold in memory, with shares that nobody can exceed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use holdfast_certificate::{Address, Namespace};
use tokio::{sync::Notify, time::Instant};

use super::status::Error;
use crate::origin::Origin;

/// How long a call waits for memory before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// The part of a budget that one holder may have: one in so many.
const SHARES: usize = 4;
/// The part of a budget that only small answers may use: one in so many.
const RESERVE: usize = 8;
/// What fits the reserve.
const SMALL: usize = 128 << 10;
/// Bytes that have come and wait for room, of all calls together: beside the budget, since nobody can send them back.
const WAITING: usize = 16 << 20;

/// Somebody who may have only a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Origin(Origin),
    Namespace(Namespace),
    Disperser(Address),
}

/// Bytes to share out.
///
/// # Shares
///
/// No holder has more than a quarter at once, but for one body that is larger than that and goes alone; a larger one than
/// the whole budget is taken only while nothing else is. An eighth is for small requests.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    state: Mutex<State>,
    freed: Notify,
    /// Bytes that wait for room.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    of: HashMap<Holder, usize>,
}

/// What a call holds, for as long as anybody has the bill.
#[derive(Clone, Debug)]
pub(super) struct Bill(Arc<Mutex<Share>>);

/// Bytes that have come and wait for room, until it is dropped.
#[derive(Debug)]
struct Waiting(Budget, usize);

/// Bytes taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    holders: Vec<Holder>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(total: usize) -> Self {
        Self(Arc::new(Shared { total: total.max(1), state: Mutex::default(), freed: Notify::new(), waiting: 0.into() }))
    }

    /// Nothing yet, for `holders`.
    pub(crate) fn open(&self, holders: Vec<Holder>) -> Share {
        Share { budget: self.clone(), holders, bytes: 0 }
    }

    /// Takes `bytes` for `holders`, waiting a moment for them.
    pub(crate) async fn take(&self, holders: Vec<Holder>, bytes: usize) -> Result<Share, Error> {
        self.take_within(holders, bytes, PATIENCE).await
    }

    /// The same, waiting for as long as `patience`.
    pub(crate) async fn take_within(
        &self,
        holders: Vec<Holder>,
        bytes: usize,
        patience: Duration,
    ) -> Result<Share, Error> {
        let mut share = self.open(holders);
        self.wait(patience, || share.grow(bytes)).await?;
        Ok(share)
    }

    /// Tries whenever something is given back, for as long as `patience`.
    async fn wait(&self, patience: Duration, mut attempt: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
        let until = Instant::now() + patience;
        loop {
            let freed = self.0.freed.notified();
            let Err(busy) = attempt() else { return Ok(()) };
            if tokio::time::timeout_at(until, freed).await.is_err() {
                return Err(busy);
            }
        }
    }

    /// Room for bytes that wait for room.
    fn hold(&self, bytes: usize) -> Result<Waiting, Error> {
        let waiting = Waiting(self.clone(), bytes);
        if self.0.waiting.fetch_add(bytes, Ordering::SeqCst).saturating_add(bytes) > WAITING {
            return Err(Error::Busy { wanted: bytes, of: self.0.total, share: None });
        }
        Ok(waiting)
    }

    /// Bytes that are taken.
    pub(crate) fn used(&self) -> usize {
        self.state().used
    }

    /// Bytes there are.
    pub(crate) fn total(&self) -> usize {
        self.0.total
    }

    /// Whether a share of `own` bytes may have `more`.
    fn check(&self, state: &State, holders: &[Holder], own: usize, more: usize) -> Result<(), Error> {
        let total = self.0.total;
        let wanted = own.saturating_add(more);
        let limit = if wanted <= SMALL { total } else { total - total / RESERVE };
        // What would never fit goes alone.
        if state.used.saturating_add(more) > limit && state.used > own {
            return Err(Error::Busy { wanted: more, of: total, share: None });
        }
        let each = total / SHARES;
        for holder in holders {
            let has = state.of.get(holder).copied().unwrap_or(0);
            if has.saturating_add(more) > each && has > own {
                return Err(Error::Busy { wanted: more, of: total, share: Some(each) });
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(self.1, Ordering::SeqCst);
    }
}

impl Share {
    /// Takes so many more bytes, or nothing.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Error> {
        let mut state = self.budget.state();
        self.budget.check(&state, &self.holders, self.bytes, more)?;
        state.used += more;
        for holder in &self.holders {
            *state.of.entry(*holder).or_default() += more;
        }
        drop(state);
        self.bytes += more;
        Ok(())
    }

    /// Whether so many more bytes would fit now; nothing is taken.
    pub(crate) fn fits(&self, more: usize) -> Result<(), Error> {
        self.budget.check(&self.budget.state(), &self.holders, self.bytes, more)
    }

    /// Counts the share as another holder's as well. What it holds already is not refused any more: what it asks for
    /// next is.
    pub(crate) fn also(&mut self, holder: Holder) {
        if !self.holders.contains(&holder) {
            *self.budget.state().of.entry(holder).or_default() += self.bytes;
            self.holders.push(holder);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.used -= self.bytes;
        for holder in &self.holders {
            if let Some(held) = state.of.get_mut(holder) {
                *held -= self.bytes;
                if *held == 0 {
                    state.of.remove(holder);
                }
            }
        }
        drop(state);
        self.budget.0.freed.notify_waiters();
    }
}

impl Bill {
    pub(super) fn new(share: Share) -> Self {
        Self(Arc::new(Mutex::new(share)))
    }

    /// Takes so many more bytes, or nothing.
    pub(super) fn grow(&self, more: usize) -> Result<(), Error> {
        self.share().grow(more)
    }

    /// Takes so many more bytes, which have come already, waiting a moment for them if not too many others do.
    pub(super) async fn grow_soon(self, more: usize) -> Result<(), Error> {
        let budget = self.share().budget.clone();
        let _waiting = budget.hold(more)?;
        budget.wait(PATIENCE, || self.grow(more)).await
    }

    /// Waits a moment until so many more bytes would fit; nothing is taken.
    pub(super) async fn room(&self, more: usize) -> Result<(), Error> {
        let budget = self.share().budget.clone();
        budget.wait(PATIENCE, || self.share().fits(more)).await
    }

    /// Counts it as another holder's as well, from now on.
    pub(super) fn also(&self, holder: Holder) {
        self.share().also(holder);
    }

    /// Who it counts for.
    pub(super) fn holders(&self) -> Vec<Holder> {
        self.share().holders.clone()
    }

    fn share(&self) -> MutexGuard<'_, Share> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn from(last: u8) -> Vec<Holder> {
        vec![Holder::Origin(Origin::of([192, 0, 2, last].into()))]
    }

    #[tokio::test]
    async fn one_holder_has_no_more_than_its_share_and_others_have_the_rest() {
        let budget = Budget::new(16 * MIB);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(budget.take(from(1), MIB).await.expect("within the share"));
        }
        let over = budget.take(from(1), MIB).await.expect_err("over the share");
        assert!(matches!(over, Error::Busy { share: Some(share), .. } if share == 4 * MIB), "{over}");
        for last in 2..=3 {
            held.push(budget.take(from(last), 4 * MIB).await.expect("another's share"));
        }
        held.push(budget.take(from(4), 2 * MIB).await.expect("up to the reserve"));
        assert!(budget.take(from(5), MIB).await.is_err(), "the reserve is for small ones");
        held.push(budget.take(from(5), SMALL).await.expect("small"));
        drop(held);
        assert_eq!((budget.used(), budget.state().of.len()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_larger_than_a_share_or_than_all_goes_alone() {
        let budget = Budget::new(16 * MIB);
        let mut large = budget.open(from(1));
        for _ in 0..14 {
            large.grow(MIB).expect("a single body may exceed the share");
        }
        assert!(budget.take(from(1), 1).await.is_err(), "but nothing beside it");
        assert!(budget.take(from(2), 1).await.is_ok());
        drop(large);
        let whole = budget.take(from(1), 1000 * MIB).await.expect("larger than all goes alone");
        assert!(budget.take(from(2), 1).await.is_err());
        drop(whole);
        assert!(budget.take(from(2), 1).await.is_ok());
    }

    #[tokio::test]
    async fn a_share_counts_for_each_of_its_holders() {
        let namespace = Holder::Namespace(Namespace::from([1; 32]));
        let budget = Budget::new(16 * MIB);
        let mut held = Vec::new();
        for last in 1..=4 {
            let mut share = budget.take(from(last), MIB).await.expect("free");
            share.also(namespace);
            held.push(share);
        }
        assert!(budget.open(vec![namespace]).fits(1).is_err(), "four origins have used up the namespace's share");
        assert!(budget.open(from(5)).fits(1).is_ok());
        assert!(held[0].grow(1).is_err());
        held.pop();
        assert!(held[0].grow(1).is_ok());
    }

    #[tokio::test]
    async fn who_waits_is_served_when_something_is_given_back() {
        let budget = Budget::new(16 * MIB);
        let held = budget.take(from(1), 14 * MIB).await.expect("free");
        let waiting = budget.take_within(from(2), 4 * MIB, Duration::from_secs(60));
        let (share, ()) = tokio::join!(waiting, async { drop(held) });
        assert!(share.is_ok());
    }

    #[tokio::test]
    async fn what_has_come_and_waits_for_room_is_bounded_too() {
        let budget = Budget::new(16 * MIB);
        let held = budget.take(from(1), 14 * MIB).await.expect("free");
        let bill = || Bill::new(budget.open(from(2)));
        let mut waiting: Vec<_> = (0..16).map(|_| tokio::spawn(bill().grow_soon(MIB))).collect();
        tokio::task::yield_now().await;
        let refused = tokio::time::timeout(PATIENCE / 2, bill().grow_soon(MIB)).await;
        assert!(refused.expect("at once").is_err(), "sixteen wait already");
        drop(held);
        assert!(waiting.remove(0).await.expect("joined").is_ok());
        futures::future::join_all(waiting).await;
        assert_eq!(budget.0.waiting.load(Ordering::SeqCst), 0);
    }
}
