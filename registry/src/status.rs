//! The registry's verdict on a certificate or checkpoint.

use std::fmt;

/// What `CommitteeRegistry` says of a certificate, checkpoint or proof; the numbers are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Genuine, and acceptable at the time asked for.
    Ok = 0,
    /// Not a strict encoding of a certificate.
    Malformed = 1,
    /// No such epoch.
    UnknownEpoch = 2,
    /// The epoch is not active yet.
    NotYet = 3,
    /// A successor of the epoch is active.
    EpochClosed = 4,
    /// The guardian has revoked the epoch.
    Revoked = 5,
    /// `n`, `k`, payload length or times break the epoch's rules.
    WrongParameters = 6,
    /// The data is not retained for as long as the namespace wants.
    RetentionTooShort = 7,
    /// Fewer signers than the epoch's threshold.
    BelowThreshold = 8,
    /// The aggregate signature does not verify.
    BadSignature = 9,
    /// No such namespace.
    UnknownNamespace = 10,
    /// No such checkpoint was published.
    UnknownCheckpoint = 11,
    /// The path does not lead from the blob to the checkpoint's root.
    NotIncluded = 12,
}

impl Status {
    const ALL: [Self; 13] = [
        Self::Ok,
        Self::Malformed,
        Self::UnknownEpoch,
        Self::NotYet,
        Self::EpochClosed,
        Self::Revoked,
        Self::WrongParameters,
        Self::RetentionTooShort,
        Self::BelowThreshold,
        Self::BadSignature,
        Self::UnknownNamespace,
        Self::UnknownCheckpoint,
        Self::NotIncluded,
    ];

    /// The contract's name of the status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Malformed => "MALFORMED",
            Self::UnknownEpoch => "UNKNOWN_EPOCH",
            Self::NotYet => "NOT_YET",
            Self::EpochClosed => "EPOCH_CLOSED",
            Self::Revoked => "REVOKED",
            Self::WrongParameters => "WRONG_PARAMETERS",
            Self::RetentionTooShort => "RETENTION_TOO_SHORT",
            Self::BelowThreshold => "BELOW_THRESHOLD",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::UnknownNamespace => "UNKNOWN_NAMESPACE",
            Self::UnknownCheckpoint => "UNKNOWN_CHECKPOINT",
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
        Self::ALL.get(usize::from(number)).copied().ok_or(UnknownStatus { got: number })
    }
}

/// A number that no status has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a status of 0 to {}, got {got}", Status::ALL.len() - 1)]
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
        for (number, status) in (0u8..).zip(Status::ALL) {
            assert_eq!(status as u8, number);
            assert_eq!(Status::try_from(number).expect("known"), status);
        }
        assert!(Status::try_from(13).is_err());
    }
}
