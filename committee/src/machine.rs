//! The machine under a member: this one, or in a simulation one that is brought.

use std::{net::SocketAddr, sync::Arc};

use holdfast_transport::{Listen, Network};
use tokio::net::TcpListener;

use crate::{error::Error, listen::listen, store::engine};

/// What a member stands on in a simulation, in the place of its machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The network to peers and from them.
    pub network: Arc<dyn Network>,
    /// The disk of its store.
    pub disk: Arc<dyn engine::Disk>,
}

/// Where a member is connected to.
pub(crate) enum Door {
    Tcp(TcpListener),
    Other(Box<dyn Listen>),
}

/// Listens at an address, on that machine if there is one; gives the address that it came to.
///
/// # Errors
///
/// [`Error::Listen`], [`Error::InUse`].
pub(crate) async fn door(addr: SocketAddr, machine: Option<&Machine>) -> Result<(Door, SocketAddr), Error> {
    let failed = |e: std::io::Error| Error::Listen { addr, reason: e.to_string() };
    match machine {
        None => {
            let listener = listen(addr)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok((Door::Tcp(listener), bound))
        }
        Some(machine) => Ok((Door::Other(machine.network.listen(addr).await.map_err(failed)?), addr)),
    }
}
