//! `holdfast devnet`: a whole committee with its L1 on this machine, and faults to try it with.

mod clock;
mod fault;
mod full;
mod gateway;
mod l1;
mod line;
pub(crate) mod process;
pub(crate) mod state;
mod status;
mod tun;
pub(crate) mod up;
pub(crate) mod wire;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use fault::Order;
pub(crate) use fault::{Fault, break_member, mend};
pub(crate) use state::{Layout, State};
pub(crate) use tun::TUN;

use crate::{
    exit::{Exit, fail},
    output::{Output, progress},
    shutdown::Shutdown,
    times,
};

/// Run a committee on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Devnet {
    /// Start a devnet, or start again one that was stopped; returns when every member serves.
    ///
    /// Example: holdfast devnet up --members 7 -t 6 -k 2
    Up(UpArgs),
    /// Show its processes and what each member says of itself.
    ///
    /// Example: holdfast devnet status
    Status(DirArgs),
    /// Stop every process; the data stays, and `up` starts it again.
    ///
    /// Example: holdfast devnet down
    Down(DownArgs),
    /// Break one member, and undo it.
    ///
    /// crash: SIGKILL. silent: SIGSTOP. slow=2s: all that it sends comes so much later. wrong-shard: it serves other bytes and
    /// believes in them. bitflip: a bit of each stored shard is flipped on its disk. disk-full: its disk has no room (needs a
    /// system that lets users mount in a name space of their own). clock=+30d, clock=-1h: its clock is wrong. none: undo all.
    ///
    /// Example: holdfast devnet fault m3 slow=2s --for 60s
    Fault(FaultArgs),
    /// Start members that crashed, and undo the faults of all that are named.
    ///
    /// Example: holdfast devnet heal m0 m3
    Heal(HealArgs),
    /// The embedded L1, in the foreground; `up` runs this.
    #[command(hide = true)]
    L1(l1::L1Args),
    /// A slow line to a member, in the foreground; `fault` runs this.
    #[command(hide = true)]
    Line(line::LineArgs),
    /// A router that delays and loses packets, in the foreground; `bench` runs this.
    #[command(hide = true)]
    Wire(wire::WireArgs),
    /// A member whose clock is wrong, in the foreground; `fault` runs this.
    #[command(hide = true)]
    Clock(clock::ClockArgs),
}

/// Where the devnet is.
#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The devnet's folder.
    #[arg(long, default_value = "holdfast-devnet")]
    dir: PathBuf,
}

/// How large a committee, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// The devnet's folder; made if absent.
    #[arg(long, default_value = "holdfast-devnet")]
    pub(crate) dir: PathBuf,
    /// Members (n): 3 to 126, with an L1 at most 94; 7 if absent.
    #[arg(long)]
    pub(crate) members: Option<u16>,
    /// Signatures needed (t); the default for this n if absent.
    #[arg(short = 't', long)]
    pub(crate) threshold: Option<u16>,
    /// Original shards (k); the default for this n if absent.
    #[arg(short = 'k', long)]
    pub(crate) original_shards: Option<u16>,
    /// Where the registry is; embedded if absent.
    #[arg(long, value_enum)]
    pub(crate) l1: Option<L1Kind>,
    /// Also run a gateway that serves these protocols, separated by commas; only for a new devnet.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROTOCOL")]
    pub(crate) gateway: Vec<state::Protocol>,
    /// Members that speak TLS, each with a key of its own that is pinned: m0,m2, or all; only for a new devnet.
    #[arg(long, value_delimiter = ',', value_name = "MEMBERS")]
    pub(crate) tls: Vec<String>,
    /// Another network than this machine's loopback.
    #[arg(skip)]
    pub(crate) network: Option<Network>,
}

/// Where members are that are reached over a network of their own.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Where they listen.
    pub(crate) address: IpAddr,
    /// The program with arguments that runs a command there.
    pub(crate) through: Vec<String>,
}

