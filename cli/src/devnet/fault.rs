//! Faults of a devnet's member: made by its operator's word, shown by `devnet status`, and undone again.
//!
//! # A real member, a real fault
//!
//! Nothing in a member pretends: a crash is SIGKILL, silence SIGSTOP, a slow member stands behind a slow line, a full disk is a
//! file system without room, a lie and a flipped bit are other bytes in its files. Only the clock is another one, of a command
//! that is there for that.

mod data;

use std::{fmt, str::FromStr, time::Duration};

use holdfast_erasure::BlobId;

use super::{
    full,
    state::{Active, Layout, Line, Member, Place, State},
    up::{self, Start},
};
use crate::{
    exit::{Exit, fail},
    times,
};

/// The longest that a line may hold up what goes over it, and the furthest that a clock may be set off.
const SLOWEST: Duration = Duration::from_secs(600);
const FURTHEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What can happen to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL; its data stays.
    Crash,
    /// SIGSTOP: connections are taken, and nothing is answered.
    Silent,
    /// All that it sends comes so much later.
    Slow(Duration),
    /// It serves other bytes than the shards it was given, and believes in them.
    WrongShard,
    /// One bit of each stored shard is flipped on its disk.
    Bitflip,
    /// Its disk is full.
    DiskFull,
    /// Its clock is wrong by so many seconds.
    Clock(i64),
}

/// What `devnet fault` is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Make it.
    Make(Fault),
    /// Undo every one.
    None,
}

/// Breaks a member; returns in words what was done.
pub(crate) async fn break_member(
    layout: &Layout,
    state: &mut State,
    name: &str,
    fault: Fault,
    blob: Option<&str>,
) -> anyhow::Result<String> {
    let blob = match blob.map(str::parse::<BlobId>).transpose() {
        Ok(blob) => blob,
        Err(error) => return fail(Exit::Usage, format!("--blob: {error}")),
    };
    if blob.is_some() && !fault.is_of_data() {
        return fail(Exit::Usage, format!("--blob goes with wrong-shard and bitflip, not with {fault}"));
    }
    let member = state.member_mut(name)?;
    let (name, running) = (member.name(), member.is_running());
    if fault == Fault::Crash && !running {
        return Ok(format!("{name} is not running already"));
    }
    if let Some(there) = of_process(member) {
        return fail(
            Exit::Usage,
            format!("{name} has a fault already, {}; undo it first: holdfast devnet fault {name} none", there.fault),
        );
    }
    if !running && !fault.is_of_data() {
        return fail(Exit::Usage, format!("{name} is not running; start it first: holdfast devnet heal {name}"));
    }
    let mut active = begun(fault);
    let said = match fault {
        Fault::Crash => {
            if let Some(process) = member.process.take() {
                process.kill().await;
            }
            format!("{name} killed")
        }
        Fault::Silent => {
            if let Some(process) = &member.process {
                process.pause();
            }
            format!("{name} is stopped: it takes connections and answers nothing")
        }
        Fault::WrongShard | Fault::Bitflip => {
            let changed = data::change(layout, state, &name, fault, blob).await?;
            (active.replaced, active.flipped) = (changed.replaced, changed.flipped);
            format!("{name}: {} in {} stored shards", fault.in_words(), changed.shards)
        }
        Fault::Slow(_) | Fault::DiskFull | Fault::Clock(_) => {
            restart(layout, state, &name, fault, &mut active).await?;
            format!("{name}: {}", fault.in_words())
        }
    };
    state.member_mut(&name)?.faults.push(active);
    state.save(layout)?;
    Ok(said)
}

