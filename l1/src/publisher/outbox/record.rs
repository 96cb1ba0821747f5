//! What is kept of one job: enough to go on after a crash at any point, and to send the same bytes again.

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::eip2718::Decodable2718 as _,
    primitives::{Address, B256, Bytes, TxKind},
};
use holdfast_contracts::bindings::CommitteeRegistry::CommitteeRegistryCalls;
use holdfast_registry::{self as registry, Status};
use serde::{Deserialize, Serialize};

use super::fees::Fees;
use crate::error::Error;

/// One job, from its submission to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) id: B256,
    /// Jobs are sent in this order.
    pub(super) sequence: u64,
    /// The contract that is called; `None` creates one.
    pub(super) to: Option<Address>,
    pub(super) input: Bytes,
    /// Whether it does nothing but use up a nonce that nobody else uses, so that later ones can be mined.
    pub(super) filler: bool,
    pub(super) stage: Stage,
}

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    /// Nothing is signed. No nonce belongs to it.
    Built,
    /// A nonce belongs to it, and its attempts may be out there.
    Sent(Bound),
    /// One of its attempts stands in a block that is not final.
    Mined(Bound, Inclusion),
    /// It stands in a final block and succeeded.
    Finalized(Inclusion),
    /// It will never succeed: refused before anything was sent, or reverted or cancelled in a final block.
    Failed(Refusal),
}

/// A nonce and every transaction that was ever signed with it for the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bound {
    pub(super) nonce: u64,
    /// The finalized block when the first was signed: whatever uses the nonce stands after it.
    pub(super) after: BlockRef,
    /// Never empty; fees rise from one to the next, so the newest is the one that nodes prefer.
    pub(super) attempts: Vec<Attempt>,
    /// Why the newest attempts only use up the nonce.
    pub(super) cancelled: Option<Refusal>,
    /// The finalized block at which the nonce was first found used by none of the attempts.
    pub(super) taken_since: Option<u64>,
}

/// A block of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BlockRef {
    pub(super) number: u64,
    pub(super) hash: B256,
}

/// One signed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Attempt {
    pub(super) raw: Bytes,
    pub(super) hash: B256,
    pub(super) fees: Fees,
    pub(super) gas_limit: u64,
    /// The head when it was signed, and the unix time.
    pub(super) head: u64,
    pub(super) at: u64,
    /// Whether it does nothing but use up the nonce.
    pub(super) cancels: bool,
}

/// Where a transaction stands, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Inclusion {
    pub(super) hash: B256,
    pub(super) block: u64,
    pub(super) block_hash: B256,
    pub(super) gas_used: u64,
    /// Why it did not do what the job wants, if so.
    pub(super) refusal: Option<Refusal>,
}

/// The contract's refusal of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Refusal {
    NotAvailable(u8),
    UnknownEpoch(u64),
    Reverted(String),
}

impl Record {
    pub(super) fn new(id: B256, to: Option<Address>, input: Bytes) -> Self {
        Self { id, sequence: 0, to, input, filler: false, stage: Stage::Built }
    }

