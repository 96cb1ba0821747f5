//! The load: calls begun one after the other, or at a rate whether or not those before have ended.
//!
//! # Nothing is left out
//!
//! At a rate, a call's time counts from when it was due, also where it had to wait for a place: a committee that stands still for
//! a second has a second's worth of slow calls, not one ("coordinated omission"). Without a rate each place begins a call when
//! its last one has ended, and times are those of calls alone.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use hdrhistogram::Histogram;
use holdfast_certificate::{VerifiedCertificate, hour_at_or_after};
use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep_until},
};

use super::{Op, payloads::Payloads};
use crate::{output::human_bytes, put::By, times::now};

/// Microseconds: the longest time that is told apart from longer ones.
const LONGEST: u64 = 600_000_000;
/// Digits of a time that are kept.
const DIGITS: u8 = 3;
/// Payloads that are read, in turn.
const READ: usize = 32;
/// Between two lines of progress.
const TELL: Duration = Duration::from_secs(2);

/// How calls follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) concurrency: u16,
    /// Calls a second.
    pub(super) rate: Option<NonZeroU32>,
}

/// One combination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) op: Op,
    pub(super) by: By,
    pub(super) bytes: u32,
    pub(super) retain: Duration,
    pub(super) pace: Pace,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Microseconds of calls that succeeded.
    pub(super) times: Histogram<u64>,
    pub(super) failed: u64,
    /// What the last one that failed said.
    pub(super) said: Option<String>,
    pub(super) seconds: f64,
}

/// A load with what it needs before it can begin.
#[derive(Debug)]
pub(super) struct Prepared {
    load: Load,
    payloads: Arc<Payloads>,
    stored: Arc<[VerifiedCertificate]>,
}

/// One call's end.
type Ended = Result<Duration, String>;

impl Load {
    pub(super) fn title(&self) -> String {
        let by = match self.by {
            By::Shard => "by shard",
            By::Payload => "by payload",
        };
        let size = human_bytes(self.bytes.into());
        match self.pace.rate {
            Some(rate) => format!("{} {by} {size}, {rate}/s", self.op.name()),
            None => format!("{} {by} {size}, {} at once", self.op.name(), self.pace.concurrency),
        }
    }

    /// Makes the payloads, and stores those that are to be read.
    pub(super) async fn prepare(self, client: &Client) -> anyhow::Result<Prepared> {
        let payloads = Arc::new(Payloads::of(self.bytes));
        let mut stored = Vec::new();
        if self.op != Op::Store {
            for _ in 0..READ {
                let dispersed = client.disperse(payloads.next(), self.options()).await;
                stored.push(dispersed.context("cannot store what is to be read")?.certificate);
            }
            client.drain().await;
        }
        Ok(Prepared { load: self, payloads, stored: stored.into() })
    }

    fn options(&self) -> DisperseOptions {
        let until = hour_at_or_after(now().saturating_add(self.retain.as_secs()));
        DisperseOptions::by(self.by.into()).retain_until(until)
    }
}

impl Prepared {
    /// Runs for so long, and then until all that was begun has ended.
    pub(super) async fn run(
        &self,
        client: &Client,
        duration: Duration,
        mut tell: impl FnMut(String),
    ) -> anyhow::Result<Outcome> {
        let (ends, mut ended) = mpsc::channel(1024);
        let started = Instant::now();
        let until = started + duration;
        let driving = match self.load.pace.rate {
            Some(rate) => tokio::spawn(at_rate(self.caller(client), self.load.pace.concurrency, rate, until, ends)),
            None => tokio::spawn(one_after_the_other(self.caller(client), self.load.pace.concurrency, until, ends)),
        };
        let mut outcome = Outcome {
            times: Histogram::new_with_max(LONGEST, DIGITS).context("no histogram")?,
            failed: 0,
            said: None,
            seconds: 0.0,
        };
        let mut ticks = interval(TELL);
        ticks.tick().await;
        loop {
            tokio::select! {
                end = ended.recv() => match end {
                    Some(end) => outcome.take(end),
                    None => break,
                },
                _ = ticks.tick() => tell(outcome.line(started.elapsed())),
            }
        }
        driving.await?;
        outcome.seconds = started.elapsed().as_secs_f64();
        Ok(outcome)
    }

