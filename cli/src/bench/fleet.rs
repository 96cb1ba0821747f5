//! The members that a bench starts and stops by itself, each a process of its own.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{BenchArgs, apart};
use crate::{
    devnet::{self, L1Kind, Layout, State, UpArgs, break_member, mend, up, wire::Wire},
    output::progress,
    shutdown::Shutdown,
};

/// What one member does while the others are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// It is gone: connections to it are refused.
    Down,
    /// It is stopped: connections to it are taken, and never answered.
    Hung,
    /// It gives out other bytes than those it was given to keep, and believes in them.
    Corrupt,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Hung => "hung",
            Self::Corrupt => "corrupt",
        }
    }
}

/// A devnet in a folder of its own, without an L1.
#[derive(Debug)]
pub(super) struct Fleet {
    layout: Layout,
    state: State,
    /// Removed with everything in it when the bench ends.
    _folder: TempDir,
    hung: Option<Pid>,
    /// A member that is to be corrupt whenever something is read.
    corrupt: Option<String>,
    wire: Option<Wire>,
}

impl Fleet {
    pub(super) async fn start(args: &BenchArgs, members: u16, shutdown: &Shutdown) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("holdfast-bench-");
        let folder = match &args.dir {
            Some(dir) => builder.tempdir_in(dir),
            None => builder.tempdir(),
        };
        let folder = folder.context("no folder for the members")?;
        let layout = Layout::new(&folder.path().join("devnet"));
        let wire = match args.line() {
            Some(_) => {
                let (round_trip, loss) = (args.rtt.unwrap_or_default(), args.loss.unwrap_or_default());
                Some(apart::join(folder.path(), round_trip, loss).await?)
            }
            None => None,
        };
        let up = UpArgs {
            dir: layout.dir().to_owned(),
            members: Some(members),
            threshold: args.threshold,
            original_shards: args.original_shards,
            l1: Some(L1Kind::None),
            gateway: Vec::new(),
            tls: if args.tls { vec!["all".to_owned()] } else { Vec::new() },
            network: wire.as_ref().map(apart::network),
        };
        let created = up::create(&layout, &up, true, shutdown).await;
        let state = match (created, &wire) {
            (Err(error), Some(wire)) => {
                wire.stop().await;
                return Err(error);
            }
            (created, _) => created?,
        };
        let mut fleet = Self { layout, state, _folder: folder, hung: None, corrupt: None, wire };
        if let Some(fault) = args.fault
            && let Err(error) = fleet.break_last(fault).await
        {
            fleet.stop().await?;
            return Err(error);
        }
        Ok(fleet)
    }

    pub(super) fn client_config(&self) -> PathBuf {
        self.layout.client_config()
    }

    pub(super) fn shape(&self) -> (usize, u16, u16) {
        (self.state.members.len(), self.state.threshold, self.state.original_shards)
    }

    /// The members that run.
    pub(super) fn processes(&self) -> Vec<i32> {
        self.state.members.iter().filter_map(|member| member.process.as_ref()).map(|process| process.pid()).collect()
    }

    /// Stops every member, and removes what they stored.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.hung {
            // It hears nothing until it goes on.
            kill_process(pid, Signal::CONT).context("a member that was stopped cannot go on")?;
        }
        let stopped = up::stop(&self.layout, &mut self.state).await;
        if let Some(wire) = &self.wire {
            wire.stop().await;
        }
        stopped
    }

    /// Undoes [`Self::corrupt`], so that it can be stored to.
    pub(super) async fn whole(&mut self) -> anyhow::Result<()> {
        if let Some(name) = self.corrupt.clone() {
            mend(&self.layout, &mut self.state, &name).await?;
        }
        Ok(())
    }

    /// The member that is to be corrupt gives out other bytes for all that it holds.
    pub(super) async fn corrupt(&mut self) -> anyhow::Result<()> {
        if let Some(name) = self.corrupt.clone() {
            progress(break_member(&self.layout, &mut self.state, &name, devnet::Fault::WrongShard, None).await?);
        }
        Ok(())
    }

    async fn break_last(&mut self, fault: Fault) -> anyhow::Result<()> {
        let last = self.state.members.last_mut().context("a devnet has members")?;
        progress(format!("{} is {}", last.name(), fault.name()));
        match (fault, &last.process) {
            (Fault::Down, Some(process)) => {
                process.kill().await;
                last.process = None;
            }
            (Fault::Hung, Some(process)) => {
                let pid = Pid::from_raw(process.pid()).context("a process id")?;
                kill_process(pid, Signal::STOP).context("a member cannot be stopped")?;
                self.hung = Some(pid);
            }
            (Fault::Corrupt, Some(_)) => self.corrupt = Some(last.name()),
            (_, None) => {}
        }
        Ok(())
    }
}
