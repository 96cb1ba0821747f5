//! What is particular to one rollup stack.

use std::{path::PathBuf, time::Duration};

use holdfast_transport::{configuration::Error, human};
use serde::{Deserialize, Serialize};

use super::limits::check_wait;

/// The longest gap between two replies.
const MAX_GAP: Duration = Duration::from_secs(10);

/// OP Stack Alt-DA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Op {
    /// What a generic PUT answers.
    pub commitment: CommitmentKind,
    /// How a commitment is refused that is invalid for ever.
    pub invalid: Invalid,
    /// Releases the replies to one client's PUTs in the order in which these arrived.
    pub in_order: bool,
    /// How long a reply that is ready waits for those before it.
    #[serde(with = "human")]
    pub in_order_wait: Duration,
    /// How long after one reply the next one leaves, so that a client with a connection for each reads them in their order.
    #[serde(with = "human")]
    pub in_order_gap: Duration,
    /// The most bytes of a payload in keccak mode; the committee's limit where absent. An op-node skips what is above its
    /// own `da_max_input_size` (130672 by default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keccak_max: Option<u32>,
}

/// What a generic PUT answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitmentKind {
    /// `01 ff` and keccak256 of the payload: 34 bytes, the same for the same payload.
    #[default]
    Digest,
    /// `01 ff` and the certificate, for readers that search no member. Another one each time it is made anew.
    Certificate,
}

/// How a commitment is refused that is invalid for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invalid {
    /// 400: stock op-node retries for ever.
    #[default]
    Stock,
    /// 418 with a derivation status, on which the forks of Layr Labs and Celo drop the commitment.
    Forks,
}

/// Arbitrum Nitro.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nitro {
    /// A file with 32 bytes in hex, as geth's `jwtsecret`: every call then needs a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_file: Option<PathBuf>,
    /// What `getMaxMessageSize` answers; the committee's limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message: Option<u32>,
}

impl Default for Op {
    fn default() -> Self {
        Self {
            commitment: CommitmentKind::Digest,
            invalid: Invalid::Stock,
            in_order: false,
            in_order_wait: Duration::from_secs(10),
            in_order_gap: Duration::from_millis(10),
            keccak_max: None,
        }
    }
}

impl Op {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_wait("op.in_order_wait", self.in_order_wait)?;
        if self.in_order_gap > MAX_GAP {
            let reason = format!("must be at most {MAX_GAP:?}, got {:?}", self.in_order_gap);
            return Err(Error::Invalid { key: "op.in_order_gap", reason });
        }
        Ok(())
    }
}
