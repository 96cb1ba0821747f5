/// A message that cannot be what its sender says it is: always the peer's fault, never retryable as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// The field's name in the `.proto` file.
        field: &'static str,
    },
    /// A field of fixed size has another.
    #[error("{field} has {got} bytes, expected {expected}")]
    Length {
        /// The field's name in the `.proto` file.
        field: &'static str,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it has.
        got: usize,
    },
    /// A number does not fit the type that the protocol gives it.
    #[error("{field} is {got}, expected at most {max}")]
    TooLarge {
        /// The field's name in the `.proto` file.
        field: &'static str,
        /// The largest value allowed.
        max: u64,
        /// The value sent.
        got: u64,
    },
    /// The right size, but not a valid value (a point outside the group, a key that is the identity, ...).
    #[error("{field} is invalid: {reason}")]
    Invalid {
        /// The field's name in the `.proto` file.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
