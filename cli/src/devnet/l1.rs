//! The embedded L1 as a process of its own.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use holdfast_devchain::{DevChain, DevChainConfig};

use crate::shutdown::Shutdown;

/// The chain id of every devnet, the one development chains customarily have.
pub(crate) const CHAIN_ID: u64 = 31337;

/// Where the chain listens and keeps its blocks.
#[derive(Debug, Args)]
pub(crate) struct L1Args {
    /// A loopback address.
    #[arg(long)]
    listen: SocketAddr,
    /// File of blocks, replayed at start.
    #[arg(long)]
    state: PathBuf,
    /// Stop when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

pub(crate) async fn run(args: L1Args) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(args.until_stdin_closes)?;
    let chain = DevChain::start(DevChainConfig {
        listen: args.listen,
        chain_id: CHAIN_ID,
        state_file: Some(args.state),
        ..DevChainConfig::default()
    })
    .await?;
    shutdown.requested().await;
    chain.stop().await;
    Ok(())
}
