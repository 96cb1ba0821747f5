//! Where on L1 a key is registered, as the command line says it.

use clap::Args;
use holdfast_certificate::{Address, Domain, Registration};

/// Where on L1 a key is registered, and by whom. Without it the key is for a committee without L1.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RegistrationArgs {
    /// The L1 account that registers the key and sets its endpoint; a proof of possession is good for it alone.
    #[arg(long, requires_all = ["chain_id", "registry"])]
    account: Option<Address>,
    /// The chain of the registry.
    #[arg(long, requires = "account", value_parser = clap::value_parser!(u64).range(1..))]
    chain_id: Option<u64>,
    /// The registry's address.
    #[arg(long, requires = "account")]
    registry: Option<Address>,
}

impl RegistrationArgs {
    /// `None` for a committee without L1.
    pub(crate) fn get(self) -> Option<Registration> {
        let Self { account, chain_id, registry } = self;
        Some(Registration { domain: Domain { chain_id: chain_id?, registry: registry? }, account: account? })
    }
}
