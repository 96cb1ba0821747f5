//! What both ends of a connection between Holdfast's clients and members share: the settings of channels and servers, and
//! bodies in chunks.
//!
//! # The same on both sides
//!
//! Windows, frames and keep-alive stand once, in [`settings`]: what a client may have in flight is what a member expects.
//!
//! # Nothing past the end
//!
//! A [`Body`] takes exactly the bytes that it was made for, and what a peer has only announced costs no memory.

mod body;
pub mod settings;

pub use body::{Body, Misfit, chunks, chunks_of};
