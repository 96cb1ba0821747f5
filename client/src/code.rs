use std::fmt;

use tonic::Code as Wire;

/// The gRPC status code of a member's refusal (<https://grpc.io/docs/guides/status-codes/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The call was cut off.
    Cancelled,
    /// Anything that has no code of its own, `OK` where an error was expected among it.
    Unknown,
    /// What was sent or asked for is wrong in itself.
    InvalidArgument,
    /// The member's own time limit for the call was over.
    DeadlineExceeded,
    /// No such namespace, statement or blob there.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// The disperser may not do this.
    PermissionDenied,
    /// Shed, or over quota.
    ResourceExhausted,
    /// Not in the state that the member is in: another epoch, retention that is over.
    FailedPrecondition,
    /// Given up in favour of another call.
    Aborted,
    /// A message over the size that is taken.
    OutOfRange,
    /// The member does not know the call.
    Unimplemented,
    /// Something is wrong in the member.
    Internal,
    /// The member is stopping, does not write, or cannot read the registry.
    Unavailable,
    /// The member's copy is damaged.
    DataLoss,
    /// The caller is not known.
    Unauthenticated,
}

impl Code {
    /// Its name in gRPC.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A conversion of this crate alone: what the transport is made of is no part of its interface.
pub(crate) fn of_wire(code: Wire) -> Code {
    match code {
        Wire::Ok | Wire::Unknown => Code::Unknown,
        Wire::Cancelled => Code::Cancelled,
        Wire::InvalidArgument => Code::InvalidArgument,
        Wire::DeadlineExceeded => Code::DeadlineExceeded,
        Wire::NotFound => Code::NotFound,
        Wire::AlreadyExists => Code::AlreadyExists,
        Wire::PermissionDenied => Code::PermissionDenied,
        Wire::ResourceExhausted => Code::ResourceExhausted,
        Wire::FailedPrecondition => Code::FailedPrecondition,
        Wire::Aborted => Code::Aborted,
        Wire::OutOfRange => Code::OutOfRange,
        Wire::Unimplemented => Code::Unimplemented,
        Wire::Internal => Code::Internal,
        Wire::Unavailable => Code::Unavailable,
        Wire::DataLoss => Code::DataLoss,
        Wire::Unauthenticated => Code::Unauthenticated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_grpc_has_its_name() {
        for number in 1..=16 {
            let wire = Wire::from_i32(number);
            let spelt = format!("{wire:?}").chars().fold(String::new(), |mut name, c| {
                if c.is_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(c.to_ascii_uppercase());
                name
            });
            assert_eq!(of_wire(wire).to_string(), spelt);
        }
        assert_eq!(of_wire(Wire::Ok), Code::Unknown);
    }
}
