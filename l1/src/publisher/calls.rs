//! The registry's calls for keys, epochs and namespaces: each is carried out once more, whatever was called before, but for
//! those that the registry takes only once.

use alloy::{primitives::Bytes, sol_types::SolCall as _};
use holdfast_certificate::{Address, CommitteeParameters, Namespace, ProofOfPossession, PublicKey, Registration};
use holdfast_contracts::{
    RegistryCall,
    bindings::CommitteeRegistry::{EpochProposed, NamespaceCreated, registerKeyCall},
};

use super::{Publisher, error::Error, job::PublishReceipt, new_id};
use crate::error::Error as L1Error;

impl Publisher {
    /// Carries out one call of the registry.
    ///
    /// # Errors
    /// What the contract says against it; otherwise as [`Publisher::wait`].
    pub async fn send(&self, call: &RegistryCall) -> Result<PublishReceipt, Error> {
        let id = match call {
            RegistryCall::CreateNamespace { .. } => self.only_id(&call.data()),
            _ => new_id(&call.data()),
        };
        Ok(self.call(id, call.data()).await?.receipt)
    }

    /// What a proof of possession must be for, for this account to register the key.
    #[must_use]
    pub fn registration(&self) -> Registration {
        Registration { domain: self.domain(), account: self.account() }
    }

    /// Registers a key for this account, with its proof of possession for [`Self::registration`], which the registry checks. As [`Publisher::publish`],
    /// once for each key.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the proof is wrong or the key is registered; otherwise an L1 error.
    pub async fn register_key(&self, key: &PublicKey, proof: &ProofOfPossession) -> Result<PublishReceipt, Error> {
        let call = registerKeyCall {
            key: Bytes::from(key.to_eip2537().to_vec()),
            proof: Bytes::from(proof.to_eip2537().to_vec()),
        };
        let input = call.abi_encode();
        Ok(self.call(self.only_id(&input), input).await?.receipt)
    }

    /// Says where the key's member is reached: a URL of at most 255 bytes, and the SHA-256 of its TLS certificate's
    /// SubjectPublicKeyInfo (RFC 7469). Only by the account that registered the key.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the key is not this account's or the URL too long; otherwise an L1 error.
    pub async fn set_endpoint(
        &self,
        key: &PublicKey,
        endpoint: &str,
        tls_pin: Option<[u8; 32]>,
    ) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::SetEndpoint { key: *key, endpoint: endpoint.to_owned(), tls_pin }).await
    }

    /// Proposes the next epoch with the keys in slot order, each with the account that it belongs to, active from unix
    /// time `active_from`, or as soon as the delay allows. Only by governance. Gives the epoch's number.
    ///
    /// # Errors
    /// [`L1Error::Invalid`] when the number of keys is not the parameters'; [`L1Error::Reverted`] for an unknown or
    /// duplicate key, one of another account, a time that is too early or an account that is not governance; otherwise an
    /// L1 error.
    pub async fn propose_epoch(
        &self,
        members: &[(PublicKey, Address)],
        parameters: &CommitteeParameters,
        active_from: Option<u64>,
    ) -> Result<(u64, PublishReceipt), Error> {
        let expected = usize::from(parameters.total_shards());
        if members.len() != expected {
            let reason = format!("expected {expected} keys, got {}", members.len());
            return Err(L1Error::Invalid { what: "epoch", reason }.into());
        }
        let call = RegistryCall::ProposeEpoch { members: members.to_vec(), parameters: *parameters, active_from };
        let sent = self.call(new_id(&call.data()), call.data()).await?;
        let event: EpochProposed = self.event(&sent, call.function())?;
        Ok((event.epoch, sent.receipt))
    }

    /// Takes back a proposed epoch before it is active, and all that were proposed after it. Only by the guardian or
    /// governance.
    ///
    /// # Errors
    /// [`L1Error::Registry`]; [`L1Error::Reverted`] when it is active or the account is neither; otherwise an L1 error.
    pub async fn cancel_from(&self, epoch: u64) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::CancelFrom { epoch }).await
    }

    /// Revokes an epoch from now on and for ever. Only by the guardian.
    ///
    /// # Errors
    /// [`L1Error::Registry`]; [`L1Error::Reverted`] when it is not active yet, revoked already, or the account is not
    /// the guardian; otherwise an L1 error.
    pub async fn revoke_epoch(&self, epoch: u64) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::RevokeEpoch { epoch }).await
    }

    /// Creates this account's namespace of that salt, once: its id is `keccak256(abi.encode(account, salt))`.
    /// `min_retention` is in seconds.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when it exists or an argument is out of bounds; otherwise an L1 error.
    pub async fn create_namespace(
        &self,
        salt: [u8; 32],
        min_retention: u64,
        dispersers: &[Address],
    ) -> Result<(Namespace, PublishReceipt), Error> {
        let call = RegistryCall::CreateNamespace { salt, min_retention, dispersers: dispersers.to_vec() };
        let sent = self.call(self.only_id(&call.data()), call.data()).await?;
        let event: NamespaceCreated = self.event(&sent, call.function())?;
        Ok((Namespace::from(event.namespace.0), sent.receipt))
    }

    /// Allows a disperser in this account's namespace, or takes that back.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the namespace is not this account's; otherwise an L1 error.
    pub async fn set_disperser(
        &self,
        namespace: &Namespace,
        disperser: Address,
        allowed: bool,
    ) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::SetDisperser { namespace: *namespace, disperser, allowed }).await
    }

    /// Sets how long, in seconds, data of this account's namespace must still be retained: a raise holds after an
    /// hour, a lowering after the registry's delay.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the namespace is not this account's or the time out of bounds; otherwise an L1 error.
    pub async fn set_min_retention(&self, namespace: &Namespace, min_retention: u64) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::SetMinRetention { namespace: *namespace, min_retention }).await
    }

    /// Keeps members from dropping anything of a namespace before unix time `until`. Only by the guardian, and only ever
    /// later.
    ///
    /// # Errors
    /// [`L1Error::Reverted`] when the account is not the guardian, or `until` is too late or no later than before; otherwise
    /// an L1 error.
    pub async fn hold_namespace(&self, namespace: &Namespace, until: u64) -> Result<PublishReceipt, Error> {
        self.send(&RegistryCall::HoldNamespace { namespace: *namespace, until }).await
    }
}
