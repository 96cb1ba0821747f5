use std::fmt;

use holdfast_certificate::PublicKey;

/// One member that sent something that no honest member with an intact disk sends.
#[derive(Clone, Debug)]
pub struct MemberFault {
    /// The member's slot in its epoch.
    pub slot: u16,
    /// Where it was asked.
    pub endpoint: String,
    /// What it did.
    pub reason: Fault,
}

impl fmt::Display for MemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {} at {}: {}", self.slot, self.endpoint, self.reason)
    }
}

/// What a member did that no honest member with an intact disk does.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// An attestation for another slot than the member's.
    #[error("its attestation is for slot {got}, expected {expected}")]
    WrongSlot {
        /// The member's slot.
        expected: u16,
        /// The slot in the attestation.
        got: u16,
    },
    /// An attestation whose signature is not one by the slot's key over the statement.
    #[error("its attestation does not verify")]
    BadAttestation,
    /// A message that is not well formed.
    #[error("malformed answer: {0}")]
    Malformed(#[from] holdfast_proto::Error),
    /// The commitment of another blob than the one asked for.
    #[error("it sent the commitment of another blob, {got}")]
    WrongCommitment {
        /// The id of the blob it sent.
        got: holdfast_erasure::BlobId,
    },
    /// More bytes than the blob says.
    #[error("it sent more than {expected} bytes")]
    OverLong {
        /// Bytes expected.
        expected: usize,
    },
    /// The stream ended early.
    #[error("it sent {got} bytes, expected {expected}")]
    Truncated {
        /// Bytes expected.
        expected: usize,
        /// Bytes received.
        got: usize,
    },
    /// A chunk above the protocol's size, or an empty one.
    #[error("it sent a chunk of {got} bytes, expected 1 to {max}")]
    BadChunk {
        /// The largest chunk allowed.
        max: usize,
        /// The chunk's size.
        got: usize,
    },
    /// A shard that the commitment does not accept.
    #[error("its shard is not accepted: {0}")]
    WrongShard(String),
    /// A payload whose recomputed blob id is another.
    #[error("its payload makes another blob, {got}")]
    WrongPayload {
        /// The id recomputed from what it sent.
        got: holdfast_erasure::BlobId,
    },
    /// It says itself that its copy is damaged.
    #[error("its copy is damaged: {message}")]
    Damaged {
        /// The member's words, cut to 256 bytes.
        message: String,
    },
    /// A list of more statements than are taken of one member, or of pages without end.
    #[error("its list has no end")]
    EndlessList,
    /// The certificate that was read by names it as a signer, and it denies what it signed for.
    #[error("it signed to hold this blob until {until} and says that {said}")]
    BrokenPromise {
        /// Until when it signed to hold what it was asked for, unix seconds.
        until: u64,
        /// What it says.
        said: Denial,
    },
    /// Whoever answers at the member's endpoint has another key.
    #[error("it answers with key {got}, expected {expected}")]
    WrongKey {
        /// The slot's key.
        expected: Box<PublicKey>,
        /// The key it gave.
        got: Box<PublicKey>,
    },
}

/// How a signer denies what it signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// That it never stored it.
    NeverStored,
    /// That it has expired there, long before the time.
    Expired,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverStored => "it was never stored there",
            Self::Expired => "it has expired there",
        })
    }
}
