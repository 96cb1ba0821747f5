// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// A minimum retention with its past and its next change, and what else is wanted with it: one storage slot.
struct Retention {
    /// First second in which the namespace exists; 0 if it does not.
    uint48 existsFrom;
    /// Seconds for which data must still be kept, since `from`.
    uint32 current;
    uint48 from;
    /// What it is since `nextFrom`; `nextFrom` is 0 if no change was said after `current`.
    uint32 next;
    uint48 nextFrom;
    /// Members drop nothing before this second.
    uint48 holdUntil;
}

/// A minimum retention that was in force from some second on, until the next one was.
struct PastRetention {
    uint48 from;
    uint32 retention;
}

/// The history of a namespace's minimum retention. What was in force in a second that has passed never changes; the
/// newest answers are in one slot, older ones are searched for.
library Retentions {
    /// Whether the namespace exists at `atTime`, and the retention in force then.
    function inForceAt(Retention storage r, PastRetention[] storage past, uint256 atTime)
        internal
        view
        returns (bool exists, uint256 retention)
    {
        // Read together, so that the slot is read once.
        (uint256 current, uint256 from, uint256 next, uint256 nextFrom) = (r.current, r.from, r.next, r.nextFrom);
        if (nextFrom != 0 && atTime >= nextFrom) return (true, next);
        if (atTime >= from) return (from != 0, current);
        return atTime >= r.existsFrom ? (true, _search(past, atTime)) : (false, 0);
    }

    /// Lets `retention` hold from `from` on, which must be to come. What was said before and is not yet in force is
    /// dropped.
    function set(Retention storage stored, PastRetention[] storage past, uint32 retention, uint48 from) internal {
        Retention memory r = stored;
        if (r.nextFrom != 0 && block.timestamp >= r.nextFrom) {
            past.push(PastRetention({from: r.from, retention: r.current}));
            (stored.current, stored.from) = (r.next, r.nextFrom);
        }
        (stored.next, stored.nextFrom) = (retention, from);
    }

    /// Drops what was said before and is not yet in force; whether there was anything.
    function withdraw(Retention storage stored) internal returns (bool pending) {
        pending = stored.nextFrom > block.timestamp;
        if (pending) (stored.next, stored.nextFrom) = (0, 0);
    }

    /// The last entry that begins no later than `atTime`. The first one begins when the namespace does.
    function _search(PastRetention[] storage past, uint256 atTime) private view returns (uint256) {
        (uint256 low, uint256 high) = (0, past.length);
        // Everything before `low` begins no later than `atTime`, everything from `high` on begins later.
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (past[middle].from <= atTime) low = middle + 1;
            else high = middle;
        }
        return past[low - 1].retention;
    }
}
