//! Where a member listens.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::error::Error;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on an address; on `[::]` for both versions of IP. Must be called within a Tokio runtime.
pub(crate) fn listen(addr: SocketAddr) -> Result<TcpListener, Error> {
    let bound = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        if addr.is_ipv6() {
            // `[::]` is every address, those of IPv4 too, whatever the machine's default (net.ipv6.bindv6only).
            socket2::SockRef::from(&socket).set_only_v6(false)?;
        }
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AddrInUse => Error::InUse { addr },
        _ => Error::Listen { addr, reason: e.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn every_address_means_both_versions_of_ip_whatever_the_machine_s_default() {
        let Ok(listener) = listen("[::]:0".parse().expect("an address")) else {
            // A machine without IPv6.
            assert!(std::net::TcpListener::bind("[::1]:0").is_err());
            return;
        };
        assert!(!socket2::SockRef::from(&listener).only_v6().expect("an option of the socket"));
        let port = listener.local_addr().expect("an address").port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("connected over IPv4");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_said_to_be() {
        let held = listen("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let taken = listen(held.local_addr().expect("an address")).expect_err("taken");
        assert!(matches!(taken, Error::InUse { .. }), "{taken}");
    }
}
