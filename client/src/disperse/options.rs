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
    /// A certificate of the same blob that members have, and that holds for so long from now, is taken instead of a new one.
    /// Default: none is looked for.
    pub enough_for: Option<Duration>,
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
        Self {
            dispersal,
            namespace: None,
            retain_until: None,
            retain_for: None,
            whole_until: None,
            deadline: None,
            enough_for: None,
        }
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

    /// Takes a certificate of the same blob that holds for so long from now, where members of the active epoch have one: who
    /// stores the same bytes again and again then makes no more statements than are needed. Members are given the data all the
    /// same, in the background, so that one which has lost its part has it again. Looking for it costs a round trip.
    #[must_use]
    pub fn enough_for(mut self, enough: Duration) -> Self {
        self.enough_for = Some(enough);
        self
    }
}

impl Default for DisperseOptions {
    fn default() -> Self {
        Self::by_shard()
    }
}

/// How a blob that members hold is held on. The default is the client's retention and deadline.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RenewOptions {
    /// The namespace, where not the client's.
    pub namespace: Option<Namespace>,
    /// Until when: unix seconds, a whole hour. Default: now plus `retain_for`.
    pub retain_until: Option<u64>,
    /// For how long from now, rounded up to the hour, ten years at most. Default: the client's retention.
    pub retain_for: Option<Duration>,
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
}

impl RenewOptions {
    /// In this namespace, where not the client's.
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

    /// How long the call may take, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
