//! What processes use: processor time and memory, from /proc (proc(5)).

use std::{collections::BTreeMap, fs, time::Instant};

use anyhow::Context;
use rustix::param::clock_ticks_per_second;

/// Measurements of memory that are kept of one run; of a longer one every second is left out, again and again.
const SAMPLES: usize = 240;

/// What threads do, by the beginnings of their names; the first that fits.
const STAGES: [(&str, &str); 6] = [
    ("async", "calls and connections"),
    ("blocking", "code, hashes, curve, reads"),
    ("store-writer", "the log: writes and syncs"),
    ("store-mark", "the mark beside the log"),
    ("rocksdb", "flushes and compaction"),
    ("", "others"),
];
/// What was used by threads that have ended since.
const ENDED: &str = "threads that have ended";

/// Processor time and memory of this process and the members'.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Milliseconds of the client's processor time.
    pub(super) client_ms: f64,
    /// Milliseconds of all members' together; none where they are not on this machine.
    pub(super) members_ms: Option<f64>,
    /// The same by what the members' threads are called.
    pub(super) by_thread: BTreeMap<String, f64>,
    /// Milliseconds of all processes by what their threads do.
    pub(super) stages: BTreeMap<&'static str, Spent>,
    /// The most memory that a member had, and the client, in bytes, since it started.
    pub(super) member_peak: Option<u64>,
    pub(super) client_peak: u64,
    pub(super) memory: Vec<Sample>,
}

/// Milliseconds of processor time, in the program and in the kernel for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    pub(super) user: f64,
    pub(super) kernel: f64,
}

/// What was resident at a moment, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) client: u64,
    pub(super) members: Vec<u64>,
}

/// Begins to measure.
#[derive(Debug)]
pub(super) struct Watch {
    members: Vec<i32>,
    client: Taken,
    before: Vec<Taken>,
    since: Instant,
    memory: Vec<Sample>,
    /// Calls of [`Self::sample`] for one that is kept, and since the last that was.
    every: usize,
    passed: usize,
}

/// Ticks of a process, and of its threads by name.
#[derive(Debug)]
struct Taken {
    all: Ticks,
    threads: BTreeMap<String, Ticks>,
}

/// User and system time, in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    user: u64,
    kernel: u64,
    /// Nanoseconds of both; zero where the kernel does not count them. A thread seldom runs for a whole tick at a time.
    run: u64,
}

impl Watch {
    pub(super) fn begin(members: Vec<i32>) -> anyhow::Result<Self> {
        let before = members.iter().map(|pid| taken(&pid.to_string())).collect::<anyhow::Result<_>>()?;
        let (client, memory) = (taken("self")?, Vec::new());
        let mut watch = Self { members, client, before, since: Instant::now(), memory, every: 1, passed: 0 };
        watch.sample();
        Ok(watch)
    }

    /// Looks at the memory of all, if it is time.
    pub(super) fn sample(&mut self) {
        if !self.passed.is_multiple_of(self.every) {
            self.passed += 1;
            return;
        }
        self.passed = 1;
        let resident = |process: &str| of_status(&format!("/proc/{process}/status"), "VmRSS:").unwrap_or_default();
        self.memory.push(Sample {
            seconds: self.since.elapsed().as_secs_f64(),
            client: resident("self"),
            members: self.members.iter().map(|pid| resident(&pid.to_string())).collect(),
        });
        if self.memory.len() >= SAMPLES {
            let mut number = 0;
            self.memory.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
    }

    pub(super) fn end(mut self) -> anyhow::Result<Usage> {
        let per_tick = 1e3 / clock_ticks_per_second() as f64;
        let mut usage = Usage::default();
        self.passed = 0;
        self.sample();
        let client = taken("self")?.since(&self.client);
        usage.client_ms = client.all.spent(per_tick).sum();
        usage.stage(&client, per_tick);
        let mut all = 0.0;
        for (pid, before) in self.members.iter().zip(&self.before) {
            let used = taken(&pid.to_string())?.since(before);
            all += used.all.spent(per_tick).sum();
            usage.stage(&used, per_tick);
            for (name, ticks) in used.threads {
                *usage.by_thread.entry(name).or_default() += ticks.spent(per_tick).sum();
            }
        }
        usage.members_ms = (!self.members.is_empty()).then_some(all);
        let peaks = self.members.iter().filter_map(|pid| of_status(&format!("/proc/{pid}/status"), "VmHWM:"));
        usage.member_peak = peaks.max();
        usage.client_peak = of_status("/proc/self/status", "VmHWM:").unwrap_or_default();
        usage.memory = self.memory;
        Ok(usage)
    }
}

impl Usage {
    /// Adds what a process has used to the stages.
    fn stage(&mut self, used: &Taken, per_tick: f64) {
        let mut rest = used.all.spent(per_tick).sum();
        for (name, ticks) in &used.threads {
            let stage = STAGES.iter().find(|(begins, _)| name.starts_with(begins)).map_or(ENDED, |(_, stage)| *stage);
            let (sum, spent) = (self.stages.entry(stage).or_default(), ticks.spent(per_tick));
            *sum = Spent { user: sum.user + spent.user, kernel: sum.kernel + spent.kernel };
            rest -= spent.sum();
        }
        self.stages.entry(ENDED).or_default().user += rest.max(0.0);
    }
}

impl Spent {
    fn sum(self) -> f64 {
        self.user + self.kernel
    }
}

impl Taken {
    fn since(self, before: &Self) -> Self {
        let earlier = |name: &String| before.threads.get(name).copied().unwrap_or_default();
        let threads = self.threads.into_iter().map(|(name, ticks)| {
            let used = ticks.since(earlier(&name));
            (name, used)
        });
        Self { all: self.all.since(before.all), threads: threads.collect() }
    }
}

impl Ticks {
    /// The time, by the finest count there is, and shared out as the ticks are.
    fn spent(self, per_tick: f64) -> Spent {
        let ticks = self.user + self.kernel;
        let (run, all) = (self.run as f64 / 1e6, ticks as f64 * per_tick);
        let time = if self.run > 0 { run } else { all };
        let kernel = if ticks > 0 { self.kernel as f64 / ticks as f64 } else { 0.0 };
        Spent { user: time * (1.0 - kernel), kernel: time * kernel }
    }

    fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            kernel: self.kernel.saturating_sub(before.kernel),
            run: self.run.saturating_sub(before.run),
        }
    }
}

fn taken(process: &str) -> anyhow::Result<Taken> {
    let all = ticks(&format!("/proc/{process}/stat"))?;
    let mut threads = BTreeMap::<String, Ticks>::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let path = entry?.path();
        // A thread may end at any moment.
        let (Ok(name), Ok(ticks)) =
            (fs::read_to_string(path.join("comm")), ticks(&path.join("stat").display().to_string()))
        else {
            continue;
        };
        let run = fs::read_to_string(path.join("schedstat")).ok();
        let run = run.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or_default();
        let sum = threads.entry(name.trim().to_owned()).or_default();
        *sum = Ticks { user: sum.user + ticks.user, kernel: sum.kernel + ticks.kernel, run: sum.run + run };
    }
    Ok(Taken { all, threads })
}

fn ticks(stat: &str) -> anyhow::Result<Ticks> {
    let text = fs::read_to_string(stat).with_context(|| format!("cannot read {stat}"))?;
    of_stat(&text).with_context(|| format!("{stat} is not as proc(5) says"))
}

fn of_stat(text: &str) -> Option<Ticks> {
    // The name, in parentheses, may itself hold spaces and parentheses.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace().skip(11);
    Some(Ticks { user: fields.next()?.parse().ok()?, kernel: fields.next()?.parse().ok()?, run: 0 })
}

/// A line of a process's status, in bytes.
fn of_status(status: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_the_processor_time_of_who_does_it_and_of_what_it_is() {
        assert_eq!(
            of_stat("7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20"),
            Some(Ticks { user: 30, kernel: 12, run: 0 })
        );
        assert_eq!(of_stat("7 (a"), None);
        let own = i32::try_from(std::process::id()).expect("a process id");
        let mut watch = Watch::begin(vec![own]).expect("this process");
        let work = || {
            let (mut sum, until) = (0_u64, Instant::now() + std::time::Duration::from_millis(200));
            while Instant::now() < until {
                sum = (0..1000).fold(sum, |sum, number| sum.rotate_left(5) ^ number);
            }
            sum
        };
        let (done, finish) = (std::sync::Arc::new(std::sync::Barrier::new(2)), std::sync::mpsc::channel::<()>());
        let thread = std::thread::Builder::new().name("blocking".to_owned()).spawn({
            let done = std::sync::Arc::clone(&done);
            move || {
                let sum = work();
                done.wait();
                let _until_it_was_measured = finish.1.recv();
                sum
            }
        });
        done.wait();
        watch.sample();
        let usage = watch.end().expect("this process");
        drop(finish.0);
        assert!(thread.expect("a thread").join().is_ok());
        assert!(usage.client_ms > 50.0 && usage.members_ms.is_some_and(|ms| ms > 50.0), "{usage:?}");
        assert!(usage.member_peak.is_some_and(|peak| peak > 1 << 20) && usage.client_peak > 1 << 20);
        // It is counted as the client and as a member.
        let code = usage.stages["code, hashes, curve, reads"];
        assert!(code.user > 100.0, "{usage:?}");
        let sum: f64 = usage.stages.values().map(|spent| spent.user + spent.kernel).sum();
        assert!((sum / (usage.client_ms + usage.members_ms.unwrap_or_default()) - 1.0).abs() < 0.2, "{usage:?}");
        assert!(usage.memory.len() == 3 && usage.memory[1].members[0] > 1 << 20, "{:?}", usage.memory);
    }

    #[test]
    fn memory_of_a_long_run_is_kept_evenly_and_within_bounds() {
        let mut watch = Watch::begin(Vec::new()).expect("this process");
        for _ in 0..10_000 {
            watch.sample();
            assert!(watch.memory.len() <= SAMPLES);
        }
        assert!(watch.memory.len() >= SAMPLES / 4 && watch.every >= 64, "{}, {}", watch.memory.len(), watch.every);
        let times: Vec<f64> = watch.memory.iter().map(|sample| sample.seconds).collect();
        assert!(times.is_sorted());
    }
}
