//! What of a member's memory is for what. All of it follows from one setting, `limits.memory_mib`.
//!
//! # The process, not only the bodies
//!
//! What the store, HTTP/2 and the program take is counted first; bodies have what is left. A setting that leaves too little is
//! refused at the start, so the sum of all bounds is never more than what the operator has said.
//!
//! # But for one blob that is larger
//!
//! What a part has no room for goes alone in it, or nobody could store or repair it, and takes what it takes. [`Outgrown`] says of
//! which parts that is so, given the largest payload of a committee.

use std::fmt;

use holdfast_certificate::CommitteeParameters;

use super::limits::Limits;

const MIB: usize = 1 << 20;

/// What repair fetches and rebuilds at once, in KiB: 128 MiB.
pub(crate) const REPAIR_KIB: u32 = 128 << 10;
/// What is read from an archive at once, in KiB: 64 MiB.
pub(crate) const ARCHIVE_READ_KIB: u32 = 64 << 10;
/// What is brought to an archive, and read back, at once, in KiB: 128 MiB.
pub(crate) const ARCHIVE_SEND_KIB: u32 = 128 << 10;

/// The store's tables that are being filled (256 MiB), its cache of blocks (64 MiB), and indices of open files.
const STORE: usize = 384 * MIB;
/// The program and its threads, what repair fetches (128 MiB), L1, the metrics, and what the allocator keeps.
const PROCESS: usize = 256 * MIB;
/// What is on its way to an archive (128 MiB) and from it (64 MiB), where there is one.
const ARCHIVE: usize = 192 * MIB;
/// A call under way, without its body: its task, and its place in HTTP/2.
const CALL: usize = 16 << 10;
/// A connection, without what is in flight on it: its task, and the buffers of TLS and HTTP/2.
const CONNECTION: usize = 64 << 10;
/// What every connection may have in flight to this member, however many there are: HTTP/2 begins with so much.
pub(crate) const LEAST_WINDOW: usize = 64 << 10;
/// Of what is left, each budget of bodies that is not given by name has one part, and windows have so many.
const WINDOW_PARTS: usize = 2;
/// A budget of bodies has at least this.
const LEAST_BUDGET: usize = MIB;

/// How many bytes each part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it.
    pub(crate) process: usize,
    /// Bodies on their way in.
    pub(crate) receiving: usize,
    /// What is computed of dispersals.
    pub(crate) working: usize,
    /// Answers on their way.
    pub(crate) sending: usize,
    /// What is being read.
    pub(crate) reading: usize,
    /// What peers may have in flight to this member, over all connections.
    pub(crate) windows: usize,
}

impl Memory {
    /// What these limits come to, with an archive or without; where they do not fit, the MiB that they need.
    pub(crate) fn of(limits: &Limits, archive: bool) -> Result<Self, usize> {
        let process = limits.memory_mib.saturating_mul(MIB);
        let fixed = [
            STORE,
            PROCESS,
            if archive { ARCHIVE } else { 0 },
            limits.calls.saturating_mul(CALL),
            limits.connections.saturating_mul(CONNECTION),
            limits.connections.saturating_mul(LEAST_WINDOW),
        ];
        let fixed = fixed.into_iter().fold(0, usize::saturating_add);
        let stated = [limits.receiving_mib, limits.working_mib, limits.sending_mib, limits.reading_mib];
        let bodies = stated.iter().map(|mib| mib.map_or(LEAST_BUDGET, |mib| mib.saturating_mul(MIB)));
        let least = bodies.fold(fixed, usize::saturating_add);
        if process < least {
            return Err(least.div_ceil(MIB));
        }
        let missing = stated.iter().filter(|mib| mib.is_none()).count();
        let left = process - fixed - stated.iter().flatten().map(|mib| mib * MIB).sum::<usize>();
        let each = (left / (missing + WINDOW_PARTS)).max(LEAST_BUDGET);
        let [receiving, working, sending, reading] = stated.map(|mib| mib.map_or(each, |mib| mib * MIB));
        let windows = left - missing * each + limits.connections * LEAST_WINDOW;
        Ok(Self { process, receiving, working, sending, reading, windows })
    }
}

/// How often repair has a blob's payload in memory at once: what is fetched, what is decoded from it, and all shards, which are made
/// again where it is to be seen that it is right.
pub(crate) fn repair_copies(total_shards: u16, original_shards: u16) -> u64 {
    2 + u64::from(total_shards.div_ceil(original_shards))
}

