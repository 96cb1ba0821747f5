//! What of a member's memory is for what. All of it follows from one setting, `limits.memory_mib`.
//!
//! # The process, not only the bodies
//!
//! What the store, HTTP/2 and the program take is counted first; bodies have what is left. A setting that leaves too little is
//! refused at the start, so the sum of all bounds is never more than what the operator has said.

use super::limits::Limits;

const MIB: usize = 1 << 20;

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

#[cfg(test)]
mod tests {
    use super::*;

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
