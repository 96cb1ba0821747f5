//! The signing rule (docs/protocol.md section 5), in its order.
//!
//! # Durable before signed
//!
//! [`Attestor::admit`] checks everything that can be checked before the data is here, the data becomes a [`Holding`] only
//! by passing its own check, [`Store::hold`] turns that into a [`Durable`] by writing and syncing it, and only a
//! [`Durable`] can be signed. The types leave no other way.

mod checkpoint;
mod error;
mod readmit;
mod rules;
mod strangers;

use std::sync::Arc;

use bytes::Bytes;
use holdfast_certificate::{
    Address, Attestation, Committee, DisperserSignature, Domain, Namespace, PublicKey, Statement, StatementDigest,
};
use holdfast_erasure::{BlobId, Commitment, Dispersal, Parameters, ShardIndex, encode};
use holdfast_registry::{EpochRecord, NamespaceRecord, Registry};
use holdfast_transport::Network;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::{
    archive::Archive,
    clock::Clock,
    config::Policy,
    disk::{Disk, Place},
    failpoint,
    peer_time::PeerTime,
    pen::{self, Pen},
    quota::{self, Quota, Reservation},
    store::{self, Durable, Given, Holding, Promise, Store},
    workers::Workers,
};

pub(crate) use checkpoint::{CheckpointRequest, MOST_CHECKPOINTS};
pub(crate) use error::Error;
pub(crate) use readmit::Claim;
pub(crate) use strangers::Strangers;

/// What signs for this member.
#[derive(Debug)]
pub(crate) struct Attestor {
    pub(crate) pen: Arc<Pen>,
    pub(crate) public_key: PublicKey,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    /// The clocks of the other members.
    pub(crate) peers: PeerTime,
    pub(crate) quota: Quota,
    pub(crate) disk: Disk,
    pub(crate) store: Arc<Store>,
    /// Where what it stores goes in the background, if anywhere.
    pub(crate) archive: Option<Arc<Archive>>,
    pub(crate) workers: Workers,
    /// Namespaces that have nothing here.
    pub(crate) strangers: Strangers,
    /// The network to peers, where it is not the machine's.
    pub(crate) network: Option<Arc<dyn Network>>,
    /// The turns of checkpoints to be looked up in the store.
    pub(crate) checkpoints: Arc<Semaphore>,
}

/// What a disperser asks to have signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) statement: Statement,
    pub(crate) disperser_signature: DisperserSignature,
    /// Which call it came with.
    pub(crate) call: Dispersal,
    /// It comes from where a disperser's data was stored of late.
    pub(crate) known: bool,
}

/// A statement that passed every check that comes before the data. Only [`Attestor::admit`] and, for what the member makes
/// whole by itself, [`Attestor::readmit`] and [`Attestor::reclaim`] make one.
#[derive(Debug)]
pub(crate) struct Admitted {
    promise: Promise,
    digest: StatementDigest,
    id: BlobId,
    parameters: Parameters,
    index: ShardIndex,
    disperser: Address,
    /// Something was held here before of what is asked for: only then can it be recalled.
    held: bool,
    reservation: Reservation,
    /// On the disk, until it is there.
    _place: Place,
}

impl Admitted {
    pub(crate) fn id(&self) -> BlobId {
        self.id
    }

    pub(crate) fn slot(&self) -> u16 {
        self.promise.slot
    }

    /// What is signed, and what made the member sign it.
    pub(crate) fn promise(&self) -> &Promise {
        &self.promise
    }

    /// The shard that this member's slot holds.
    pub(crate) fn index(&self) -> ShardIndex {
        self.index
    }

    /// Whether something was ever held here of what is asked for: only then can it be recalled.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Whose signature it came with.
    pub(crate) fn disperser(&self) -> Address {
        self.disperser
    }

    pub(crate) fn statement(&self) -> &Statement {
        &self.promise.statement
    }

    /// Bytes of one shard.
    pub(crate) fn shard_length(&self) -> usize {
        self.parameters.shard_length(self.statement().blob.payload_length)
    }
}

impl Attestor {
    pub(crate) fn domain(&self) -> Domain {
        self.registry.domain()
    }

