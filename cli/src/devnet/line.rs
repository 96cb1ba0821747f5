//! A slow line to a member, as a process of its own: what the member sends comes later, what it is sent comes at once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until},
};

use super::{
    process::{self, Launch, ProcessId},
    state::Layout,
};
use crate::{
    exit::{Exit, fail},
    shutdown::Shutdown,
};

/// Connections at once; more wait.
const MOST: usize = 512;
/// Bytes that are taken at once.
const CHUNK: usize = 64 << 10;
/// Chunks of one connection that are on their way.
const ON_THE_WAY: usize = 256;

/// Where the line begins and ends.
#[derive(Debug, Args)]
pub(crate) struct LineArgs {
    /// A loopback address.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the member listens: a loopback address.
    #[arg(long)]
    to: SocketAddr,
    /// By how many milliseconds it is slow.
    #[arg(long)]
    delay_ms: u64,
    /// Stop when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Starts the line of a member.
pub(super) fn start(
    layout: &Layout,
    name: &str,
    listen: &str,
    to: &str,
    delay: Duration,
    tied: bool,
) -> anyhow::Result<ProcessId> {
    let delay = delay.as_millis().to_string();
    let arguments = ["devnet", "line", "--listen", listen, "--to", to, "--delay-ms", &delay];
    process::start(&Launch { tied, ..Launch::new(&arguments, &layout.log(&format!("{name}-line"))) })
}

pub(crate) async fn run(args: LineArgs) -> anyhow::Result<()> {
    if !(args.listen.ip().is_loopback() && args.to.ip().is_loopback()) {
        return fail(Exit::Usage, "a slow line is for devnets: both its ends must be loopback addresses");
    }
    let shutdown = Shutdown::listen(args.until_stdin_closes)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let places = Arc::new(Semaphore::new(MOST));
    let serve = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let Ok((near, _)) = listener.accept().await else { continue };
            tokio::spawn(async move {
                let _place = place;
                // A line that breaks is a line that breaks.
                let _broken = carry(near, args.to, Duration::from_millis(args.delay_ms)).await;
            });
        }
    };
    tokio::select! {
        () = shutdown.requested() => {}
        () = serve => {}
    }
    Ok(())
}

async fn carry(near: TcpStream, to: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let asked = late(near_read, far_write, Duration::ZERO);
    let answered = late(far_read, near_write, delay);
    tokio::try_join!(asked, answered).map(drop)
}

/// Carries what comes, each piece `delay` after it came.
async fn late(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) -> std::io::Result<()> {
    let (send, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let take = async move {
        loop {
            let mut piece = vec![0; CHUNK];
            let read = from.read(&mut piece).await?;
            piece.truncate(read);
            if read == 0 || send.send((Instant::now() + delay, piece)).await.is_err() {
                return std::io::Result::Ok(());
            }
        }
    };
    let give = async {
        while let Some((at, piece)) = on_the_way.recv().await {
            sleep_until(at).await;
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(take, give).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_over_a_slow_line_comes_whole_in_order_and_late() {
        let (mut near, line_near) = tokio::io::duplex(1 << 20);
        let (line_far, mut far) = tokio::io::duplex(1 << 20);
        let delay = Duration::from_millis(300);
        let carried = tokio::spawn(late(line_near, line_far, delay));
        let started = Instant::now();
        let sent: Vec<u8> = (0..200_000u32).flat_map(u32::to_be_bytes).collect();
        near.write_all(&sent).await.expect("sent");
        near.shutdown().await.expect("ended");
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.expect("read");
        assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
        assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
        carried.await.expect("no panic").expect("carried");
    }
}
