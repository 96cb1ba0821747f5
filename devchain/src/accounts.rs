//! The well-known accounts that every development chain funds.

use alloy::{
    primitives::{Address, U256},
    signers::local::PrivateKeySigner,
};

/// The secret keys of the first ten accounts of the mnemonic `test test test test test test test test test test
/// test junk`, which anvil and Hardhat fund too. Everybody knows them: never use them on a real chain.
pub const DEV_KEYS: [[u8; 32]; 10] = [
    key("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    key("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    key("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    key("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    key("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    key("8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    key("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    key("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    key("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    key("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
];

/// What each account owns in the first block: 10,000 ether, in wei.
pub(super) fn dev_balance() -> U256 {
    U256::from(10_000_000_000_000_000_000_000u128)
}

/// The addresses of [`DEV_KEYS`], in order.
pub(super) fn dev_addresses() -> impl Iterator<Item = Address> {
    DEV_KEYS
        .iter()
        .map(|key| PrivateKeySigner::from_slice(key).expect("the constants above are valid secp256k1 keys").address())
}

const fn key(hex: &str) -> [u8; 32] {
    match alloy::primitives::hex::const_decode_to_array(hex.as_bytes()) {
        Ok(key) => key,
        Err(_) => panic!("a key is 64 hex digits"),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::address;

    use super::*;

    #[test]
    fn addresses_are_the_ones_that_anvil_prints() {
        let addresses: Vec<_> = dev_addresses().collect();
        assert_eq!(addresses[0], address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(addresses[9], address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"));
    }
}
