//! One world from its beginning to its end.

use std::{
    collections::BTreeSet,
    fmt::Display,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use holdfast_certificate::PublicKey;
use holdfast_committee::store::IfMissing;
use holdfast_erasure::merkle;
use holdfast_transport::block_in_place;
use rand::{SeedableRng as _, rngs::StdRng};
use turmoil::{Builder, Sim};

use crate::{
    faults::{Event, LEAVES, NEWCOMER, Schedule, TROUBLE},
    ledger::MEMBERS,
    member::Order,
    nature, oracles,
    plant::Plant,
    rollup,
    world::{Phase, World},
};

/// How far the world goes at once.
const TICK: Duration = Duration::from_millis(20);
/// How long a message takes on a good day, at most, in milliseconds.
const LATENCY: u64 = 60;
/// Within which time all have started.
const BEGUN: Duration = Duration::from_secs(1);
/// Within which time all is whole again once nothing goes wrong any more.
const WHOLE: Duration = Duration::from_secs(240);
/// Within which time all certificates are read.
const AUDIT: Duration = Duration::from_secs(120);
/// How often it is looked whether all is whole.
const LOOK: Duration = Duration::from_secs(1);

/// A debugger's frames and deep futures fit into it.
const STACK: usize = 16 << 20;

/// What was seen of panics, whose task may have nobody who awaits it.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How one world has ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub log: String,
    /// What must not have.
    pub violations: Vec<String>,
}

/// Runs the world of a seed, in a thread of its own: nothing that was drawn in it before is from elsewhere.
#[must_use]
pub fn run(seed: u64, plant: Option<Plant>) -> Outcome {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || run_here(seed, plant));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("no thread: {error}"),
    }
}

fn run_here(seed: u64, plant: Option<Plant>) -> Outcome {
    nature::begin(seed);
    block_in_place();
    std::panic::set_hook(Box::new(|panic| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
    }));
    let mut chance = StdRng::seed_from_u64(seed);
    let schedule = Schedule::from(&mut chance);
    let world = World::new(seed, plant);
    let sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .min_message_latency(Duration::from_millis(2))
        .max_message_latency(Duration::from_millis(LATENCY))
        .tcp_capacity(4096)
        .build();
    let mut course = Course { sim, world: Rc::clone(&world), chance, schedule, restarting: BTreeSet::new() };
    course.run();
    drop(course);
    for seat in &world.seats {
        seat.gone();
    }
    let promises = world.promises.borrow();
    world.log.tell(
        "world",
        format_args!(
            "{} certificates, {} signatures, {} violations",
            promises.certified.len(),
            promises.attested.len(),
            world.violations().len()
        ),
    );
    Outcome { log: world.log.text(), violations: world.violations() }
}

/// A world on its way.
struct Course {
    sim: Sim<'static>,
    world: Rc<World>,
    chance: StdRng,
    schedule: Schedule,
    /// Members that were told to stop, and start again when they have.
    restarting: BTreeSet<u16>,
}

impl Course {
    fn run(&mut self) {
        for seat in &self.world.seats {
            let seat = Rc::clone(seat);
            self.sim.host(seat.name.clone(), move || Rc::clone(&seat).run());
        }
        self.sim.client(rollup::NAME, rollup::work(Rc::clone(&self.world)));
        self.go_on(BEGUN, |_| false);
        if self.world.plant == Some(Plant::SignBeforeSync) {
            self.world.seats.iter().for_each(|seat| seat.disk.lie());
        }
        self.go_on(TROUBLE.saturating_sub(BEGUN), |_| false);
        if self.world.is_over() {
            return;
        }
        self.calm();
        let whole = self.go_on(WHOLE, |world| world.stored.get() && oracles::lacking(world).is_none());
        if let Some(lacking) = oracles::lacking(&self.world).filter(|_| !whole && !self.world.is_over()) {
            self.world.violated(format_args!("repair does not come to an end: {lacking}"));
        }
        if self.world.is_over() {
            return;
        }
        self.tell("all is whole");
        self.world.phase.set(Phase::Audit);
        if !self.go_on(AUDIT, |_| false) && !self.world.is_over() {
            self.world.violated("the rollup does not come to an end");
        }
        if self.world.violations().is_empty() {
            for number in 0..=MEMBERS {
                self.cut(number);
            }
            oracles::nothing_lost(&self.world);
        }
    }

