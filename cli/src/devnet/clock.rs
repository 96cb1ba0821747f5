//! A member of a devnet whose clock is wrong, as a process of its own. `holdfast member run` has no such thing.

use std::{path::Path, sync::Arc, time::Duration};

use clap::Args;
use holdfast_committee::{self as committee, Clock, Member, SystemClock};

use crate::{
    exit::{Exit, fail},
    shutdown::Shutdown,
};

/// By how much the clock is wrong.
#[derive(Debug, Args)]
pub(crate) struct ClockArgs {
    /// Seconds ahead; behind, if negative.
    #[arg(long, allow_hyphen_values = true)]
    seconds: i64,
    /// Stop when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// The machine's clock, set off. What passes on it is right.
#[derive(Clone, Copy, Debug)]
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> u64 {
        SystemClock.now().saturating_add_signed(self.0)
    }

    fn steady(&self) -> Duration {
        SystemClock.steady()
    }
}

pub(crate) async fn run(config: Option<&Path>, args: ClockArgs) -> anyhow::Result<()> {
    let Some(file) = config else { return fail(Exit::Usage, "--config is missing: the member's") };
    let config = committee::Config::load(file).or_else(|error| fail(Exit::Usage, error.to_string()))?;
    let of_devnet = file.parent().and_then(Path::parent).is_some_and(|folder| folder.join("devnet.json").exists());
    if !(of_devnet && config.listen.ip().is_loopback()) {
        return fail(Exit::Usage, "a wrong clock is for members of a devnet only, on a loopback address");
    }
    let shutdown = Shutdown::listen(args.until_stdin_closes)?;
    let registry = committee::registry(&config).await?;
    let member = Member::open(config, registry).await?.with_clock(Arc::new(Wrong(args.seconds)));
    let mut running = member.launch().await?;
    tracing::warn!(seconds = args.seconds, "devnet.clock: the clock of this member is wrong on purpose");
    tokio::select! {
        () = shutdown.requested() => Ok(running.stop().await?),
        error = running.failed() => Err(error.into()),
    }
}