    fn caller(&self, client: &Client) -> Caller {
        let (payloads, stored) = (Arc::clone(&self.payloads), Arc::clone(&self.stored));
        Caller { client: client.clone(), load: self.load, payloads, stored }
    }
}

impl Outcome {
    fn take(&mut self, end: Ended) {
        match end {
            Ok(time) => self.times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST)),
            Err(said) => {
                self.failed += 1;
                self.said = Some(said);
            }
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let (done, p) = (self.times.len(), |part| self.times.value_at_quantile(part) as f64 / 1e3);
        let rate = done as f64 / elapsed.as_secs_f64();
        let failed = if self.failed > 0 { format!("  {} failed", self.failed) } else { String::new() };
        format!(
            "{:.0} s  {done} done  {rate:.1}/s  p50 {:.2} ms  p99 {:.2} ms{failed}",
            elapsed.as_secs_f64(),
            p(0.5),
            p(0.99)
        )
    }
}

#[derive(Clone, Debug)]
struct Caller {
    client: Client,
    load: Load,
    payloads: Arc<Payloads>,
    stored: Arc<[VerifiedCertificate]>,
}

impl Caller {
    /// One call; its time counts from `due`, or from its own begin.
    async fn call(&self, number: usize, due: Option<Instant>) -> Ended {
        let stores = match self.load.op {
            Op::Store => true,
            Op::Read => false,
            Op::Mixed => number.is_multiple_of(2),
        };
        if stores {
            let payload: Bytes = self.payloads.next();
            let since = due.unwrap_or_else(Instant::now);
            let dispersed = self.client.disperse(payload, self.load.options()).await;
            dispersed.map(|_| since.elapsed()).map_err(|error| error.to_string())
        } else {
            let since = due.unwrap_or_else(Instant::now);
            let certificate = &self.stored[number % self.stored.len()];
            let retrieved = self.client.retrieve(certificate, RetrieveOptions::default()).await;
            retrieved.map(|_| since.elapsed()).map_err(|error| error.to_string())
        }
    }
}

/// So many places, each of which begins a call when its last one has ended.
async fn one_after_the_other(caller: Caller, places: u16, until: Instant, ends: mpsc::Sender<Ended>) {
    let mut running = JoinSet::new();
    for place in 0..usize::from(places) {
        let (caller, ends) = (caller.clone(), ends.clone());
        running.spawn(async move {
            let mut number = place;
            while Instant::now() < until {
                let end = caller.call(number, None).await;
                number += usize::from(places);
                if ends.send(end).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(ends);
    while running.join_next().await.is_some() {}
}

/// A call when it is due, or as soon after that as there is a place.
async fn at_rate(caller: Caller, places: u16, rate: NonZeroU32, until: Instant, ends: mpsc::Sender<Ended>) {
    let (started, mut running) = (Instant::now(), JoinSet::new());
    for number in 0_u32.. {
        let due = started + Duration::from_secs_f64(f64::from(number) / f64::from(rate.get()));
        if due >= until {
            break;
        }
        sleep_until(due.into()).await;
        while running.len() >= usize::from(places) && running.join_next().await.is_some() {}
        let (caller, ends) = (caller.clone(), ends.clone());
        running.spawn(async move {
            let end = caller.call(number as usize, Some(due)).await;
            let _gone = ends.send(end).await;
        });
        // Those that have ended need no place.
        while running.try_join_next().is_some() {}
    }
    drop(ends);
    while running.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_counted_and_has_no_time() {
        let times = Histogram::new_with_max(LONGEST, DIGITS).expect("bounds");
        let mut outcome = Outcome { times, failed: 0, said: None, seconds: 0.0 };
        outcome.take(Ok(Duration::from_millis(2)));
        outcome.take(Err("no quorum".to_owned()));
        outcome.take(Ok(Duration::from_secs(1_000_000)));
        assert_eq!((outcome.times.len(), outcome.failed), (2, 1));
        let line = outcome.line(Duration::from_secs(4));
        assert!(line.contains("2 done") && line.contains("0.5/s") && line.ends_with("1 failed"), "{line}");
    }
}
