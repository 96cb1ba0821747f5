//! What all in one world share: its hosts, what was promised in it, and what was found that must not be.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt::Display,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use holdfast_certificate::{DisperserKey, Namespace, PublicKey, SecretKey};
use holdfast_erasure::BlobId;

use crate::{
    ledger::{Ledger, MEMBERS, THRESHOLD},
    log::Log,
    member::{REPAIR_DELAY, Seat},
    plant::Plant,
    promises::Promises,
};

/// A repair that begins so late is none: a member may be given no longer delay.
const TOO_LATE: Duration = Duration::from_secs(600);

/// How far the rollup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Things go wrong.
    Trouble,
    /// They do no longer.
    Calm,
    /// All is whole, and is read.
    Audit,
    /// That is done.
    Over,
}

/// What all in it share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) log: Log,
    pub(crate) ledger: Arc<Ledger>,
    /// L1 as the rollup's client sees it.
    pub(crate) clients_ledger: Arc<Ledger>,
    pub(crate) seats: Vec<Rc<Seat>>,
    pub(crate) promises: RefCell<Promises>,
    pub(crate) phase: Cell<Phase>,
    /// The rollup has stored something since nothing goes wrong any more.
    pub(crate) stored: Cell<bool>,
    /// The numbers of the members of each epoch, in slot order.
    committees: RefCell<Vec<Vec<u16>>>,
    liars: RefCell<BTreeSet<u16>>,
    /// Members whose disks were harmed by more than a power cut.
    harmed: RefCell<BTreeSet<u16>>,
    violations: RefCell<Vec<String>>,
    pub(crate) plant: Option<Plant>,
}

impl World {
    pub(crate) fn new(seed: u64, plant: Option<Plant>) -> Rc<Self> {
        let log = Log::default();
        let master = SecretKey::derive_master(&[7; 32]).expect("32 bytes are enough");
        let keys: Vec<SecretKey> = (0..=u32::from(MEMBERS)).map(|number| master.derive_child(number)).collect();
        let first: Vec<(u16, PublicKey)> = (0..MEMBERS).zip(keys.iter().map(SecretKey::public_key)).collect();
        let (namespace, disperser) = (namespace(), disperser().address());
        let ledger = Ledger::new(&first, namespace, disperser, THRESHOLD);
        let clients_ledger = match plant {
            Some(Plant::TooFewHolders) => Ledger::new(&first, namespace, disperser, THRESHOLD - 1),
            _ => Arc::clone(&ledger),
        };
        let after = if plant == Some(Plant::NeverRepair) { TOO_LATE } else { REPAIR_DELAY };
        let seats: Vec<Rc<Seat>> = (0..=MEMBERS)
            .zip(keys)
            .map(|(number, key)| Seat::new(number, key, Arc::clone(&ledger), after, log.clone()))
            .collect();
        Rc::new(Self {
            seed,
            log,
            ledger,
            clients_ledger,
            seats,
            promises: RefCell::default(),
            phase: Cell::new(Phase::Trouble),
            stored: Cell::new(false),
            committees: RefCell::new(vec![(0..MEMBERS).collect()]),
            liars: RefCell::default(),
            harmed: RefCell::default(),
            violations: RefCell::default(),
            plant,
        })
    }

    /// The numbers of an epoch's members, in slot order.
    pub(crate) fn numbers(&self, epoch: u64) -> Vec<u16> {
        let at = usize::try_from(epoch).unwrap_or(usize::MAX).wrapping_sub(1);
        self.committees.borrow().get(at).cloned().unwrap_or_default()
    }

    /// Whether a member is in any committee.
    pub(crate) fn has_member(&self, number: u16) -> bool {
        self.committees.borrow().iter().flatten().any(|of| *of == number)
    }

    /// Whether a member lies.
    pub(crate) fn lies(&self, number: u16) -> bool {
        self.liars.borrow().contains(&number)
    }

    /// Whether a member's disk was harmed by more than a power cut, so that others must help it.
    pub(crate) fn is_harmed(&self, number: u16) -> bool {
        self.harmed.borrow().contains(&number)
    }

    pub(crate) fn harm(&self, number: u16) {
        self.harmed.borrow_mut().insert(number);
        self.promises.borrow_mut().excuse(number);
    }

    /// Something that must not be.
    pub(crate) fn violated(&self, what: impl Display) {
        let what = what.to_string();
        self.log.tell("world", format_args!("VIOLATED: {what}"));
        self.violations.borrow_mut().push(what);
    }

    pub(crate) fn seat(&self, number: u16) -> &Rc<Seat> {
        &self.seats[usize::from(number)]
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase.get() == Phase::Over || !self.violations.borrow().is_empty()
    }

    /// Another epoch has these members, by their numbers and in slot order.
    pub(crate) fn add_committee(&self, numbers: Vec<u16>) {
        self.committees.borrow_mut().push(numbers);
    }

    /// From now on a member lies.
    pub(crate) fn begin_to_lie(&self, number: u16) {
        self.liars.borrow_mut().insert(number);
    }

    /// What has been found.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.borrow().clone()
    }
}

/// The rollup's namespace.
pub(crate) fn namespace() -> Namespace {
    Namespace::from([3; 32])
}

/// The key that may disperse in it.
pub(crate) fn disperser() -> DisperserKey {
    DisperserKey::from_bytes(&[9; 32]).expect("in range")
}

/// The first bytes of a blob's id.
pub(crate) fn name(id: BlobId) -> String {
    id.to_string().chars().take(10).collect()
}
