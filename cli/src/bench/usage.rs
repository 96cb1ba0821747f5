//! What processes use: processor time and memory, from /proc (proc(5)).

use std::{collections::BTreeMap, fs, time::Instant};

use anyhow::Context;
use rustix::param::clock_ticks_per_second;

/// Processor time and memory of this process and the members'.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Milliseconds of the client's processor time.
    pub(super) client_ms: f64,
    /// Milliseconds of all members' together; none where they are not on this machine.
    pub(super) members_ms: Option<f64>,
    /// The same by what the members' threads are called.
    pub(super) by_thread: BTreeMap<String, f64>,
    /// The most memory that a member had, and the client, in bytes, since it started.
    pub(super) member_peak: Option<u64>,
    pub(super) client_peak: u64,
    pub(super) seconds: f64,
}

/// Begins to measure.
#[derive(Debug)]
pub(super) struct Watch {
    members: Vec<i32>,
    client: u64,
    before: Vec<Taken>,
    since: Instant,
}

/// Ticks of a process, and of its threads by name.
#[derive(Debug)]
struct Taken {
    all: u64,
    threads: BTreeMap<String, u64>,
}

impl Watch {
    pub(super) fn begin(members: Vec<i32>) -> anyhow::Result<Self> {
        let before = members.iter().map(|pid| taken(*pid)).collect::<anyhow::Result<_>>()?;
        Ok(Self { members, client: ticks("/proc/self/stat")?, before, since: Instant::now() })
    }

    pub(super) fn end(self) -> anyhow::Result<Usage> {
        let seconds = self.since.elapsed().as_secs_f64();
        let per_tick = 1e3 / clock_ticks_per_second() as f64;
        let client = ticks("/proc/self/stat")?.saturating_sub(self.client);
        let (mut all, mut threads) = (0, BTreeMap::<String, u64>::new());
        for (pid, before) in self.members.iter().zip(&self.before) {
            let after = taken(*pid)?;
            all += after.all.saturating_sub(before.all);
            for (name, ticks) in after.threads {
                let earlier = before.threads.get(&name).copied().unwrap_or_default();
                *threads.entry(name).or_default() += ticks.saturating_sub(earlier);
            }
        }
        let peaks = self.members.iter().filter_map(|pid| peak(&format!("/proc/{pid}/status")));
        Ok(Usage {
            client_ms: client as f64 * per_tick,
            members_ms: (!self.members.is_empty()).then_some(all as f64 * per_tick),
            by_thread: threads.into_iter().map(|(name, ticks)| (name, ticks as f64 * per_tick)).collect(),
            member_peak: peaks.max(),
            client_peak: peak("/proc/self/status").unwrap_or_default(),
            seconds,
        })
    }
}

fn taken(pid: i32) -> anyhow::Result<Taken> {
    let all = ticks(&format!("/proc/{pid}/stat"))?;
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = entry?.path();
        // A thread may end at any moment.
        let (Ok(name), Ok(ticks)) =
            (fs::read_to_string(path.join("comm")), ticks(&path.join("stat").display().to_string()))
        else {
            continue;
        };
        *threads.entry(name.trim().to_owned()).or_default() += ticks;
    }
    Ok(Taken { all, threads })
}

/// User and system time, in clock ticks.
fn ticks(stat: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(stat).with_context(|| format!("cannot read {stat}"))?;
    of_stat(&text).with_context(|| format!("{stat} is not as proc(5) says"))
}

fn of_stat(text: &str) -> Option<u64> {
    // The name, in parentheses, may itself hold spaces and parentheses.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The most that was resident, in bytes.
fn peak(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_the_processor_time_of_who_does_it() {
        assert_eq!(of_stat("7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20"), Some(42));
        assert_eq!(of_stat("7 (a"), None);
        let own = i32::try_from(std::process::id()).expect("a process id");
        let watch = Watch::begin(vec![own]).expect("this process");
        let (mut sum, until) = (0_u64, Instant::now() + std::time::Duration::from_millis(200));
        while Instant::now() < until {
            sum = (0..1000).fold(sum, |sum, number| sum.rotate_left(5) ^ number);
        }
        let usage = watch.end().expect("this process");
        assert!(usage.client_ms > 50.0 && usage.members_ms.is_some_and(|ms| ms > 50.0), "{usage:?} ({sum})");
        assert!(usage.member_peak.is_some_and(|peak| peak > 1 << 20) && usage.client_peak > 1 << 20);
    }
}