/// Undoes every fault of a member, the last one first, and leaves it running; returns in words what was done.
pub(crate) async fn mend(layout: &Layout, state: &mut State, name: &str) -> anyhow::Result<String> {
    let member = state.member_mut(name)?;
    let (name, tied) = (member.name(), member.tied);
    let undone: Vec<String> = member.faults.iter().map(|active| active.fault.clone()).collect();
    // A stopped process would not hear that it is to end.
    if let Some(process) = &member.process {
        process.go_on();
    }
    let only_silent = member.faults.iter().all(|active| active.fault == Fault::Silent.to_string());
    if only_silent && member.is_running() {
        member.faults.clear();
        state.save(layout)?;
    } else {
        if let Some(process) = member.process.take() {
            process.stop().await;
        }
        undo(layout, state, &name).await?;
    }
    if !state.member_mut(&name)?.is_running() {
        up::start_member(layout, state, &name, tied).await?;
    }
    Ok(if undone.is_empty() {
        format!("{name} has no fault")
    } else {
        format!("{name}: undone: {}", undone.join(", "))
    })
}

/// Undoes every fault of a member that does not run, and starts nothing.
pub(crate) async fn undo(layout: &Layout, state: &mut State, name: &str) -> anyhow::Result<()> {
    let member = state.member_mut(name)?;
    let data = layout.member_data(member.slot);
    while let Some(active) = member.faults.last() {
        if let Some(line) = &active.line {
            line.process.kill().await;
        }
        data::restore(&data, &active.replaced, &active.flipped).await?;
        full::tidy(layout, member.slot);
        member.faults.pop();
    }
    state.save(layout)
}

/// Starts the member again in circumstances that are the fault; if that fails, as it was.
async fn restart(
    layout: &Layout,
    state: &mut State,
    name: &str,
    fault: Fault,
    active: &mut Active,
) -> anyhow::Result<()> {
    let member = state.member_mut(name)?;
    let (listen, slot, tied) = (member.listen.clone(), member.slot, member.tied);
    if fault == Fault::DiskFull {
        full::check().await?;
    }
    if let Some(process) = member.process.take() {
        process.stop().await;
    }
    state.save(layout)?;
    let started = async {
        let start = match fault {
            Fault::Slow(delay) => {
                let behind = up::free_address()?;
                let process = super::line::start(layout, name, &listen, &behind, delay, tied)?;
                active.line = Some(Line { process, behind: behind.clone() });
                Start { behind: Some(behind), ..Start::default() }
            }
            Fault::DiskFull => Start { full: Some(full::wrapper(layout, slot)?), ..Start::default() },
            Fault::Clock(seconds) => Start { clock: Some(seconds), ..Start::default() },
            Fault::Crash | Fault::Silent | Fault::WrongShard | Fault::Bitflip => Start::default(),
        };
        up::start_member_as(layout, state, name, tied, &start).await
    };
    let started = started.await;
    if started.is_err() {
        if let Some(line) = active.line.take() {
            line.process.kill().await;
        }
        if let Some(process) = state.member_mut(name)?.process.take() {
            process.stop().await;
        }
        up::start_member(layout, state, name, tied).await?;
    }
    started
}

/// A fault that is about to be made.
fn begun(fault: Fault) -> Active {
    Active {
        fault: fault.to_string(),
        since: times::now(),
        until: None,
        line: None,
        replaced: Vec::new(),
        flipped: Vec::new(),
    }
}

/// The fault that its process has, which must be undone before there can be another.
fn of_process(member: &Member) -> Option<&Active> {
    member.faults.iter().find(|active| active.replaced.is_empty() && active.flipped.is_empty())
}

impl Fault {
    fn is_of_data(self) -> bool {
        matches!(self, Self::WrongShard | Self::Bitflip)
    }

