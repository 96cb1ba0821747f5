//! The account that pays: a secp256k1 key in memory, in a keystore, or in a cloud's key service.

use std::{fmt, sync::Arc};

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    network::TxSigner,
    primitives::{self, Signature},
    signers::local::PrivateKeySigner,
};
use holdfast_certificate::{Address, keystore};
use holdfast_contracts::address_in;

use crate::{error::Error as L1Error, publisher::error::Error};

/// An account on L1 and what signs its transactions.
#[derive(Clone)]
pub struct Account {
    signer: Arc<dyn TxSigner<Signature> + Send + Sync>,
}

impl Account {
    /// The account of a secp256k1 secret key.
    ///
    /// # Errors
    /// [`L1Error::Invalid`](crate::Error::Invalid) when it is no such key.
    pub fn from_key(key: &[u8; 32]) -> Result<Self, Error> {
        let signer = PrivateKeySigner::from_slice(key).map_err(|_| L1Error::Invalid {
            what: "account key",
            reason: "expected a secp256k1 secret key, 1 to the group order".to_owned(),
        })?;
        Ok(Self::from_signer(signer))
    }

    /// The account of a key in a keystore file's JSON: Web3 Secret Storage (version 3, as geth, clef and Foundry write) or
    /// ERC-2335 (version 4). Takes about a second and up to 256 MiB.
    ///
    /// # Errors
    /// [`L1Error::Invalid`](crate::Error::Invalid) for another format, a wrong password or damage.
    pub fn from_keystore(json: &str, password: &str) -> Result<Self, Error> {
        let invalid = |reason: String| L1Error::Invalid { what: "account keystore", reason };
        let secret = keystore::decrypt_any(json, password).map_err(|error| invalid(error.to_string()))?;
        Self::from_key(&secret)
    }

    /// The account of anything that signs transactions, such as alloy's hardware and remote signers.
    #[must_use]
    pub fn from_signer(signer: impl TxSigner<Signature> + Send + Sync + 'static) -> Self {
        Self { signer: Arc::new(signer) }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        address_in(self.signer_address())
    }

    pub(crate) fn signer_address(&self) -> primitives::Address {
        self.signer.address()
    }

    /// Signs, and checks what came back: a key service answers from afar.
    pub(crate) async fn sign(&self, mut transaction: TxEip1559) -> Result<TxEnvelope, Error> {
        let failed = |reason: String| Error::Signer { account: self.address(), reason };
        let signature =
            self.signer.sign_transaction(&mut transaction).await.map_err(|error| failed(error.to_string()))?;
        let signer = signature.recover_address_from_prehash(&transaction.signature_hash());
        if signer.ok() != Some(self.signer_address()) {
            return Err(failed("the signature is of another key".to_owned()));
        }
        Ok(transaction.into_signed(signature).into())
    }
}

#[cfg(feature = "signer-aws")]
impl Account {
    /// The account of a key in AWS KMS (`ECC_SECG_P256K1`, `SIGN_VERIFY`), with region and credentials from the environment.
    ///
    /// # Errors
    /// [`Error::Signer`] when the service does not give the key.
    pub async fn aws_kms(key_id: &str) -> Result<Self, Error> {
        Ok(Self::from_signer(crate::kms::services::aws(key_id).await?))
    }
}

#[cfg(feature = "signer-gcp")]
impl Account {
    /// The account of a key in Google Cloud KMS (`EC_SIGN_SECP256K1_SHA256`), with the default credentials of the environment.
    ///
    /// # Errors
    /// [`Error::Signer`] when the service does not give the key.
    pub async fn gcp_kms(project: &str, location: &str, ring: &str, key: &str, version: u64) -> Result<Self, Error> {
        Ok(Self::from_signer(crate::kms::services::gcp(project, location, ring, key, version).await?))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.address()).finish()
    }
}
