//! A router between two network name spaces that delays and loses packets, as a process of its own.
//!
//! # Real connections
//!
//! Nothing here knows of connections. What the one side's kernel sends is given to the other's, later or not at all; windows,
//! retransmissions and everything else of TCP are the kernels' own.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    process::{self, Launch, ProcessId},
    tun,
};
use crate::{
    exit::{Exit, fail},
    shutdown::Shutdown,
};

/// The client's and the members' addresses (RFC 2544's, which no network has).
pub(crate) const NEAR: [u8; 4] = [198, 18, 0, 1];
pub(crate) const FAR: [u8; 4] = [198, 18, 0, 2];

/// Packets of one direction that are on their way; more are lost.
const ON_THE_WAY: usize = 1 << 16;
/// The longest packet.
const LONGEST: usize = 64 << 10;
/// What the router says when packets go over it.
const READY: &str = "packets are carried";
/// How long that may take.
const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Between whom, and how.
#[derive(Debug, Args)]
pub(crate) struct WireArgs {
    /// A process of the client's network name space; the members' is that of this process.
    #[arg(long)]
    client: u32,
    /// By how many microseconds each packet is late.
    #[arg(long)]
    delay_us: u64,
    /// Of a million packets of each direction, so many are lost.
    #[arg(long)]
    lost_of_a_million: u32,
    /// Stop when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// A router that runs.
#[derive(Debug)]
pub(crate) struct Wire {
    process: ProcessId,
}

/// Starts a router between this process's network name space and one of its own; packets are late by `delay` each way.
pub(crate) async fn start(folder: &Path, delay: Duration, lost_of_a_million: u32) -> anyhow::Result<Wire> {
    let log: PathBuf = folder.join("wire.log");
    let (client, delay, lost) = (std::process::id(), delay.as_micros().to_string(), lost_of_a_million.to_string());
    let client = client.to_string();
    let arguments = ["devnet", "wire", "--client", &client, "--delay-us", &delay, "--lost-of-a-million", &lost];
    let through = ["unshare", "--net", "--"].map(str::to_owned);
    let process = process::start(&Launch { tied: true, through: &through, ..Launch::new(&arguments, &log) })?;
    let deadline = Instant::now() + START_LIMIT;
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains(READY)) {
        if !process.is_running() || Instant::now() > deadline {
            process.kill().await;
            return fail(Exit::Other, format!("no line to the members; {}", process::tail(&log)));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(Wire { process })
}

impl Wire {
    /// The program with arguments that runs a command where the members are.
    pub(crate) fn through(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.process.pid()), "--".to_owned()]
    }

    pub(crate) async fn stop(&self) {
        self.process.stop().await;
    }
}

pub(crate) async fn run(args: WireArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen(args.until_stdin_closes)?;
    let far = tun::make("members", FAR, NEAR).context("no interface for the members")?;
    let near = beside(args.client).context("no interface for the client")?;
    let (delay, lost) = (Duration::from_micros(args.delay_us), args.lost_of_a_million);
    for (from, to, seed) in [(&near, &far, 1), (&far, &near, 2)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        carry(from, to, delay, Lottery::new(lost, seed));
    }
    crate::output::progress(READY);
    shutdown.requested().await;
    Ok(())
}

/// Makes an interface in the network name space of another process.
fn beside(process: u32) -> io::Result<File> {
    // A thread of its own goes there, and ends.
    let made = thread::spawn(move || {
        let place = File::open(format!("/proc/{process}/ns/net"))?;
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&place), Some(LinkNameSpaceType::Network))?;
        tun::make("client", NEAR, FAR)
    });
    made.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes it has ended")))
}

/// Carries packets of one direction for as long as the process lives: one thread takes them, another gives them on.
fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    delay: Duration,
    mut lottery: Lottery,
) {
    let (send, on_the_way) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    thread::spawn(move || {
        let mut packet = vec![0; LONGEST];
        while let Ok(length @ 1..) = from.read(&mut packet) {
            if !lottery.is_lost() {
                // A router whose queue is full loses what comes.
                let _full = send.try_send((Instant::now() + delay, packet[..length].to_vec()));
            }
        }
    });
    thread::spawn(move || {
        for (at, packet) in on_the_way {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            // The other side takes it or does not.
            let _not_taken = to.write(&packet);
        }
    });
}

/// Which packets are lost: the same ones each time, one by one and in no pattern (SplitMix64).
#[derive(Debug)]
struct Lottery {
    state: u64,
    /// A packet is lost whose number is below this.
    below: u64,
}

impl Lottery {
    fn new(of_a_million: u32, seed: u64) -> Self {
        Self { state: seed, below: u64::from(of_a_million.min(1_000_000)) * (u64::MAX / 1_000_000) }
    }

    fn is_lost(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31) < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_packets_are_lost_as_was_said() {
        for (of_a_million, low, high) in [(0, 0, 0), (10_000, 850, 1150), (500_000, 49_000, 51_000)] {
            let mut lottery = Lottery::new(of_a_million, 7);
            let lost = (0..100_000).filter(|_| lottery.is_lost()).count();
            assert!((low..=high).contains(&lost), "{of_a_million}: {lost}");
        }
    }

    #[test]
    fn what_is_carried_comes_whole_in_order_and_late() {
        let (mut from, near) = io::pipe().expect("a pipe");
        let (far, mut to) = io::pipe().expect("a pipe");
        let delay = Duration::from_millis(200);
        let started = Instant::now();
        carry(far, near, delay, Lottery::new(0, 1));
        for byte in 0..100_u8 {
            to.write_all(&[byte]).expect("sent");
        }
        drop(to);
        let mut got = Vec::new();
        from.read_to_end(&mut got).expect("carried");
        assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
        assert_eq!(got, (0..100).collect::<Vec<u8>>());
    }
}
