use std::time::Duration;

use holdfast_certificate::Namespace;
use holdfast_erasure::Dispersal;

/// How a payload is dispersed. The default is by shard, with the client's retention and deadline.
///
/// ```
/// use std::time::Duration;
/// use holdfast_client::DisperseOptions;
///
/// let options = DisperseOptions::by_payload()
///     .retain_for(Duration::from_secs(14 * 24 * 3600))
///     .deadline(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DisperseOptions {
    /// What each member receives: its shard, or the whole payload.
    pub dispersal: Dispersal,
    /// The namespace, where not the client's.
    pub namespace: Option<Namespace>,
    /// Until when members hold their shard: unix seconds, a whole hour. Default: now plus `retain_for`.
    pub retain_until: Option<u64>,
    /// For how long from now members hold their shard, rounded up to the hour, ten years at most. Default: the client's
    /// retention.
    pub retain_for: Option<Duration>,
    /// By payload: until when members keep it whole, a whole hour and not past `retain_until`.
    pub whole_until: Option<u64>,
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
}

impl DisperseOptions {
    /// By shard: `n/k` of the payload is sent and stored.
    #[must_use]
    pub fn by_shard() -> Self {
        Self::by(Dispersal::ByShard)
    }

    /// By payload: every member receives and hashes the whole payload, and the certificate carries its keccak256.
    #[must_use]
    pub fn by_payload() -> Self {
        Self::by(Dispersal::ByPayload)
    }

    /// The one or the other.
    #[must_use]
    pub fn by(dispersal: Dispersal) -> Self {
        Self { dispersal, namespace: None, retain_until: None, retain_for: None, whole_until: None, deadline: None }
    }

    /// To this namespace, where not the client's.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Held until then: unix seconds, a whole hour.
    #[must_use]
    pub fn retain_until(mut self, retain_until: u64) -> Self {
        (self.retain_until, self.retain_for) = (Some(retain_until), None);
        self
    }

    /// Held for so long from now, rounded up to the hour.
    #[must_use]
    pub fn retain_for(mut self, retain_for: Duration) -> Self {
        (self.retain_until, self.retain_for) = (None, Some(retain_for));
        self
    }

    /// By payload: kept whole until then, a whole hour and not past the time that it is held until.
    #[must_use]
    pub fn whole_until(mut self, whole_until: u64) -> Self {
        self.whole_until = Some(whole_until);
        self
    }

    /// How long the call may take, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Default for DisperseOptions {
    fn default() -> Self {
        Self::by_shard()
    }
}
