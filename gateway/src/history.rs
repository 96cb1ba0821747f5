//! The last requests and certificates, for the status page.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use holdfast_certificate::VerifiedCertificate;

use crate::{
    clock::{unix_milliseconds, unix_now},
    metrics::How,
};

/// Requests that are kept.
const REQUESTS: usize = 240;
/// Certificates that are kept.
const CERTIFICATES: usize = 20;

/// Which way a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A payload came in.
    Put,
    /// One was asked for.
    Get,
}

impl Way {
    /// By the operation's name in the metrics; `None` for what moves no payload.
    pub(crate) fn of(operation: &str) -> Option<Self> {
        match operation {
            "put" | "store" | "commitChunkedStore" => Some(Self::Put),
            "get" | "recoverPayload" | "collectPreimages" | "recoverPayloadAndPreimages" => Some(Self::Get),
            _ => None,
        }
    }
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// When, unix milliseconds.
    pub(crate) at: u64,
    pub(crate) way: Way,
    pub(crate) status: u16,
    pub(crate) took: Duration,
}

/// A certificate that was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    /// When, unix seconds.
    pub(crate) at: u64,
    pub(crate) certificate: VerifiedCertificate,
    pub(crate) how: How,
    /// From the whole payload to the certificate.
    pub(crate) took: Duration,
}

/// What happened last, in bounded rings; lost with the process.
#[derive(Debug, Default)]
pub(crate) struct History {
    requests: Mutex<VecDeque<Answered>>,
    certificates: Mutex<VecDeque<Given>>,
}

impl History {
    /// A request was answered.
    pub(crate) fn answered(&self, operation: &str, status: u16, took: Duration) {
        if let Some(way) = Way::of(operation) {
            push(&mut lock(&self.requests), REQUESTS, Answered { at: unix_milliseconds(), way, status, took });
        }
    }

    /// A certificate was given.
    pub(crate) fn given(&self, certificate: &VerifiedCertificate, how: How, took: Duration) {
        let given = Given { at: unix_now(), certificate: *certificate, how, took };
        push(&mut lock(&self.certificates), CERTIFICATES, given);
    }

    /// The requests, the oldest first.
    pub(crate) fn requests(&self) -> Vec<Answered> {
        lock(&self.requests).iter().copied().collect()
    }

    /// The certificates, the newest first.
    pub(crate) fn certificates(&self) -> Vec<Given> {
        lock(&self.certificates).iter().rev().copied().collect()
    }
}

fn push<T>(ring: &mut VecDeque<T>, most: usize, item: T) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept_and_only_what_moves_payloads() {
        let history = History::default();
        for number in 0..2 * REQUESTS {
            history.answered("put", 200, Duration::from_millis(number as u64));
            history.answered("healthz", 200, Duration::ZERO);
        }
        let kept = history.requests();
        assert_eq!(kept.len(), REQUESTS);
        assert_eq!(kept.first().map(|first| first.took.as_millis()), Some(REQUESTS as u128));
        assert!(kept.iter().all(|request| request.way == Way::Put));
    }
}
