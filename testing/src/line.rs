//! Lines to members that can be slowed, silenced and cut.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// Bytes that are passed on at once.
const PART: usize = 64 << 10;

/// How the line to a member behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// What is sent comes through.
    Good,
    /// Nothing comes through, and nobody says so.
    Silent,
    /// Each part that is sent waits so long.
    Slow(Duration),
    /// Connections are cut.
    Cut,
}

/// A line to one member: what clients connect to in its place. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Front {
    address: SocketAddr,
    mode: watch::Sender<Line>,
    task: AbortHandle,
}

impl Front {
    /// A good line to the member at `far`.
    pub(crate) async fn to(far: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, seen) = watch::channel(Line::Good);
        let task = tokio::spawn(carry(listener, far, seen)).abort_handle();
        Ok(Self { address, mode, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, line: Line) {
        self.mode.send_replace(line);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(front: TcpListener, member: SocketAddr, mode: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = front.accept().await else { continue };
        // What has ended is not kept.
        while connections.try_join_next().is_some() {}
        let mode = mode.clone();
        connections.spawn(async move {
            let Ok(far) = TcpStream::connect(member).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let mut cut = mode.clone();
            tokio::select! {
                () = pump(near_in, far_out, mode.clone()) => {}
                () = pump(far_in, near_out, mode) => {}
                _ = cut.wait_for(|line| *line == Line::Cut) => {}
            }
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Line>) {
    let mut buffer = vec![0; PART];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let line = *mode.borrow();
        match line {
            Line::Good => {}
            Line::Slow(by) => tokio::time::sleep(by).await,
            Line::Silent => drop(mode.wait_for(|line| *line != Line::Silent).await),
            Line::Cut => return,
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
