//! Loopback addresses for processes that are yet to be started: devnets, benches, tests.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

/// Below the ports that systems give to outgoing connections (from 32768 on Linux, from 49152 elsewhere): none of these takes
/// one before whoever is to listen on it does.
const PORTS: Range<u16> = 10_240..32_768;

/// As many different addresses that nothing listens on. Where the search begins is left to chance, so that others who search at
/// the same time find others.
///
/// # Errors
///
/// [`io::ErrorKind::AddrInUse`] where there are not so many.
pub fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let ports: Vec<u16> = PORTS.collect();
    let chance = RandomState::new().build_hasher().finish() % ports.len() as u64;
    let begin = usize::try_from(chance).unwrap_or_default();
    // All are held at once, so that they differ.
    let held: Vec<TcpListener> = ports[begin..]
        .iter()
        .chain(&ports[..begin])
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).ok())
        .take(count)
        .collect();
    if held.len() < count {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("fewer than {count} ports are free")));
    }
    held.iter().map(TcpListener::local_addr).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_are_free_and_none_that_an_outgoing_connection_gets() {
        let addresses = free_addresses(50).expect("ports");
        let held: Vec<_> = addresses.iter().map(|address| TcpListener::bind(address).expect("free")).collect();
        assert_eq!(held.len(), 50);
        assert!(addresses.iter().all(|address| PORTS.contains(&address.port())));
        // What somebody listens on is no answer.
        let others = free_addresses(50).expect("ports");
        assert!(others.iter().all(|address| !addresses.contains(address)));
        assert!(free_addresses(PORTS.len() + 1).is_err());
    }
}
