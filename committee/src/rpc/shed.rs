//! What is turned away, counted, and told once a minute: a line for each would fill the disk of whoever is attacked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tonic::Code;

/// How often it is told.
pub(crate) const REPORT: Duration = Duration::from_secs(60);

/// Calls that were turned away since the last report.
#[derive(Debug, Default)]
pub(crate) struct Shed(Mutex<BTreeMap<(&'static str, i32), Count>>);

#[derive(Debug)]
struct Count {
    calls: u64,
    /// What the last one was told.
    last: String,
}

impl Shed {
    /// A call that was turned away; others are not counted.
    pub(super) fn count(&self, path: &'static str, code: Code, told: &str) {
        if !matches!(code, Code::ResourceExhausted | Code::Unavailable) {
            return;
        }
        let mut of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry((path, code as i32)).or_insert_with(|| Count { calls: 0, last: String::new() });
        count.calls += 1;
        told.clone_into(&mut count.last);
    }

    /// Tells of what has been turned away since the last time, a line for each call and code.
    pub(crate) fn report(&self) {
        let of = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for ((path, code), Count { calls, last }) in of {
            tracing::warn!(path, code = ?Code::from_i32(code), calls, last, "rpc.shed");
        }
    }

    #[cfg(test)]
    pub(crate) fn counted(&self) -> Vec<(&'static str, u64)> {
        let of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of.iter().map(|((path, _), count)| (*path, count.calls)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_shed_calls_are_one_line() {
        let shed = Shed::default();
        for _ in 0..1_000_000 {
            shed.count("/a", Code::ResourceExhausted, "busy");
            shed.count("/a", Code::NotFound, "none");
        }
        assert_eq!(shed.counted(), [("/a", 1_000_000)]);
        shed.report();
        assert_eq!(shed.counted(), []);
    }
}
