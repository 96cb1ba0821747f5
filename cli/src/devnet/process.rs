//! Processes of a devnet: start detached with a log, find again by id and start time, stop with a limit.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How long a process may take to stop after SIGTERM before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A process that this devnet started. The start time tells it from a later process with the same id.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pid: i32,
    start: u64,
}

/// How this same binary is started as a process of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) arguments: &'a [&'a str],
    /// Its output is appended there.
    pub(crate) log: &'a Path,
    /// It also stops when this process ends, however it ends: it watches a pipe that only this process holds open.
    pub(crate) tied: bool,
    /// Variables of its environment.
    pub(crate) environment: &'a [(&'a str, &'a str)],
    /// A program with arguments that runs it in the end, as itself; none if empty.
    pub(crate) through: &'a [String],
}

impl<'a> Launch<'a> {
    pub(crate) fn new(arguments: &'a [&'a str], log: &'a Path) -> Self {
        Self { arguments, log, tied: false, environment: &[], through: &[] }
    }
}

/// Starts this same binary, detached.
pub(crate) fn start(launch: &Launch<'_>) -> anyhow::Result<ProcessId> {
    let Launch { arguments, log, tied, environment, through } = *launch;
    let binary = std::env::current_exe().context("cannot find this program's own file")?;
    let log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open {}", log.display()))?;
    let mut command = match through.split_first() {
        None => Command::new(binary),
        Some((program, before)) => {
            let mut command = Command::new(program);
            command.args(before).arg(binary);
            command
        }
    };
    command.args(arguments).envs(environment.iter().copied());
    command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    if tied {
        command.arg("--until-stdin-closes").stdin(Stdio::piped());
    }
    let mut child = command.spawn().context("cannot start a process")?;
    let pid = i32::try_from(child.id()).context("process id out of range")?;
    let start = start_time(pid).context("the process ended at once")?;
    // Reaps the child when it ends and, where it is tied, holds its stdin open until this process ends.
    let stdin = child.stdin.take();
    std::thread::spawn(move || {
        let _ = child.wait();
        drop(stdin);
    });
    Ok(ProcessId { pid, start })
}

impl ProcessId {
    /// The number that `ps` shows.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// True while this very process runs.
    pub(crate) fn is_running(&self) -> bool {
        start_time(self.pid) == Some(self.start)
    }

    /// Asks the process to stop and waits; kills it when it does not stop in time.
    pub(crate) async fn stop(&self) {
        self.signal(Signal::TERM);
        self.go_on();
        if !self.wait_gone(STOP_LIMIT).await {
            self.kill().await;
        }
    }

    /// SIGKILL. The system still writes what the process has handed to it, which a power cut would not.
    pub(crate) async fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait_gone(STOP_LIMIT).await;
    }

    /// SIGSTOP: it does nothing, and keeps all that it has.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on after a pause; what does not pause is not disturbed.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_running()) {
            let _ = kill_process(pid, signal);
        }
    }

    async fn wait_gone(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// When the process started, in clock ticks since boot; `None` when there is none or it is a zombie (proc(5)). A killed
/// process whose main thread is a zombie still holds its files and ports until its other threads have ended.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may itself hold spaces and parentheses.
    let mut fields = stat[stat.rfind(')')? + 2..].split(' ');
    let state = fields.next()?;
    let threads: u32 = fields.nth(16)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    (state != "Z" || threads > 1).then_some(start)
}

/// The end of a log.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