    /// Goes on until so much has passed, or it is over, or `met`; tells whether it was the last, or over.
    fn go_on(&mut self, most: Duration, met: impl Fn(&World) -> bool) -> bool {
        let (until, mut look) = (self.sim.elapsed() + most, self.sim.elapsed() + LOOK);
        while self.sim.elapsed() < until {
            nature::set_elapsed(self.sim.elapsed());
            for event in self.schedule.due(self.sim.elapsed()) {
                self.apply(event);
            }
            if let Err(error) = self.sim.step() {
                self.world.violated(format_args!("a host has failed: {error}"));
            }
            for panic in std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner)) {
                self.world.violated(panic);
            }
            for number in std::mem::take(&mut self.restarting) {
                if self.sim.is_host_running(self.world.seat(number).name.as_str()) {
                    self.restarting.insert(number);
                } else {
                    self.start(number);
                }
            }
            for seat in &self.world.seats {
                oracles::dropped_early(&self.world, seat);
            }
            if self.world.is_over() {
                return true;
            }
            if self.sim.elapsed() >= look {
                look = self.sim.elapsed() + LOOK;
                if met(&self.world) {
                    return true;
                }
            }
        }
        false
    }

    fn apply(&mut self, event: Event) {
        let world = Rc::clone(&self.world);
        let name = |number: u16| world.seat(number).name.clone();
        let host = |number: Option<u16>| number.map_or_else(|| rollup::NAME.to_owned(), name);
        self.tell(format_args!("{event:?}"));
        match event {
            Event::Part(one, other, true) => self.sim.partition_oneway(host(one), name(other)),
            Event::Part(one, other, false) => self.sim.partition(host(one), name(other)),
            Event::Join(one, other) => self.sim.repair(host(one), name(other)),
            Event::Hold(one, other) => self.sim.hold(host(one), name(other)),
            Event::Release(one, other) => self.sim.release(host(one), name(other)),
            Event::Latency(millis) => self.sim.set_max_message_latency(Duration::from_millis(millis)),
            Event::Cut(number) => self.cut(number),
            Event::Start(number) => self.start(number),
            Event::Restart(number) => {
                if world.seat(number).running().is_some() {
                    world.seat(number).orders.borrow_mut().push_back(Order::Stop);
                    self.restarting.insert(number);
                }
            }
            Event::DiskFails(number) => world.seat(number).disk.fail(true),
            Event::DiskWorks(number) => world.seat(number).disk.fail(false),
            Event::Rot(number) => {
                let _rotten = world.seat(number).disk.rot(&mut self.chance);
                world.harm(number);
            }
            Event::Spoil(number) => {
                let _spoilt = world.seat(number).disk.spoil(&mut self.chance);
                world.harm(number);
            }
            Event::Wipe(number) => {
                self.cut(number);
                world.seat(number).disk.wipe();
                world.seat(number).missing.set(IfMissing::Replace);
                world.harm(number);
            }
            Event::Lie(number) => {
                let lies = world.seat(number).disk.replace_shards(|shard| *merkle::shard_root(shard).as_bytes());
                self.tell(format_args!("m{number} has {lies} other shards"));
                world.begin_to_lie(number);
            }
            Event::Clock(number, seconds) => world.seat(number).clock.set(seconds),
            Event::L1Away(away) => world.ledger.set_away(away),
            Event::Pass(hours) => {
                nature::skip(hours * 3600);
                self.drop_expired();
            }
            Event::Rotate => self.rotate(),
        }
    }

    /// All members drop what has expired; where that is planted, some have no idea of the time, and neither has L1.
    fn drop_expired(&mut self) {
        let early = self.world.plant == Some(Plant::DropEarly);
        if early {
            self.world.ledger.run_ahead(60 * 86_400);
        }
        for seat in &self.world.seats {
            if early && seat.number < 3 {
                seat.clock.set(60 * 86_400);
            }
            seat.orders.borrow_mut().push_back(Order::Drop);
        }
    }

    /// The next epoch begins in a few seconds.
    fn rotate(&mut self) {
        let mut numbers: Vec<u16> = (0..MEMBERS).collect();
        numbers[usize::from(LEAVES)] = NEWCOMER;
        let of = |number: &u16| (*number, self.world.seat(*number).key.public_key());
        let members: Vec<(u16, PublicKey)> = numbers.iter().map(of).collect();
        let from = nature::unix() + 4;
        self.world.ledger.propose(&members, from);
        if !Arc::ptr_eq(&self.world.ledger, &self.world.clients_ledger) {
            self.world.clients_ledger.propose(&members, from);
        }
        self.world.add_committee(numbers);
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) {
        self.tell("nothing goes wrong any more");
        let names: Vec<String> = self.world.seats.iter().map(|seat| seat.name.clone()).collect();
        for (at, one) in names.iter().enumerate() {
            for other in names[at + 1..].iter().map(String::as_str).chain([rollup::NAME]) {
                self.sim.repair(one.as_str(), other);
                self.sim.release(one.as_str(), other);
            }
        }
        self.sim.set_max_message_latency(Duration::from_millis(LATENCY));
        self.world.ledger.set_away(false);
        for number in 0..=MEMBERS {
            self.world.seat(number).disk.fail(false);
            if self.world.plant != Some(Plant::DropEarly) {
                self.world.seat(number).clock.set(0);
            }
            self.start(number);
        }
        if self.world.plant == Some(Plant::DropEarly) {
            self.drop_expired();
        }
        self.world.phase.set(Phase::Calm);
    }

    fn cut(&mut self, number: u16) {
        let seat = Rc::clone(self.world.seat(number));
        let (unsynced, left) = seat.disk.cut(&mut self.chance);
        self.sim.crash(seat.name.as_str());
        seat.gone();
        self.restarting.remove(&number);
        self.tell(format_args!("{} has no power; {left} of {unsynced} batches are left", seat.name));
        oracles::nothing_signed_lost(&self.world, &seat);
    }

    fn start(&mut self, number: u16) {
        let seat = Rc::clone(self.world.seat(number));
        if !self.sim.is_host_running(seat.name.as_str()) {
            seat.gone();
            self.sim.bounce(seat.name.as_str());
        }
    }

    fn tell(&self, what: impl Display) {
        self.world.log.tell("world", what);
    }
}
