//! Orders to the running member, by its admin socket.

use std::time::Duration;

use clap::Args;
use holdfast_committee::{
    self as committee,
    admin::{self, Answer, Order, State},
};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    exit::{Exit, fail},
    output::{Output, progress},
    times::{human_time, now, parse_span, parse_time},
};

/// How often it is looked whether something has ended.
const LOOK: Duration = Duration::from_millis(100);

/// How long to hold what has expired.
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// Until when nothing is dropped, at most 90 days from now: unix seconds, or as in 2026-01-31T12:00:00Z.
    #[arg(long, value_parser = parse_time, required_unless_present = "release")]
    until: Option<u64>,
    /// End the hold.
    #[arg(long, conflicts_with = "until")]
    release: bool,
}

/// How to scrub.
#[derive(Debug, Args)]
pub(crate) struct ScrubArgs {
    /// Wait until all was read.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this.
    #[arg(long, value_parser = parse_span, default_value = "24h", requires = "wait")]
    within: Duration,
}

/// What to log.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// As in HOLDFAST_LOG: a level, or parts of the program with levels.
    #[arg(value_name = "FILTER")]
    filter: String,
}

/// What of the member is by its operator's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Orders {
    pub(super) drained: bool,
    pub(super) under_way: usize,
    pub(super) held_until: Option<u64>,
    pub(super) scrubbing: bool,
    pub(super) scrubbed_at: Option<u64>,
    pub(super) log: Option<String>,
}

impl From<State> for Orders {
    fn from(state: State) -> Self {
        let State { drained, under_way, held_until, scrubbing, scrubbed_at, log, .. } = state;
        Self { drained, under_way, held_until, scrubbing, scrubbed_at: Some(scrubbed_at).filter(|at| *at > 0), log }
    }
}

impl Orders {
    pub(super) fn text(&self) -> String {
        let taking = if self.drained { "drained: takes nothing new" } else { "takes statements" };
        let mut text = format!("{taking}, {} under way", self.under_way);
        if let Some(until) = self.held_until {
            text += &format!("\nhold      nothing is dropped until {}", human_time(until));
        }
        if self.scrubbing {
            text += "\nscrub     a pass that was asked for is under way";
        }
        if let Some(filter) = &self.log {
            text += &format!("\nlog       {filter}");
        }
        text
    }
}

/// Gives an order; a member that does not take it is exit code 3, one that refuses it 2.
pub(super) async fn give(config: &committee::Config, order: &Order) -> anyhow::Result<State> {
    let socket = config.admin_socket();
    match admin::ask(&socket, order).await {
        Ok(Answer::Done(state)) => Ok(state),
        Ok(Answer::Refused(why)) => fail(Exit::Usage, format!("the member does not do so: {why}")),
        Err(error) => {
            let shown = socket.display();
            fail(
                Exit::Unreachable,
                format!("no member takes orders at {shown}: {error}; it must run, on this machine, and as this user"),
            )
        }
    }
}

/// The member's own word, where it takes orders.
pub(super) async fn of(config: &committee::Config) -> Option<Orders> {
    match admin::ask(&config.admin_socket(), &Order::Status).await {
        Ok(Answer::Done(state)) => Some(state.into()),
        _ => None,
    }
}

/// Asks for the state until `ended` says so; the last one, and whether it had ended in time.
pub(super) async fn until(
    config: &committee::Config,
    within: Duration,
    ended: impl Fn(&State) -> bool,
) -> anyhow::Result<(State, bool)> {
    let deadline = Instant::now() + within;
    loop {
        let state = give(config, &Order::Status).await?;
        if ended(&state) {
            return Ok((state, true));
        }
        if Instant::now() >= deadline {
            return Ok((state, false));
        }
        sleep(LOOK).await;
    }
}

pub(super) async fn hold(args: &HoldArgs, config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let until = args.until.filter(|_| !args.release).unwrap_or_default();
    if !args.release && until <= now() {
        return fail(Exit::Usage, format!("{} has come already", human_time(until)));
    }
    done(give(config, &Order::Hold { until }).await?, output)
}

pub(super) async fn log(args: LogArgs, config: &committee::Config, output: Output) -> anyhow::Result<()> {
    done(give(config, &Order::Log { filter: args.filter }).await?, output)
}

pub(super) async fn scrub(args: &ScrubArgs, config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let before = give(config, &Order::Status).await?.scrubs;
    let state = give(config, &Order::Scrub).await?;
    if !args.wait {
        return done(state, output);
    }
    progress("reading and checking all that is stored");
    let (state, ended) = until(config, args.within, |state| state.scrubs > before && !state.scrubbing).await?;
    done(state, output)?;
    if ended { Ok(()) } else { fail(Exit::Unreachable, "not all was read in time; the pass goes on") }
}

pub(super) fn done(state: State, output: Output) -> anyhow::Result<()> {
    output.print(&Orders::from(state), |orders| format!("orders    {}\n", orders.text()))
}