    fn in_words(self) -> String {
        match self {
            Self::Crash => "killed".to_owned(),
            Self::Silent => "stopped".to_owned(),
            Self::Slow(delay) => format!("what it sends comes {} later", humantime::format_duration(delay)),
            Self::WrongShard => "other bytes".to_owned(),
            Self::Bitflip => "one bit flipped".to_owned(),
            Self::DiskFull => "its disk is full".to_owned(),
            Self::Clock(seconds) => {
                let (by, way) = (humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())), seconds < 0);
                format!("its clock is {by} {}", if way { "behind" } else { "ahead" })
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => f.write_str("crash"),
            Self::Silent => f.write_str("silent"),
            Self::Slow(delay) => write!(f, "slow={}", compact(*delay)),
            Self::WrongShard => f.write_str("wrong-shard"),
            Self::Bitflip => f.write_str("bitflip"),
            Self::DiskFull => f.write_str("disk-full"),
            Self::Clock(seconds) => {
                let sign = if *seconds < 0 { '-' } else { '+' };
                write!(f, "clock={sign}{}", compact(Duration::from_secs(seconds.unsigned_abs())))
            }
        }
    }
}

fn compact(span: Duration) -> String {
    humantime::format_duration(span).to_string().replace(' ', "")
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let without = |fault| match value {
            None => Ok(Self::Make(fault)),
            Some(_) => Err(format!("{name} takes no value")),
        };
        match name {
            "none" if value.is_none() => Ok(Self::None),
            "crash" => without(Fault::Crash),
            "silent" => without(Fault::Silent),
            "wrong-shard" => without(Fault::WrongShard),
            "bitflip" => without(Fault::Bitflip),
            "disk-full" => without(Fault::DiskFull),
            "slow" => {
                let value = value.ok_or("by how much? slow=2s")?;
                let delay = times::parse_span(value)?;
                if delay.is_zero() || delay > SLOWEST {
                    return Err(format!("slow={value}: expected more than nothing and at most 10m"));
                }
                Ok(Self::Make(Fault::Slow(delay)))
            }
            "clock" => {
                let value = value.ok_or("by how much? clock=+30d or clock=-1h")?;
                let (sign, span) = match value.split_at_checked(1) {
                    Some(("+", span)) => (1, span),
                    Some(("-", span)) => (-1, span),
                    _ => return Err(format!("clock={value}: expected a sign, as in clock=+30d or clock=-1h")),
                };
                let span = times::parse_span(span)?;
                let seconds = i64::try_from(span.as_secs()).ok().filter(|_| span <= FURTHEST);
                match seconds {
                    Some(seconds) if seconds > 0 => Ok(Self::Make(Fault::Clock(sign * seconds))),
                    _ => Err(format!("clock={value}: expected a second at least and ten years at most")),
                }
            }
            _ => Err(format!(
                "{text:?} is no fault: expected crash, silent, slow=2s, wrong-shard, bitflip, disk-full, clock=+30d, or none"
            )),
        }
    }
}

/// What [`data::change`] has done.
struct Changed {
    shards: usize,
    replaced: Vec<String>,
    flipped: Vec<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_is_shown() {
        for text in ["crash", "silent", "slow=2s", "slow=250ms", "wrong-shard", "bitflip", "disk-full", "clock=+30days"]
        {
            let order: Order = text.parse().expect(text);
            let Order::Make(fault) = order else { panic!("{text} is a fault") };
            assert_eq!(fault.to_string(), text);
            assert_eq!(fault.to_string().parse(), Ok(order));
        }
        assert_eq!("none".parse(), Ok(Order::None));
        assert_eq!("clock=-90m".parse(), Ok(Order::Make(Fault::Clock(-5400))));
        assert_eq!(Fault::Clock(-5400).to_string(), "clock=-1h30m");
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_was_expected() {
        for (text, says) in [
            ("", "expected crash"),
            ("slow", "slow=2s"),
            ("slow=0s", "more than nothing"),
            ("slow=11m", "at most 10m"),
            ("slow=fast", "no span"),
            ("clock", "clock=+30d"),
            ("clock=30d", "a sign"),
            ("clock=", "a sign"),
            ("clock=+", "no span"),
            ("clock=+0s", "a second at least"),
            ("clock=+11years", "ten years"),
            ("crash=9", "takes no value"),
            ("none=1", "is no fault"),
        ] {
            let error = text.parse::<Order>().expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