impl UpArgs {
    /// Refuses another committee than the devnet has.
    fn check(&self, state: &State) -> anyhow::Result<()> {
        let members = u16::try_from(state.members.len()).unwrap_or(u16::MAX);
        let l1 = if state.l1.is_some() { L1Kind::Embedded } else { L1Kind::None };
        let differs = self.members.is_some_and(|wanted| wanted != members)
            || self.threshold.is_some_and(|wanted| wanted != state.threshold)
            || self.original_shards.is_some_and(|wanted| wanted != state.original_shards)
            || self.l1.is_some_and(|wanted| wanted != l1)
            || (!self.tls.is_empty()
                && state.members.iter().any(|it| it.tls_pin.is_some() != self.speaks_tls(it.slot)))
            || !(self.gateway.is_empty() || state.gateway.as_ref().is_some_and(|it| it.serves(&self.gateway)));
        if differs {
            let l1 = if state.l1.is_some() { "an embedded L1" } else { "no L1" };
            let (t, k) = (state.threshold, state.original_shards);
            return fail(
                Exit::Usage,
                format!(
                    "the devnet in {} has {members} members, threshold {t}, {k} original shards and {l1}, which cannot be \
                     changed; another one needs another --dir",
                    self.dir.display()
                ),
            );
        }
        Ok(())
    }

    /// Whether the member of this slot is to speak TLS.
    fn speaks_tls(&self, slot: u16) -> bool {
        self.tls.iter().any(|name| name == "all" || name.trim_start_matches('m').parse() == Ok(slot))
    }

    /// Refuses names of members that there will not be.
    fn check_tls(&self, members: u16) -> anyhow::Result<()> {
        let known =
            |name: &str| name == "all" || name.trim_start_matches('m').parse::<u16>().is_ok_and(|it| it < members);
        match self.tls.iter().find(|name| !known(name)) {
            Some(name) => {
                fail(Exit::Usage, format!("--tls names {name:?}, expected all, or members from m0 to m{}", members - 1))
            }
            None => Ok(()),
        }
    }
}

/// The L1 of a devnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum L1Kind {
    /// An embedded development chain.
    #[default]
    Embedded,
    /// No L1: the committee is in a file (chain id 0).
    None,
}

/// What to stop.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    dir: DirArgs,
    /// Also remove the devnet's folder, with everything the members store.
    #[arg(long)]
    remove: bool,
}

/// Which member to break, and how.
#[derive(Debug, Args)]
pub(crate) struct FaultArgs {
    /// The member: m0, m1, ...
    member: String,
    /// What happens to it: crash, silent, slow=2s, wrong-shard, bitflip, disk-full, clock=+30d; or none, to undo all.
    fault: Order,
    /// Only this blob's shard (wrong-shard, bitflip); every blob it holds if absent.
    #[arg(long)]
    blob: Option<String>,
    /// Undo it after so long, or when this command is interrupted; it stays until then, and the command with it.
    #[arg(long = "for", value_name = "SPAN", value_parser = times::parse_span)]
    span: Option<Duration>,
    #[command(flatten)]
    dir: DirArgs,
}

