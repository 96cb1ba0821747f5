//! Interfaces whose packets a program carries (`/dev/net/tun`, Documentation/networking/tuntap.rst of Linux).

use std::{
    fs::File,
    io,
    net::Ipv4Addr,
    os::fd::AsFd,
    process::{Command, Stdio},
};

use rustix::ioctl::{Setter, ioctl, opcode};

/// Where interfaces of programs are made.
pub(crate) const TUN: &str = "/dev/net/tun";

/// Whole IP packets without anything before them: `IFF_TUN | IFF_NO_PI` (linux/if_tun.h).
const PACKETS_ALONE: i16 = 0x0001 | 0x1000;
/// Packets that wait to be read: more than come while the reader has no turn.
const QUEUE: &str = "10000";

/// What `TUNSETIFF` takes: `struct ifreq` (linux/if.h), of which it reads name and flags.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// Makes an interface in the network name space of this thread, which is gone when the file is closed.
pub(super) fn make(name: &str, own: [u8; 4], other: [u8; 4]) -> io::Result<File> {
    let file = File::options().read(true).write(true).open(TUN)?;
    let mut request = Request { name: [0; 16], flags: PACKETS_ALONE, rest: [0; 22] };
    // The last byte stays zero.
    request.name.iter_mut().take(15).zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    attach(&file, request)?;
    let (own, other) = (Ipv4Addr::from(own).to_string(), Ipv4Addr::from(other).to_string());
    run(&["link", "set", "lo", "up"])?;
    run(&["address", "add", &own, "peer", &other, "dev", name])?;
    run(&["link", "set", name, "txqueuelen", QUEUE, "up"])?;
    Ok(file)
}

#[expect(unsafe_code, reason = "the one call that there is no safe function for")]
fn attach(file: &File, request: Request) -> io::Result<()> {
    /// `TUNSETIFF`, which takes an interface although its number says `int`.
    const ATTACH: u32 = opcode::write::<i32>(b'T', 202);
    // SAFETY: the number is that of TUNSETIFF, which reads a `struct ifreq` of 40 bytes, as `Request` is laid out, and writes no
    // more than its name; `Setter` gives it a copy that lives until the call has ended.
    unsafe { ioctl(file.as_fd(), Setter::<ATTACH, Request>::new(request)) }.map_err(io::Error::from)
}

fn run(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())))
}
