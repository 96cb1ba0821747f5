//! What the process has of the system: file descriptors, enough for the store whatever strangers do, and memory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;

use crate::error::Error;

/// What the store has open: tables and blob files up to its own bound, logs, and what a flush needs.
const STORE: u64 = 512 + 128;
/// L1 nodes, metrics, logs, the runtime.
const OTHERS: u64 = 128;

/// Makes sure that the process may open what `connections` and the store need, by raising its soft limit if it must.
pub(crate) fn budget(connections: usize) -> Result<(), Error> {
    let needed = connections as u64 + STORE + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    // None means no limit.
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(Error::Descriptors { needed, limit: limit.maximum.unwrap_or(0) });
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), ..limit })
        .map_err(|_| Error::Descriptors { needed, limit: limit.current.unwrap_or(0) })
}

/// How many are open now, and how many may be; `None` where the system does not say.
pub(crate) fn usage() -> (Option<u64>, Option<u64>) {
    let open = std::fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64);
    (open, getrlimit(Resource::Nofile).current)
}

/// Memory of the process in bytes; `None` where the system does not say.
pub(crate) fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// Tells the service manager, where there is one that wants to know (`sd_notify`).
pub(crate) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "process.notify");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_named_with_what_is_needed() {
        assert!(budget(1).is_ok());
        if getrlimit(Resource::Nofile).maximum.is_some() {
            let error = budget(usize::try_from(u32::MAX).expect("64 bits")).expect_err("more than any system has");
            assert!(error.to_string().contains("4294968063"), "{error}");
        }
        let (open, limit) = usage();
        assert!(resident().is_none_or(|resident| resident > 1 << 20));
        assert!(open.is_none_or(|open| open > 0) && limit.is_none_or(|limit| limit > 0));
    }
}