/// Which members to mend.
#[derive(Debug, Args)]
pub(crate) struct HealArgs {
    /// Members: m0 m1 ...; all that are down if none is named.
    members: Vec<String>,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Broken {
    member: String,
    done: String,
    /// What was undone, with `--for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    undone: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Healed {
    started: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stopped {
    members: usize,
    removed: bool,
}

pub(crate) async fn run(command: Devnet, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    match command {
        Devnet::Up(args) => up_command(&args, output).await,
        Devnet::Status(args) => {
            let layout = Layout::new(&args.dir);
            status::print(&layout, &State::load(&layout)?, output).await
        }
        Devnet::Down(args) => down_command(&args, output).await,
        Devnet::Fault(args) => fault_command(args, output).await,
        Devnet::Heal(args) => {
            let layout = Layout::new(&args.dir.dir);
            let mut state = State::load(&layout)?;
            let mut started = Vec::new();
            let named = !args.members.is_empty();
            let names = if args.members.is_empty() {
                state.members.iter().map(state::Member::name).collect()
            } else {
                args.members
            };
            for name in &names {
                let member = state.member_mut(name)?;
                if !member.is_running() || named && !member.faults.is_empty() {
                    fault::mend(&layout, &mut state, name).await?;
                    started.push(name.clone());
                }
            }
            output.print(&Healed { started }, |healed| match healed.started.as_slice() {
                [] => "nothing to start: running already".to_owned(),
                names => format!("running again: {}", names.join(" ")),
            })
        }
        Devnet::L1(args) => l1::run(args).await,
        Devnet::Line(args) => line::run(args).await,
        Devnet::Wire(args) => wire::run(args).await,
        Devnet::Clock(args) => clock::run(config, args).await,
    }
}

async fn up_command(args: &UpArgs, output: Output) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(false)?;
    let layout = Layout::new(&args.dir);
    let state = if layout.state().exists() {
        let mut state = State::load(&layout)?;
        args.check(&state)?;
        if state.is_running() {
            progress(format!("the devnet in {} is running already", args.dir.display()));
        } else {
            progress("starting the devnet again, with its data");
            up::restart(&layout, &mut state, false, &shutdown).await?;
        }
        state
    } else {
        up::create(&layout, args, false, &shutdown).await?
    };
    output.print(&state, |state| {
        let mut text = format!(
            "{} members up, threshold {}, {} original shards\n",
            state.members.len(),
            state.threshold,
            state.original_shards
        );
        if let Some(l1) = &state.l1 {
            text += &format!("L1        {} (chain id {}), registry {}\n", l1.url(), l1.chain_id, l1.registry);
        }
        if let Some(gateway) = &state.gateway {
            text += &format!("gateway   {}\n", gateway.addresses());
        }
        let config = args.dir.join("client.toml");
        text + &format!(
            "namespace {}\nconfig    {}\n\ntry: holdfast put FILE --config {1}",
            state.namespace,
            config.display()
        )
    })
}

/// Breaks a member or mends it; with `--for`, stays until it is mended.
async fn fault_command(args: FaultArgs, output: Output) -> anyhow::Result<()> {
    let layout = Layout::new(&args.dir.dir);
    let mut state = State::load(&layout)?;
    let fault = match args.fault {
        Order::Make(fault) => fault,
        Order::None if args.span.is_some() || args.blob.is_some() => {
            return fail(Exit::Usage, "none undoes all faults of a member, at once");
        }
        Order::None => {
            let done = fault::mend(&layout, &mut state, &args.member).await?;
            let mended = Broken { member: args.member, done, undone: None };
            return output.print(&mended, |mended| mended.done.clone());
        }
    };
    // Listened for before anything is broken: an interrupt undoes it.
    let shutdown = args.span.map(|_| Shutdown::listen(false)).transpose()?;
    let done = break_member(&layout, &mut state, &args.member, fault, args.blob.as_deref()).await?;
    let (Some(span), Some(shutdown)) = (args.span, shutdown) else {
        let broken = Broken { member: args.member, done, undone: None };
        return output.print(&broken, |broken| broken.done.clone());
    };
    if let Some(active) = state.member_mut(&args.member)?.faults.last_mut() {
        active.until = Some(times::now().saturating_add(span.as_secs()));
    }
    state.save(&layout)?;
    progress(format!("{done}; for {}", humantime::format_duration(span)));
    tokio::select! {
        () = tokio::time::sleep(span) => {}
        () = shutdown.requested() => {}
    }
    // Others may have changed the devnet meanwhile.
    let mut state = State::load(&layout)?;
    let undone = match state.is_running() {
        true => fault::mend(&layout, &mut state, &args.member).await?,
        false => "the devnet is down".to_owned(),
    };
    let mended = Broken { member: args.member, done, undone: Some(undone) };
    output.print(&mended, |mended| mended.undone.clone().unwrap_or_default())
}

async fn down_command(args: &DownArgs, output: Output) -> anyhow::Result<()> {
    let layout = Layout::new(&args.dir.dir);
    let mut state = State::load(&layout)?;
    up::stop(&layout, &mut state).await?;
    let broken = state.members.iter().filter(|member| !member.faults.is_empty()).map(state::Member::name);
    for name in broken.collect::<Vec<_>>() {
        fault::undo(&layout, &mut state, &name).await?;
    }
    if args.remove {
        std::fs::remove_dir_all(layout.dir())?;
    }
    let stopped = Stopped { members: state.members.len(), removed: args.remove };
    output.print(&stopped, |stopped| {
        format!("{} members stopped{}", stopped.members, if stopped.removed { ", data removed" } else { "" })
    })
}
