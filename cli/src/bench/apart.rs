//! Client and members in network name spaces of their own, with a line between them that delays and loses packets.
//!
//! The command begins again as itself in a name space that it has alone; a router, a process of its own, has the members' and
//! an interface in each. All of it ends with the processes.

use std::{
    net::{IpAddr, Ipv4Addr},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;

use super::line::Loss;
use crate::{
    devnet::{Network, TUN, wire},
    exit::{Exit, fail},
};

/// What must be there besides root: util-linux and iproute2.
const PROGRAMS: [(&str, &str); 3] = [("unshare", "--version"), ("nsenter", "--version"), ("ip", "-V")];

/// Replaces this process by the same command in a network name space of its own; returns only if that cannot be.
pub(super) fn begin_again() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return fail(
            Exit::Usage,
            "--rtt and --loss need root: client and members get network name spaces with a router between them",
        );
    }
    for (program, argument) in PROGRAMS {
        let mut found = Command::new(program);
        let found = found.arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return fail(Exit::Usage, format!("--rtt and --loss need the command {program:?}, which is not here"));
        }
    }
    if !Path::new(TUN).exists() {
        return fail(Exit::Usage, format!("--rtt and --loss need {}, which this kernel does not have", TUN));
    }
    let itself = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new("unshare");
    command.arg("--net").arg("--").arg(itself).args(std::env::args_os().skip(1)).arg("--apart");
    Err(command.exec()).context("no network name space")
}

/// Starts the router, and says where members are to be started.
pub(super) async fn join(folder: &Path, round_trip: std::time::Duration, loss: Loss) -> anyhow::Result<wire::Wire> {
    wire::start(folder, round_trip / 2, loss.0).await
}

/// Where the members of a line are.
pub(super) fn network(wire: &wire::Wire) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::from(wire::FAR)), through: wire.through() }
}
