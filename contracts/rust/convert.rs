//! The few values that have one type here and another in `alloy`.

use alloy::primitives::{self, B256};
use holdfast_certificate::{Address, PublicKey};

/// Our address as alloy's.
#[must_use]
pub fn address_out(address: Address) -> primitives::Address {
    primitives::Address::from(address.to_bytes())
}

/// Alloy's address as ours.
#[must_use]
pub fn address_in(address: primitives::Address) -> Address {
    Address::from(address.into_array())
}

/// How the registry names a key: keccak256 of its EIP-2537 form.
#[must_use]
pub fn key_id(key: &PublicKey) -> B256 {
    B256::from(*key.id().as_bytes())
}

/// The name before the parenthesis of a signature.
#[must_use]
pub fn function_name(signature: &'static str) -> &'static str {
    signature.split('(').next().unwrap_or(signature)
}