    /// The contract function that it calls, for messages.
    pub(super) fn what(&self) -> &'static str {
        if self.filler {
            return "filler of a nonce";
        }
        if self.to.is_none() {
            return "deployment of the registry";
        }
        let selector = self.input.first_chunk::<4>();
        selector.and_then(|selector| CommitteeRegistryCalls::name_by_selector(*selector)).unwrap_or("transaction")
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finalized(_) | Stage::Failed(_))
    }

    /// Its nonce and attempts, while these matter.
    pub(super) fn bound(&self) -> Option<&Bound> {
        match &self.stage {
            Stage::Sent(bound) | Stage::Mined(bound, _) => Some(bound),
            Stage::Built | Stage::Finalized(_) | Stage::Failed(_) => None,
        }
    }

    /// Checks every attempt against the job, because what a record holds is sent as it is.
    pub(super) fn check(&self, chain_id: u64, account: Address) -> Result<(), String> {
        let Some(bound) = self.bound() else { return Ok(()) };
        if bound.attempts.is_empty() {
            return Err("a nonce without a transaction".to_owned());
        }
        for attempt in &bound.attempts {
            self.check_attempt(bound.nonce, attempt, chain_id, account)
                .map_err(|what| format!("transaction {}: {what} is not the job's", attempt.hash))?;
        }
        Ok(())
    }

    fn check_attempt(
        &self,
        nonce: u64,
        attempt: &Attempt,
        chain_id: u64,
        account: Address,
    ) -> Result<(), &'static str> {
        let mut rest = attempt.raw.as_ref();
        let envelope = TxEnvelope::decode_2718(&mut rest).map_err(|_| "encoding")?;
        let signed = envelope.signature().recover_address_from_prehash(&envelope.signature_hash());
        let (kind, input) = match (attempt.cancels, self.to) {
            (true, _) => (TxKind::Call(account), &[][..]),
            (false, Some(to)) => (TxKind::Call(to), self.input.as_ref()),
            (false, None) => (TxKind::Create, self.input.as_ref()),
        };
        let priced = Fees {
            max_fee: u64::try_from(envelope.max_fee_per_gas()).map_err(|_| "fee")?,
            tip: u64::try_from(envelope.max_priority_fee_per_gas().unwrap_or_default()).map_err(|_| "tip")?,
        };
        let same = [
            ("length", rest.is_empty()),
            ("hash", *envelope.tx_hash() == attempt.hash),
            ("chain id", envelope.chain_id() == Some(chain_id)),
            ("nonce", envelope.nonce() == nonce),
            ("sender", signed.ok() == Some(account)),
            ("destination", envelope.kind() == kind),
            ("data", envelope.input().as_ref() == input),
            ("fee", priced == attempt.fees),
            ("gas limit", envelope.gas_limit() == attempt.gas_limit),
        ];
        same.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(what, _)| Err(*what))
    }
}

/// A transaction in the block that the chain has of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) hash: B256,
    pub(super) block: u64,
    pub(super) block_hash: B256,
    pub(super) gas_used: u64,
    pub(super) succeeded: bool,
}

impl Bound {
    /// A nonce with its first transaction.
    pub(super) fn new(nonce: u64, after: BlockRef, attempt: Attempt) -> Self {
        Self { nonce, after, attempts: vec![attempt], cancelled: None, taken_since: None }
    }

    pub(super) fn newest(&self) -> &Attempt {
        self.attempts.last().expect("a nonce is bound together with its first transaction")
    }
}

impl Inclusion {
    /// Where it stands, as a look at the chain gives it.
    pub(super) fn found(&self) -> Found {
        let Self { hash, block, block_hash, gas_used, .. } = *self;
        Found { hash, block, block_hash, gas_used, succeeded: self.refusal.is_none() }
    }
}

impl Refusal {
    /// The refusal in an error; `None` for an error that says nothing of the call.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::NotAvailable { status } => Some(Self::NotAvailable(*status as u8)),
            Error::Registry(registry::Error::UnknownEpoch { epoch }) => Some(Self::UnknownEpoch(*epoch)),
            Error::Reverted { reason, .. } => Some(Self::Reverted(reason.clone())),
            _ => None,
        }
    }

    pub(super) fn error(&self, what: &'static str) -> Error {
        match self {
            Self::NotAvailable(status) => match Status::try_from(*status) {
                Ok(status) => Error::NotAvailable { status },
                Err(error) => Error::BadAnswer { what, reason: error.to_string() },
            },
            Self::UnknownEpoch(epoch) => registry::Error::UnknownEpoch { epoch: *epoch }.into(),
            Self::Reverted(reason) => Error::Reverted { what, reason: reason.clone() },
        }
    }
}
