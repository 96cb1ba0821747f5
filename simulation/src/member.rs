//! One member: a real one, on a machine of the world.

use std::{
    cell::{Cell, Ref, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use holdfast_certificate::SecretKey;
use holdfast_committee::{
    Clock, Config, Machine, Member, Running,
    store::{Identity, IfMissing},
};
use tokio::time::sleep;

use crate::{
    disk::SimulatedDisk,
    ledger::{DOMAIN, Ledger},
    log::Log,
    nature,
    network::Net,
};

/// How soon members repair, where they do.
pub(crate) const REPAIR_DELAY: Duration = Duration::from_secs(2);
/// How often a member's machine looks what its operator orders.
const LOOK: Duration = Duration::from_millis(100);

/// What a member's operator wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Drop what has expired, as every hour.
    Drop,
    /// Stop in order.
    Stop,
}

/// A member and its machine.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) key: SecretKey,
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Arc<SkewedClock>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) repairs_after: Duration,
    /// What is done where there is no store.
    pub(crate) missing: Cell<IfMissing>,
    pub(crate) orders: RefCell<VecDeque<Order>>,
    running: RefCell<Option<Running>>,
    /// Buckets that it has dropped, and when that was, by the true time.
    pub(crate) dropped: RefCell<Vec<(String, u64)>>,
    log: Log,
}

/// A clock that is wrong by some seconds.
#[derive(Debug, Default)]
pub(crate) struct SkewedClock(AtomicI64);

impl SkewedClock {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> u64 {
        nature::unix().saturating_add_signed(self.0.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        nature::steady()
    }
}

impl Seat {
    pub(crate) fn new(number: u16, key: SecretKey, ledger: Arc<Ledger>, repairs_after: Duration, log: Log) -> Rc<Self> {
        Rc::new(Self {
            number,
            name: format!("m{number}"),
            key,
            disk: SimulatedDisk::new(),
            clock: Arc::default(),
            ledger,
            repairs_after,
            missing: Cell::new(IfMissing::Create),
            orders: RefCell::default(),
            running: RefCell::default(),
            dropped: RefCell::default(),
            log,
        })
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { public_key: self.key.public_key(), domain: DOMAIN }
    }

    /// The member at work, if it is.
    pub(crate) fn running(&self) -> Option<Ref<'_, Running>> {
        Ref::filter_map(self.running.borrow(), Option::as_ref).ok()
    }

    /// The machine is off: nothing is left of what ran on it.
    pub(crate) fn gone(&self) {
        self.running.take();
        self.orders.borrow_mut().clear();
    }

    /// What its machine runs from its start on.
    pub(crate) async fn run(self: Rc<Self>) -> turmoil::Result {
        let key = SecretKey::from_bytes(self.key.to_bytes().as_ref())?;
        let machine = Machine { network: Arc::new(Net), disk: Arc::new(self.disk.clone()) };
        let registry = Arc::clone(&self.ledger) as _;
        let member = Member::new(self.config(), key, registry).if_missing(self.missing.get());
        match member.with_clock(Arc::clone(&self.clock) as _).on(machine).launch().await {
            Ok(running) => {
                self.log.tell(&self.name, "serves");
                self.missing.set(IfMissing::Refuse);
                self.running.replace(Some(running));
            }
            Err(error) => {
                self.log.tell(&self.name, format_args!("does not start: {error}"));
                return Ok(());
            }
        }
        loop {
            sleep(LOOK).await;
            let order = self.orders.borrow_mut().pop_front();
            match order {
                None => {}
                Some(Order::Drop) => self.drop_expired().await,
                Some(Order::Stop) => {
                    let Some(running) = self.running.take() else { return Ok(()) };
                    let stopped = running.stop().await;
                    self.log.tell(&self.name, format_args!("stopped: {}", told(stopped)));
                    return Ok(());
                }
            }
        }
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "whoever takes it away ends this task before")]
    async fn drop_expired(&self) {
        let Some(running) = self.running() else { return };
        match running.drop_expired().await {
            Ok(dropped) => {
                for bucket in dropped {
                    self.log.tell(&self.name, format_args!("dropped {bucket}"));
                    self.dropped.borrow_mut().push((bucket, nature::unix()));
                }
            }
            Err(error) => self.log.tell(&self.name, format_args!("drops nothing: {error}")),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::in_folder(([0, 0, 0, 0], 7400).into(), "/nowhere".as_ref());
        config.insecure_plaintext = true;
        config.policy.deletion_grace = Duration::from_secs(3600);
        config.policy.repair_delay = self.repairs_after;
        config.policy.scrub_period = Duration::from_secs(20);
        config
    }
}

fn told(result: Result<(), impl std::fmt::Display>) -> String {
    result.err().map_or_else(|| "in order".into(), |error| error.to_string())
}
