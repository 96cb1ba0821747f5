//! What goes wrong, and when: all of it from the seed, before anything begins.

use std::{collections::BTreeSet, time::Duration};

use rand::{Rng, rngs::StdRng, seq::IndexedRandom as _};

use crate::ledger::MEMBERS;

/// How long things go wrong.
pub(crate) const TROUBLE: Duration = Duration::from_secs(20);
/// The number of the member that comes with the second epoch.
pub(crate) const NEWCOMER: u16 = MEMBERS;
/// The slot that it takes over.
pub(crate) const LEAVES: u16 = 4;

/// One thing that happens to the world. Members are meant by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing comes through between two hosts (`None` is the rollup), or in one direction.
    Part(Option<u16>, u16, bool),
    /// It does again.
    Join(Option<u16>, u16),
    /// What is sent between two hosts waits.
    Hold(Option<u16>, u16),
    /// It arrives.
    Release(Option<u16>, u16),
    /// Everything takes so long, in milliseconds.
    Latency(u64),
    /// The power of a machine is cut.
    Cut(u16),
    /// It is started.
    Start(u16),
    /// A member is stopped in order, and its machine started again.
    Restart(u16),
    /// A disk cannot be written.
    DiskFails(u16),
    /// It can again.
    DiskWorks(u16),
    /// Bits change in a shard on a disk.
    Rot(u16),
    /// A shard on a disk cannot be read any more.
    Spoil(u16),
    /// A disk is replaced by an empty one, and the operator says so.
    Wipe(u16),
    /// A member gives out other shards than it has got.
    Lie(u16),
    /// A clock is set wrong by so many seconds.
    Clock(u16, i64),
    /// L1 cannot be asked, or it can again.
    L1Away(bool),
    /// So many hours in which nobody does anything; then all drop what has expired.
    Pass(u64),
    /// The second epoch is proposed, with another member in one slot.
    Rotate,
}

/// What goes wrong in one world.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// In order; of the same time in the order in which they were thought of.
    events: Vec<(Duration, Event)>,
    /// Members whose data may be worse than a power cut leaves it: at most as many as the protocol stands.
    pub(crate) bad: BTreeSet<u16>,
}

impl Schedule {
    pub(crate) fn from(chance: &mut StdRng) -> Self {
        let mut schedule = Self::default();
        for _ in 0..chance.random_range(3..9) {
            schedule.think(chance);
        }
        if chance.random_bool(0.5) {
            schedule.at(chance.random_range(3_000..15_000), Event::Rotate);
        }
        for _ in 0..chance.random_range(0..3) {
            schedule.at(chance.random_range(3_000..19_000), Event::Pass(chance.random_range(1..40)));
        }
        schedule.events.sort_by_key(|(at, _)| *at);
        schedule
    }

    /// What is due by then.
    pub(crate) fn due(&mut self, elapsed: Duration) -> Vec<Event> {
        let due = self.events.iter().take_while(|(at, _)| *at <= elapsed).count();
        self.events.drain(..due).map(|(_, event)| event).collect()
    }

    fn think(&mut self, chance: &mut StdRng) {
        let member = chance.random_range(0..MEMBERS);
        let from = chance.random_range(1_000..16_000);
        let to = from + chance.random_range(500..6_000);
        let other = Some(chance.random_range(0..MEMBERS)).filter(|other| *other != member);
        match chance.random_range(0..12) {
            0 | 1 => {
                self.at(from, Event::Part(other, member, chance.random_bool(0.3)));
                self.at(to, Event::Join(other, member));
            }
            2 => {
                self.at(from, Event::Hold(other, member));
                self.at(to, Event::Release(other, member));
            }
            3 => {
                self.at(from, Event::Latency(chance.random_range(100..800)));
                self.at(to, Event::Latency(60));
            }
            4..=6 => {
                self.at(from, Event::Cut(member));
                self.at(to, Event::Start(member));
            }
            7 => self.at(from, Event::Restart(member)),
            8 => {
                self.at(from, Event::DiskFails(member));
                self.at(to, Event::DiskWorks(member));
            }
            9 => {
                let wrong = [-400_000, -90, -20, 20, 90, 4_000, 60 * 86_400];
                self.at(from, Event::Clock(member, *wrong.choose(chance).expect("there are some")));
                self.at(to, Event::Clock(member, 0));
            }
            10 => {
                self.at(from, Event::L1Away(true));
                self.at(to, Event::L1Away(false));
            }
            _ => self.spoil(chance, member, from),
        }
    }

    /// Harm to data, to as many members as the protocol stands.
    fn spoil(&mut self, chance: &mut StdRng, member: u16, from: u64) {
        if self.bad.len() == 2 || !self.bad.insert(member) {
            return;
        }
        match chance.random_range(0..4) {
            0 => self.at(from, Event::Rot(member)),
            1 => self.at(from, Event::Spoil(member)),
            2 => {
                self.at(from, Event::Wipe(member));
                self.at(from + chance.random_range(500..3_000), Event::Start(member));
            }
            _ => self.at(from, Event::Lie(member)),
        }
    }

    fn at(&mut self, millis: u64, event: Event) {
        self.events.push((Duration::from_millis(millis), event));
    }
}