    /// Every check that comes before the data: format, epoch and slot, namespace and disperser, times, quota.
    pub(crate) async fn admit(&self, request: Request) -> Result<Admitted, Error> {
        let Request { statement, disperser_signature, call, known } = request;
        let now = self.clock.now();
        rules::dispersal(&statement, call)?;
        self.check_clock(now)?;
        let active = self.active_epoch(statement.epoch, now).await?;
        rules::format(&statement, &active)?;
        let slot = rules::slot(&active, &self.public_key)?;
        rules::served(&statement.namespace, &self.policy)?;
        let digest = statement.digest(&self.domain());
        let disperser = if known {
            // To hand it over takes as long as to do it. Strangers, who cost nothing to be, wait for their turn.
            disperser_signature.recover(&digest).map_err(Error::DisperserSignature)?
        } else {
            self.recover(disperser_signature, digest).await?
        };
        let namespace = self.namespace(&statement.namespace).await?;
        rules::disperser(&statement.namespace, &namespace, disperser, digest)?;
        rules::times(&statement, &namespace, &self.policy, now)?;
        let parameters = statement.blob.parameters()?;
        let id = statement.blob.id();
        let index = parameters.shard_of_slot(slot, &statement.blob.shards_root);
        let (charges, held) = match self.store.is_surely_new(&id)? {
            true => (quota::charges(&statement, 0, 0), false),
            false => self.charges(id, statement, index).await?,
        };
        let place = self.disk.admit(quota::added(&charges, held), quota::copied(&charges, held))?;
        let reservation = self.quota.reserve(statement.namespace, now, &charges)?;
        let promise = Promise { statement, disperser_signature, slot };
        Ok(Admitted { promise, digest, id, parameters, index, disperser, held, reservation, _place: place })
    }

