//! Keys that sign digests and stay where they are: in a cloud's key service, or in any signer of alloy's.

use std::{fmt, sync::Arc};

use alloy::{primitives::B256, signers::Signer};
use holdfast_certificate::{Address, DisperserSignature};
use holdfast_contracts::address_in;

use crate::publisher::error::Error;

/// A key that is kept elsewhere, for a disperser's statements.
#[derive(Clone)]
pub struct KeptKey {
    signer: Arc<dyn Signer + Send + Sync>,
}

impl KeptKey {
    /// Any signer of alloy's that signs hashes, such as its hardware and remote ones.
    #[must_use]
    pub fn from_signer(signer: impl Signer + Send + Sync + 'static) -> Self {
        Self { signer: Arc::new(signer) }
    }

    /// The key's address.
    #[must_use]
    pub fn address(&self) -> Address {
        address_in(self.signer.address())
    }

    /// Signs a digest as dispersers do: low `s`, `v` 27 or 28.
    ///
    /// # Errors
    /// [`Error::Signer`] when the signer does not answer with a signature.
    pub async fn sign(&self, digest: &[u8; 32]) -> Result<DisperserSignature, Error> {
        let failed = |reason: String| Error::Signer { account: self.address(), reason };
        let signature = self.signer.sign_hash(&B256::from(*digest)).await.map_err(|error| failed(error.to_string()))?;
        // Key services give either of the two values of s.
        let signature = signature.normalize_s().unwrap_or(signature);
        DisperserSignature::from_bytes(&signature.as_bytes()).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(feature = "signer-aws")]
impl KeptKey {
    /// A key in AWS KMS (`ECC_SECG_P256K1`, `SIGN_VERIFY`), with region and credentials from the environment.
    ///
    /// # Errors
    /// [`Error::Signer`] when the service does not give the key.
    pub async fn aws_kms(key_id: &str) -> Result<Self, Error> {
        Ok(Self::from_signer(services::aws(key_id).await?))
    }
}

#[cfg(feature = "signer-gcp")]
impl KeptKey {
    /// A key in Google Cloud KMS (`EC_SIGN_SECP256K1_SHA256`), with the default credentials of the environment.
    ///
    /// # Errors
    /// [`Error::Signer`] when the service does not give the key.
    pub async fn gcp_kms(project: &str, location: &str, ring: &str, key: &str, version: u64) -> Result<Self, Error> {
        Ok(Self::from_signer(services::gcp(project, location, ring, key, version).await?))
    }
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptKey").field(&self.address()).finish()
    }
}

/// The clouds' key services.
#[cfg(any(feature = "signer-aws", feature = "signer-gcp"))]
pub(crate) mod services {
    use holdfast_certificate::Address;

    use crate::publisher::error::Error;

    fn failed(reason: &dyn std::fmt::Display) -> Error {
        Error::Signer { account: Address::ZERO, reason: reason.to_string() }
    }

    #[cfg(feature = "signer-aws")]
    pub(crate) async fn aws(key_id: &str) -> Result<alloy::signers::aws::AwsSigner, Error> {
        use alloy::signers::aws::{AwsSigner, aws_config, aws_sdk_kms};

        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let signer = AwsSigner::new(aws_sdk_kms::Client::new(&config), key_id.to_owned(), None).await;
        signer.map_err(|error| failed(&error))
    }

    #[cfg(feature = "signer-gcp")]
    pub(crate) async fn gcp(
        project: &str,
        location: &str,
        ring: &str,
        key: &str,
        version: u64,
    ) -> Result<alloy::signers::gcp::GcpSigner, Error> {
        use alloy::signers::gcp::{
            GcpKeyRingRef, GcpSigner, KeySpecifier,
            gcloud_sdk::{
                GoogleApi, google::cloud::kms::v1::key_management_service_client::KeyManagementServiceClient,
            },
        };

        let ring = GcpKeyRingRef::new(project, location, ring);
        let client =
            GoogleApi::from_function(KeyManagementServiceClient::new, "https://cloudkms.googleapis.com", None).await;
        let client = client.map_err(|error| failed(&error))?;
        let signer = GcpSigner::new(client, KeySpecifier::new(ring, key, version), None).await;
        signer.map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use alloy::signers::local::PrivateKeySigner;
    use holdfast_certificate::DisperserKey;

    use super::*;

    #[tokio::test]
    async fn a_kept_key_signs_as_the_same_key_in_memory_does() {
        let bytes = [7; 32];
        let kept = KeptKey::from_signer(PrivateKeySigner::from_slice(&bytes).expect("a key"));
        let key = DisperserKey::from_bytes(&bytes).expect("a key");
        assert_eq!(kept.address(), key.address());
        let digest = holdfast_certificate::StatementDigest::from_bytes(&[9; 32]).expect("32 bytes");
        let signature = kept.sign(&[9; 32]).await.expect("it signs");
        assert_eq!(signature.to_bytes(), key.sign(&digest).to_bytes());
        assert_eq!(format!("{kept:?}"), format!("KeptKey({:?})", key.address()));
    }
}
