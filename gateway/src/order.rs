//! Replies in the order of their requests.
//!
//! A batcher with several requests at once posts its commitments to L1 in the order in which the replies come. Frames that
//! then stand in another order than they were made are dropped by the nodes.
//!
//! Each reply goes out on a connection of its own, so that two which leave at once may be read in either order: between them
//! there is a gap.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Whose requests are kept in order: the name of the credentials, or else the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Named(String),
    At(IpAddr),
}

/// Requests under way, of all clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    lanes: Arc<Mutex<HashMap<Client, Lane>>>,
}

/// Requests of one client.
#[derive(Debug, Default)]
struct Lane {
    next: u64,
    under_way: BTreeSet<u64>,
    gone: Arc<Notify>,
    /// When the last one left.
    left: Option<Instant>,
}

/// One request's place. When it is dropped the next one may reply: hold it until the reply has been given away.
#[derive(Debug)]
pub(crate) struct Ticket {
    order: Order,
    client: Client,
    number: u64,
}

impl Order {
    /// Takes the next place in the client's order.
    pub(crate) fn take(&self, client: Client) -> Ticket {
        let mut lanes = lock(&self.lanes);
        let lane = lanes.entry(client.clone()).or_default();
        let number = lane.next;
        lane.next += 1;
        lane.under_way.insert(number);
        Ticket { order: self.clone(), client, number }
    }
}

impl Ticket {
    /// Waits until every request that came before has been replied to or given up, for at most `limit`, and then until the
    /// last of them is `gap` ago. False if the limit ended the wait.
    pub(crate) async fn turn(&self, limit: Duration, gap: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let left = loop {
            let gone = {
                let lanes = lock(&self.order.lanes);
                let Some(lane) = lanes.get(&self.client) else { return true };
                if lane.under_way.first().is_none_or(|first| *first >= self.number) {
                    break lane.left;
                }
                Arc::clone(&lane.gone).notified_owned()
            };
            // Made under the lock, so that no reply between it and the wait is missed.
            if tokio::time::timeout_at(deadline, gone).await.is_err() {
                return false;
            }
        };
        if let Some(left) = left {
            tokio::time::sleep_until(left + gap).await;
        }
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut lanes = lock(&self.order.lanes);
        if let Some(lane) = lanes.get_mut(&self.client) {
            lane.under_way.remove(&self.number);
            lane.left = Some(Instant::now());
            lane.gone.notify_waiters();
            if lane.under_way.is_empty() {
                lanes.remove(&self.client);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);
    const NONE: Duration = Duration::ZERO;

    fn client(name: &str) -> Client {
        Client::Named(name.to_owned())
    }

    #[tokio::test]
    async fn replies_that_are_ready_in_any_order_leave_in_the_order_of_arrival() {
        let order = Order::default();
        let left = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (number, ready) in [(0u64, 80u64), (1, 10), (2, 40), (3, 0), (4, 20)] {
            let (ticket, left) = (order.take(client("a")), Arc::clone(&left));
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ready)).await;
                assert!(ticket.turn(LONG, NONE).await);
                lock(&left).push(number);
            }));
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*lock(&left), [0, 1, 2, 3, 4]);
        assert!(lock(&order.lanes).is_empty(), "nothing is kept of a client that has gone");
    }

    #[tokio::test]
    async fn one_that_never_ends_holds_the_others_for_the_limit_only() {
        let order = Order::default();
        let stuck = order.take(client("a"));
        let (second, third) = (order.take(client("a")), order.take(client("a")));
        let begun = Instant::now();
        assert!(!second.turn(SHORT, NONE).await);
        assert!(begun.elapsed() >= SHORT);
        drop(second);
        assert!(!third.turn(SHORT, NONE).await, "the first is still before it");
        drop(stuck);
        assert!(third.turn(Duration::ZERO, NONE).await);
    }

    #[tokio::test]
    async fn who_gives_up_lets_the_next_one_go_but_not_past_who_is_before_it() {
        let order = Order::default();
        let (first, second, third) = (order.take(client("a")), order.take(client("a")), order.take(client("a")));
        drop(second);
        assert!(!third.turn(SHORT, NONE).await);
        drop(first);
        assert!(third.turn(LONG, NONE).await);
    }

    #[tokio::test]
    async fn between_two_that_are_ready_there_is_a_gap() {
        let order = Order::default();
        let begun = Instant::now();
        for ticket in [order.take(client("a")), order.take(client("a")), order.take(client("a"))] {
            assert!(ticket.turn(LONG, SHORT).await);
        }
        assert!(begun.elapsed() >= 2 * SHORT);
    }

    #[tokio::test]
    async fn clients_do_not_wait_for_each_other() {
        let order = Order::default();
        let _slow = order.take(client("a"));
        assert!(order.take(client("b")).turn(Duration::ZERO, NONE).await);
        assert!(order.take(Client::At(IpAddr::from([127, 0, 0, 1]))).turn(Duration::ZERO, NONE).await);
    }
}
