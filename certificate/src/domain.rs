//! The EIP-712 domain: which chain and which registry contract a signature is for.

use holdfast_erasure::{Digest, keccak256};
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// The domain's type, as EIP-712 writes it.
const TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
/// The domain's name.
const NAME: &str = "Holdfast";
/// The domain's version.
const VERSION: &str = "1";

/// The chain and contract that statements are bound to, so that none is worth anything on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Domain {
    /// The chain's id; zero for a committee without L1.
    pub chain_id: u64,
    /// The registry contract; for a committee without L1, derived from the committee's canonical bytes.
    pub registry: Address,
}

impl Domain {
    /// The EIP-712 domain separator: `hashStruct` of the domain.
    #[must_use]
    pub fn separator(&self) -> Digest {
        let mut encoded = [0; 5 * 32];
        for (word, value) in encoded.chunks_exact_mut(32).zip([
            *keccak256(TYPE.as_bytes()).as_bytes(),
            *keccak256(NAME.as_bytes()).as_bytes(),
            *keccak256(VERSION.as_bytes()).as_bytes(),
            word_of(self.chain_id),
            self.registry.word(),
        ]) {
            word.copy_from_slice(&value);
        }
        keccak256(&encoded)
    }
}

/// An integer as an EVM word: big-endian, with leading zeros.
pub(crate) fn word_of(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}