    /// Whether a statement of the active epoch would be signed now, as far as it does not depend on the statement.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        self.store.writable()?;
        self.room()?;
        let now = self.clock.now();
        self.check_clock(now)?;
        let active = self.registry.active_epoch(now).await.map_err(Error::Registry)?;
        rules::slot(&active, &self.public_key)?;
        if self.pen.trouble().is_some() {
            return Err(pen::Error::Away.into());
        }
        Ok(())
    }

    /// There is room for more, on the disk and in its budget.
    pub(crate) fn room(&self) -> Result<(), Error> {
        self.store.room()?;
        Ok(self.disk.left()?)
    }

    /// The clock agrees with L1 and with the other members.
    pub(crate) fn check_clock(&self, now: u64) -> Result<(), Error> {
        rules::clock(self.registry.finality().as_ref(), now)?;
        rules::peers(self.peers.ahead(&*self.clock), now)
    }

    /// Whether the time has passed until which something was promised. By a clock that is contradicted nothing is over.
    pub(crate) fn is_over(&self, until: u64) -> bool {
        let now = self.clock.now();
        until <= now && self.check_clock(now).is_ok()
    }

    /// Why nothing is signed by a registry that could not be read for too long, where that is so.
    pub(crate) fn registry_too_old(&self) -> Option<&'static str> {
        const NO_L1: &str = "L1 could not be read for too long: what is known of the committee is no longer used";
        self.registry.finality().is_some_and(|finality| finality.expired).then_some(NO_L1)
    }

    /// The active epoch, which must be the one asked for.
    async fn active_epoch(&self, epoch: u64, now: u64) -> Result<Arc<EpochRecord>, Error> {
        let active = self.registry.active_epoch(now).await.map_err(|e| match e {
            holdfast_registry::Error::NoActiveEpoch { at } => Error::NoActiveEpoch { got: epoch, now: at },
            e => Error::Registry(e),
        })?;
        rules::epoch(epoch, &active, now)?;
        Ok(active)
    }

    /// Whose signature it is. It comes before the namespace, since it costs nobody else anything.
    async fn recover(&self, signature: DisperserSignature, digest: StatementDigest) -> Result<Address, Error> {
        self.workers.cpu(move || signature.recover(&digest)).await?.map_err(Error::DisperserSignature)
    }

    /// A namespace's rules. Those that have nothing here wait for their turn.
    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        if !self.quota.knows(namespace) {
            return self.strangers.look_up(namespace, &*self.registry).await;
        }
        self.registry.namespace(namespace).await.map_err(|e| match e {
            holdfast_registry::Error::UnknownNamespace { namespace } => Error::UnknownNamespace(namespace),
            holdfast_registry::Error::TooManyUnknown { .. } => Error::TooManyStrangers { namespace: *namespace },
            e => Error::Registry(e),
        })
    }

    /// What is held here already, if it is whole and sound: then the disperser need not send it again. An archive that cannot be
    /// asked is no reason to refuse: what is sent again is stored here again.
    pub(crate) async fn recall(&self, admitted: &Admitted) -> Result<Option<Holding>, Error> {
        let (id, index) = (admitted.id, admitted.index);
        let mut given = Given::default();
        loop {
            let (store, from) = (Arc::clone(&self.store), given.clone());
            let at = match self.workers.load(move || store.recall_with(&id, index, &from)).await? {
                Err(store::Error::Archived { index, .. }) => index,
                recalled => return Ok(recalled?),
            };
            let Some(archive) = &self.archive else { return Ok(None) };
            let place = if at.is_some() { &mut given.shard } else { &mut given.whole };
            match archive.read(&id, at).await {
                Ok(bytes) if place.is_none() => *place = Some(bytes),
                _ => return Ok(None),
            }
        }
    }

    /// Accepts a shard that was sent.
    pub(crate) async fn accept(
        &self,
        admitted: &Admitted,
        commitment: Commitment,
        shard: Bytes,
    ) -> Result<Holding, Error> {
        let index = admitted.index;
        self.workers
            .hash(shard.len(), move || {
                let shard = commitment.accept(index, shard)?;
                Ok(Holding::by_shard(commitment, shard))
            })
            .await?
    }

    /// Computes the whole blob from a payload that was sent, and compares its id.
    pub(crate) async fn recompute(&self, admitted: &Admitted, payload: Bytes) -> Result<Holding, Error> {
        let (parameters, index, expected) = (admitted.parameters, admitted.index, admitted.promise.statement.blob);
        self.workers
            .cpu(move || {
                let encoded = encode(parameters, payload, Dispersal::ByPayload)?;
                rules::blob(&expected, encoded.blob())?;
                Ok(Holding::by_payload(&encoded, index))
            })
            .await?
    }

    /// Writes, syncs, and only then signs.
    pub(crate) async fn attest(&self, admitted: Admitted, holding: Holding) -> Result<Attestation, Error> {
        let span = tracing::debug_span!("attestor.attest", blob = %admitted.id);
        self.written(admitted, holding).instrument(span).await
    }

    async fn written(&self, admitted: Admitted, holding: Holding) -> Result<Attestation, Error> {
        let got = holding.id();
        rules::blob(&admitted.promise.statement.blob, holding.blob())?;
        if holding.index() != admitted.index {
            return Err(Error::WrongShard {
                id: got,
                slot: admitted.slot(),
                expected: admitted.index.get(),
                got: holding.index().get().into(),
            });
        }
        let brief = holding.is_fresh();
        let statement = admitted.promise.statement;
        let durable = self.store.hold(admitted.promise, admitted.digest, holding);
        let durable = durable.instrument(tracing::debug_span!("store.hold")).await?;
        admitted.reservation.keep();
        failpoint::reach("between-sync-and-signature");
        // Its promise was synced just now, so nothing is to be looked up; and to hand it over takes nearly as long as to sign.
        // Nobody gets so far who may not disperse.
        let at_once = if brief { self.pen.at_once(durable.slot(), durable.digest()) } else { None };
        match at_once {
            None => self.sign(&durable, &statement).await,
            Some(attestation) => {
                self.store.remember(&durable, attestation.signature.to_bytes());
                Ok(attestation)
            }
        }
    }

    /// The attestation of a promise that is durable: the one remembered, or the same made again, since BLS signatures
    /// are deterministic. `statement` is what was promised.
    pub(crate) async fn sign(&self, durable: &Durable, statement: &Statement) -> Result<Attestation, Error> {
        let (digest, slot) = (*durable.digest(), durable.slot());
        let (store, pen) = (Arc::clone(&self.store), Arc::clone(&self.pen));
        let within = tracing::Span::current();
        let (signed, known) = self
            .workers
            .cpu(move || {
                let _within = within.entered();
                if let Some(bytes) = store.attestation(&digest)? {
                    // A damaged record is no reason to fail: the signature can be made again.
                    if let Ok(signature) = holdfast_certificate::Signature::from_bytes(&bytes) {
                        return Ok((Some(Attestation { slot, signature }), true));
                    }
                }
                if !store.vouches() {
                    let reason = "what was written last is not known to be on the disk".into();
                    return Err(Error::Store(store::Error::WritesDisabled { reason }));
                }
                // Here and now where the key is, which spares handing it to another thread.
                Ok((pen.at_once(slot, &digest), false))
            })
            .await??;
        let attestation = match signed {
            Some(attestation) => attestation,
            None => self.pen.statement((statement, digest), slot, &self.workers).await?,
        };
        if !known {
            self.store.remember(durable, attestation.signature.to_bytes());
        }
        Ok(attestation)
    }

    /// Whether the namespace is one that this member serves.
    pub(crate) fn serves(&self, namespace: &Namespace) -> bool {
        rules::served(namespace, &self.policy).is_ok()
    }

    /// This member's slot in a committee.
    pub(crate) fn slot(&self, committee: &Committee) -> Option<u16> {
        committee.slot_of(&self.public_key)
    }

    /// What the statement adds to what this namespace was promised for the same blob, and whether something was ever held here
    /// of the shard.
    async fn charges(
        &self,
        id: BlobId,
        statement: Statement,
        index: ShardIndex,
    ) -> Result<([quota::Charge; 2], bool), Error> {
        let store = Arc::clone(&self.store);
        let looked = self.workers.disk(move || {
            let (retained, whole) = store.promised_until(&id, &statement.namespace)?;
            let held = match store.length(&id, Some(index.get())) {
                // It is made anew when it is stored.
                Err(store::Error::Record { .. }) => false,
                length => length?.is_some(),
            };
            Ok::<_, store::Error>((quota::charges(&statement, retained, whole), held))
        });
        Ok(looked.await??)
    }
}
