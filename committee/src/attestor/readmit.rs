//! The signing rule for what a member makes whole by itself (docs/protocol.md section 5, repair).
//!
//! # Checked before signed, also here
//!
//! Nobody asks for this signature, and a peer's word is no ground for it. What has a genuine certificate was judged by a
//! quorum when it was dispersed: its epoch need not be active any more, nor its disperser allowed. What has none passes the
//! rule as if it were dispersed now, but that less than the least retention may be left of its time.

use holdfast_certificate::{Certificate, DisperserSignature, Statement, VerifiedCertificate};

use super::{Admitted, Attestor, Error, rules};
use crate::{quota, store::Promise};

/// What a peer says of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) statement: Statement,
    pub(crate) disperser_signature: DisperserSignature,
    /// Decoded, not verified.
    pub(crate) certificate: Option<Certificate>,
}

/// A claim that stands, and what is known of it.
#[derive(Debug)]
pub(crate) struct Readmitted {
    pub(crate) admitted: Admitted,
    pub(crate) certificate: Option<VerifiedCertificate>,
    /// Whether this member is among the certificate's signers.
    pub(crate) signed: bool,
}

impl Attestor {
    /// Every check of a claim that comes before the data. After a loss (`lost`) what an earlier epoch signed without a
    /// certificate is taken as well: this member may have been among those that signed.
    pub(crate) async fn readmit(&self, claim: Claim, lost: bool) -> Result<Readmitted, Error> {
        let Claim { statement, disperser_signature, certificate } = claim;
        let now = self.clock.now();
        self.check_clock(now)?;
        if statement.retain_until <= now {
            return Err(Error::Past { field: "retain_until", now, got: statement.retain_until });
        }
        let record = self.registry.epoch(statement.epoch).await.map_err(Error::Registry)?;
        rules::format(&statement, &record)?;
        let slot = rules::slot(&record, &self.public_key)?;
        rules::served(&statement.namespace, &self.policy)?;
        let digest = statement.digest(&self.domain());
        let disperser = self.recover(disperser_signature, digest).await?;
        let certificate = match certificate.filter(|certificate| certificate.statement == statement) {
            None => None,
            Some(certificate) => {
                let committee = std::sync::Arc::clone(&record.committee);
                let verified = self.workers.cpu(move || certificate.verify(&committee)).await?;
                Some(verified.map_err(Error::Certificate)?)
            }
        };
        if certificate.is_none() {
            if !lost {
                self.active_epoch(statement.epoch, now).await?;
            }
            let namespace = self.namespace(&statement.namespace).await?;
            rules::disperser(&statement.namespace, &namespace, disperser, digest)?;
            rules::longest(&statement, &self.policy, now)?;
        }
        let signed = certificate.as_ref().is_some_and(|certificate| certificate.signer_slots().contains(&slot));
        let parameters = statement.blob.parameters()?;
        let id = statement.blob.id();
        let index = parameters.shard_of_slot(slot, &statement.blob.shards_root);
        let (charges, held) = self.charges(id, statement, index).await?;
        let bytes = quota::added(&charges, held);
        let (place, reservation) = if signed {
            (self.disk.charge(bytes), self.quota.charge(statement.namespace, &charges))
        } else {
            (self.disk.admit(bytes, 0)?, self.quota.reserve(statement.namespace, now, &charges)?)
        };
        let promise = Promise { statement, disperser_signature, slot };
        let admitted = Admitted { promise, digest, id, parameters, index, disperser, held, reservation, _place: place };
        Ok(Readmitted { admitted, certificate, signed })
    }

    /// What this member has promised itself, and has lost or damaged: the promise stands, so nothing is asked but the data.
    pub(crate) async fn reclaim(&self, promise: Promise) -> Result<Admitted, Error> {
        let statement = promise.statement;
        let digest = statement.digest(&self.domain());
        let disperser = self.recover(promise.disperser_signature, digest).await?;
        let parameters = statement.blob.parameters()?;
        let index = parameters.shard_of_slot(promise.slot, &statement.blob.shards_root);
        let none: [quota::Charge; 0] = [];
        let (place, reservation) = (self.disk.charge(0), self.quota.charge(statement.namespace, &none));
        let id = statement.blob.id();
        Ok(Admitted { promise, digest, id, parameters, index, disperser, held: true, reservation, _place: place })
    }
}
