//! The registry's verdict on a certificate or checkpoint.

use std::fmt;

/// What `CommitteeRegistry` says of a certificate, checkpoint or proof; the numbers are the contract's, in the order in
/// which it judges. It never says 0: what was not judged is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Genuine, and acceptable at the time asked for.
    Ok = 1,
    /// Not a strict encoding of a certificate, checkpoint or proof.
    Malformed = 2,
    /// No such epoch.
    UnknownEpoch = 3,
    /// No such checkpoint was published.
    UnknownCheckpoint = 4,
    /// The epoch was cancelled before it was active, and never will be.
    EpochCancelled = 5,
    /// The epoch is not active yet, or the time asked for is still to come.
    NotYet = 6,
    /// A successor of the epoch is active, for longer than the registry's overlap.
    EpochClosed = 7,
    /// The guardian has revoked the epoch.
    Revoked = 8,
    /// `n`, `k`, the payload's length or a signer breaks the epoch's rules.
    WrongParameters = 9,
    /// No such namespace.
    UnknownNamespace = 10,
    /// The data is not retained for as long as the namespace wants.
    RetentionTooShort = 11,
    /// Fewer signers than the epoch's threshold.
    BelowThreshold = 12,
    /// The aggregate signature does not verify.
    BadSignature = 13,
    /// The path does not lead from the blob to the checkpoint's root.
    NotIncluded = 14,
}

impl Status {
    const ALL: [Self; 14] = [
        Self::Ok,
        Self::Malformed,
        Self::UnknownEpoch,
        Self::UnknownCheckpoint,
        Self::EpochCancelled,
        Self::NotYet,
        Self::EpochClosed,
        Self::Revoked,
        Self::WrongParameters,
        Self::UnknownNamespace,
        Self::RetentionTooShort,
        Self::BelowThreshold,
        Self::BadSignature,
        Self::NotIncluded,
    ];

    /// The contract's name of the status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Malformed => "MALFORMED",
            Self::UnknownEpoch => "UNKNOWN_EPOCH",
            Self::UnknownCheckpoint => "UNKNOWN_CHECKPOINT",
            Self::EpochCancelled => "EPOCH_CANCELLED",
            Self::NotYet => "NOT_YET",
            Self::EpochClosed => "EPOCH_CLOSED",
            Self::Revoked => "REVOKED",
            Self::WrongParameters => "WRONG_PARAMETERS",
            Self::UnknownNamespace => "UNKNOWN_NAMESPACE",
            Self::RetentionTooShort => "RETENTION_TOO_SHORT",
            Self::BelowThreshold => "BELOW_THRESHOLD",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::NotIncluded => "NOT_INCLUDED",
        }
    }

    /// Whether the certificate is acceptable.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }
}

impl TryFrom<u8> for Status {
    type Error = UnknownStatus;

    fn try_from(number: u8) -> Result<Self, UnknownStatus> {
        let index = usize::from(number).checked_sub(1);
        index.and_then(|index| Self::ALL.get(index)).copied().ok_or(UnknownStatus { got: number })
    }
}

/// A number that no status has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a status of 1 to {}, got {got}", Status::ALL.len())]
pub struct UnknownStatus {
    /// The number.
    pub got: u8,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_contracts() {
        for (number, status) in (1u8..).zip(Status::ALL) {
            assert_eq!(status as u8, number);
            assert_eq!(Status::try_from(number).expect("known"), status);
        }
        // Zeros of a failed call are no verdict.
        assert!(Status::try_from(0).is_err());
        assert!(Status::try_from(15).is_err());
    }
}
