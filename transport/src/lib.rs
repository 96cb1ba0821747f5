//! What both ends of a connection between Holdfast's clients and members share: the settings of channels and servers, TLS
//! (feature `tls`), and bodies in chunks; and how settings are read (feature `configuration`) and durations written in them, and
//! what status pages share (feature `page`); which loopback addresses are free; and where work that blocks runs.
//!
//! # The same on both sides
//!
//! Windows, frames and keep-alive stand once, in [`settings`]: what a client may have in flight is what a member expects.
//!
//! # Nothing in the clear where TLS is asked for
//!
//! [`endpoint`] is the one way from a URL and a pin to a connection: what cannot be as safe as they say is refused.
//!
//! # No peer holds a task
//!
//! Over a [`Fair`] connection, answers without end let others have their turn.
//!
//! # Nothing past the end
//!
//! A [`Body`] takes exactly the bytes that it was made for, and what a peer has only announced costs no memory.

mod blocking;
mod body;
#[cfg(feature = "configuration")]
pub mod configuration;
mod dial;
mod fair;
pub mod human;
mod loopback;
mod network;
#[cfg(feature = "page")]
pub mod page;
pub mod settings;
#[cfg(feature = "tls")]
pub mod tls;
mod trust;

pub use blocking::{block_in_place, blocking};
pub use body::{Body, Misfit, chunks, chunks_of};
pub use dial::{DialError, endpoint};
pub use fair::{Fair, FairBody};
pub use loopback::free_addresses;
pub use network::{Listen, Network, Soon, Stream, connect_lazy};
pub use trust::{MemberKey, Pin, Trust};
