//! A committee of real members in one process: real gRPC on loopback, real stores that sync before they sign, in a temporary
//! folder. For the tests of whoever builds on Holdfast, and for benchmarks. Members can be stopped, started again at the same
//! address, and, while they are stopped, damaged (`holdfast_committee::fault`); lines to them can be slowed, silenced and cut.
//!
//! ```no_run
//! use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
//! use holdfast_testing::Committee;
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let mut committee = Committee::start().await?;
//! let client = Client::builder()
//!     .registry(committee.registry())
//!     .namespace(committee.namespace())
//!     .disperser(committee.disperser())
//!     .build()?;
//! let put = client.disperse("a batch", DisperseOptions::by_shard()).await?;
//! client.drain().await;
//!
//! // The worst day: as many are gone as may be.
//! for slot in [0, 3, 4] {
//!     committee.stop(slot).await?;
//! }
//! assert_eq!(client.retrieve(&put.certificate, RetrieveOptions::default()).await?.payload, "a batch");
//! # Ok(())
//! # }
//! ```

mod chromium;
mod committee;
mod line;

pub use chromium::{Browser, installed, skipped};
pub use committee::{Committee, Error, Setup};
pub use line::Line;
