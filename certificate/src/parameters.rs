//! What an epoch fixes for everybody: the code, the threshold, the largest payload.

use holdfast_erasure::Parameters;

use crate::error::Error;

/// The fixed parameters of an epoch. No disperser chooses others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitteeParameters {
    code: Parameters,
    threshold: u16,
    max_payload: u32,
}

impl CommitteeParameters {
    /// The largest `maxPayload` that any epoch can have, in bytes.
    pub const MAX_PAYLOAD_LIMIT: u32 = 1 << 30;
    /// The largest payload unless an epoch says otherwise, in bytes.
    pub const DEFAULT_MAX_PAYLOAD: u32 = 32 << 20;

    /// Checks `k <= t <= n`, `t > n/2` and `1 <= max_payload <= 2^30`.
    ///
    /// # Errors
    ///
    /// [`Error::Threshold`] or [`Error::MaxPayload`].
    pub fn new(code: Parameters, threshold: u16, max_payload: u32) -> Result<Self, Error> {
        let most = code.total_shards();
        let least = code.original_shards().max(most / 2 + 1);
        if !(least..=most).contains(&threshold) {
            return Err(Error::Threshold { least, most, got: threshold });
        }
        if !(1..=Self::MAX_PAYLOAD_LIMIT).contains(&max_payload) {
            return Err(Error::MaxPayload { most: Self::MAX_PAYLOAD_LIMIT, got: max_payload });
        }
        Ok(Self { code, threshold, max_payload })
    }

    /// Numbers of original and total shards, `k` and `n`.
    #[must_use]
    pub fn code(&self) -> Parameters {
        self.code
    }

    /// Signatures needed, `t`.
    #[must_use]
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// Largest payload in bytes.
    #[must_use]
    pub fn max_payload(&self) -> u32 {
        self.max_payload
    }

    /// Original shards, `k`.
    #[must_use]
    pub fn original_shards(&self) -> u16 {
        self.code.original_shards()
    }

    /// Members and shards, `n`.
    #[must_use]
    pub fn total_shards(&self) -> u16 {
        self.code.total_shards()
    }

    /// Signers that may misbehave while a blob stays readable, `f = t - k`.
    #[must_use]
    pub fn faults(&self) -> u16 {
        self.threshold - self.original_shards()
    }
}
