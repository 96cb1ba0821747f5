//! What can be wrong with the bytes or the text of one value.

/// Bytes or text that are no key, signature, address or other value of fixed form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A value of fixed size has another size.
    #[error("{what} must be {expected} bytes, got {got}")]
    Length {
        /// What was decoded.
        what: &'static str,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it has.
        got: usize,
    },
    /// A textual value has the wrong number of hex digits.
    #[error("{what} must be 0x and {expected} hex digits, got {got} digits")]
    HexLength {
        /// What was parsed.
        what: &'static str,
        /// Digits it must have.
        expected: usize,
        /// Digits it has.
        got: usize,
    },
    /// A textual value is not hex.
    #[error("{what} {problem}")]
    NotHex {
        /// What was parsed.
        what: &'static str,
        /// What is wrong with the text.
        problem: &'static str,
    },
    /// Bytes that are not a usable curve point.
    #[error("{what} {problem}")]
    Point {
        /// What was decoded.
        what: &'static str,
        /// Which check failed.
        problem: PointProblem,
    },
    /// A BLS or secp256k1 secret key is zero or not below the group order.
    #[error("{what} must be from 1 to the group order less one")]
    SecretKeyRange {
        /// Which kind of key.
        what: &'static str,
    },
    /// Key material of too few bytes for EIP-2333.
    #[error("seed must be at least {expected} bytes, got {got}")]
    SeedTooShort {
        /// Least number of bytes.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// An endorsement of a TLS key for no time, or for too long.
    #[error("a TLS endorsement must be good for 1 to {longest} s, got from {not_before} until {not_after}")]
    Endorsement {
        /// From when on, unix seconds.
        not_before: u64,
        /// Until before when.
        not_after: u64,
        /// The longest, in seconds.
        longest: u64,
    },
    /// An encoding of another version.
    #[error("{what} version must be {expected}, got {got}")]
    Version {
        /// What was decoded.
        what: &'static str,
        /// The version this code knows.
        expected: u64,
        /// The version it has.
        got: u64,
    },
}

/// Which check a curve point failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointProblem {
    /// Flags, padding or a field element are not as the encoding requires.
    #[error("is not a canonical point encoding")]
    Encoding,
    /// The coordinates are not on the curve.
    #[error("is not a point on the curve")]
    Curve,
    /// The point is on the curve, outside the subgroup of prime order.
    #[error("is not in the prime-order subgroup")]
    Subgroup,
    /// The point at infinity.
    #[error("must not be the identity")]
    Identity,
}
