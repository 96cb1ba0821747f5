//! The socket on which a member takes its operator's orders (`admin_socket`): a Unix socket that only the member's own user may
//! connect to.
//!
//! One order a connection: a line of JSON, and a line of JSON in answer. `{"do": "status"}` is answered with
//! `{"ok": {"drained": false, ...}}`, what cannot be done with `{"error": "..."}`.

mod call;
mod listen;

pub use call::{Answer, Order, State, ask};
pub(crate) use listen::Listener;
