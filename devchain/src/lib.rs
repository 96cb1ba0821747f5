//! The embedded development chain: a real EVM behind JSON-RPC on loopback.
//!
//! The same registry bytecode, the same signed transactions and the same calls as on Ethereum, without an external
//! node: for the demo, for devnets and for tests. It differs from Ethereum where a development chain may:
//!
//! - every valid transaction gets a block of its own at once; nothing waits in a pool, so a nonce gap is refused;
//! - an empty block follows every block time, and `finalized` lags behind the head by a fixed number of blocks;
//! - headers and their hashes are Ethereum's, with real transaction and receipt roots, but the state root is zero;
//! - system contracts (EIP-2935, EIP-4788) are not deployed, and transactions of type 3 and 4 are refused;
//! - blocks made in one second share its time, so that the chain never runs ahead of the clocks of those who read it.

mod accounts;
mod config;
mod error;
mod running;

mod answers;
mod block;
mod calls;
mod chain;
mod evm;
mod log;
mod rpc;
mod server;
mod state;

pub use accounts::DEV_KEYS;
pub use config::{DevChainConfig, Hardfork};
pub use error::Error;
pub use running::DevChain;