/// A part of memory that one largest payload does not fit in: it goes alone there, and takes more than the part has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgrown {
    /// The part.
    pub part: &'static str,
    /// Bytes that it has.
    pub has: u64,
    /// Bytes that one largest payload takes.
    pub takes: u64,
}

impl fmt::Display for Outgrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(MIB as u64);
        let Self { part, has, takes } = self;
        write!(
            f,
            "one largest payload takes {} MiB of memory for {part}, which has {} MiB: `limits.memory_mib` is no bound then",
            mib(*takes),
            mib(*has)
        )
    }
}

impl Memory {
    /// The parts that the largest payload of a committee does not fit in.
    pub(super) fn outgrown(&self, archive: bool, parameters: &CommitteeParameters) -> Vec<Outgrown> {
        let (n, k) = (parameters.total_shards(), parameters.original_shards());
        let payload = u64::from(parameters.max_payload());
        let kib = |kib: u32| u64::from(kib) << 10;
        let mut parts = vec![
            ("bodies on their way in", self.receiving as u64, payload),
            ("what is computed of a dispersal", self.working as u64, (payload * u64::from(n)).div_ceil(k.into())),
            ("what comes from the disk", self.reading as u64 / 2, payload),
            ("repair", kib(REPAIR_KIB), payload * repair_copies(n, k)),
        ];
        if archive {
            parts.push(("reads from the archive", kib(ARCHIVE_READ_KIB), payload));
            parts.push(("what is archived and read back", kib(ARCHIVE_SEND_KIB), 2 * payload));
        }
        let parts = parts.into_iter().filter(|(_, has, takes)| takes > has);
        parts.map(|(part, has, takes)| Outgrown { part, has, takes }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_one_largest_payload_does_not_fit_in_are_named() {
        let memory = Memory::of(&Limits::default(), true).expect("the defaults fit");
        let with = |max_payload: u32| {
            let code = holdfast_erasure::Parameters::new(2, 5).expect("a code");
            let outgrown = memory.outgrown(true, &CommitteeParameters::new(code, 4, max_payload).expect("parameters"));
            outgrown.into_iter().map(|outgrown| (outgrown.part, outgrown.takes >> 20)).collect::<Vec<_>>()
        };
        assert_eq!(with(16 << 20), []);
        assert_eq!(with(32 << 20), [("repair", 160)]);
        let all = [
            "bodies on their way in",
            "what is computed of a dispersal",
            "what comes from the disk",
            "repair",
            "reads from the archive",
            "what is archived and read back",
        ];
        assert_eq!(with(1 << 30).iter().map(|(part, _)| *part).collect::<Vec<_>>(), all);
    }

    #[test]
    fn the_parts_are_never_more_than_the_whole() {
        for memory_mib in [800, 1024, 2048, 4096, 1 << 20] {
            for connections in [65, 512, 2000] {
                for (receiving_mib, archive) in [(None, false), (Some(1), true), (Some(300), false)] {
                    let limits = Limits { memory_mib, connections, receiving_mib, ..Limits::default() };
                    let Ok(memory) = Memory::of(&limits, archive) else { continue };
                    let Memory { process, receiving, working, sending, reading, windows } = memory;
                    let archive = if archive { ARCHIVE } else { 0 };
                    let held = STORE + PROCESS + archive + limits.calls * CALL + connections * CONNECTION;
                    assert!(held + receiving + working + sending + reading + windows <= process, "{memory:?}");
                    assert!(windows >= connections * LEAST_WINDOW && working >= LEAST_BUDGET, "{memory:?}");
                }
            }
        }
        let default = Memory::of(&Limits::default(), false).expect("the defaults fit");
        assert!(default.receiving > 200 * MIB && default.windows > 400 * MIB, "{default:?}");
    }

    #[test]
    fn limits_that_do_not_fit_are_told_what_they_need() {
        for limits in [
            Limits { memory_mib: 100, ..Limits::default() },
            Limits { memory_mib: 2048, sending_mib: Some(4000), ..Limits::default() },
            Limits { connections: 100_000, ..Limits::default() },
            Limits { connections: usize::MAX, calls: usize::MAX, receiving_mib: Some(usize::MAX), ..Limits::default() },
        ] {
            let needed = Memory::of(&limits, false).expect_err("too little");
            assert!(needed > limits.memory_mib, "{needed}");
            if needed < usize::MAX / MIB {
                Memory::of(&Limits { memory_mib: needed, ..limits }, false).expect("what it said is enough");
            }
        }
    }
}
