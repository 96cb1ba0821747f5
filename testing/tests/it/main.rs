//! Real members with their stores on disk: the client against them, their page, and a committee that takes over. One program:
//! what they are made of is compiled once.

#![allow(clippy::unwrap_used)]

mod members;
mod page;
mod rotation;
