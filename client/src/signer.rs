use std::{error::Error as StdError, fmt::Debug};

use async_trait::async_trait;
use holdfast_certificate::{Address, DisperserKey, DisperserSignature, StatementDigest};

/// What a signer of one's own may fail with.
pub type SignerError = Box<dyn StdError + Send + Sync>;

/// Who signs a namespace's statements: a key in memory ([`DisperserKey`], also from a keystore), or one that never leaves a KMS or an HSM.
///
/// What it is given is an EIP-712 digest, and what it answers is checked: a signature by another account than
/// [`DisperserSigner::address`] is [`Error::Invalid`](crate::Error::Invalid), and nothing is sent.
#[async_trait]
pub trait DisperserSigner: Debug + Send + Sync {
    /// The Ethereum address of the key, which must be a disperser of the namespace.
    fn address(&self) -> Address;

    /// Signs a digest: secp256k1, low `s`, `v` 27 or 28 ([`DisperserSignature::from_bytes`]). A call waits for it until its
    /// own deadline.
    ///
    /// # Errors
    /// Whatever the signer fails with; the call ends with [`Error::Signer`](crate::Error::Signer).
    async fn sign(&self, digest: &StatementDigest) -> Result<DisperserSignature, SignerError>;
}

/// A key in a cloud's key service, or behind any signer of alloy's.
#[cfg(feature = "l1")]
#[async_trait]
impl DisperserSigner for holdfast_l1::KeptKey {
    fn address(&self) -> Address {
        self.address()
    }

    async fn sign(&self, digest: &StatementDigest) -> Result<DisperserSignature, SignerError> {
        Ok(self.sign(digest.as_bytes()).await?)
    }
}

#[async_trait]
impl DisperserSigner for DisperserKey {
    fn address(&self) -> Address {
        self.address()
    }

    async fn sign(&self, digest: &StatementDigest) -> Result<DisperserSignature, SignerError> {
        Ok(self.sign(digest))
    }
}
