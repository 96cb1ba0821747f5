use std::time::Duration;

use holdfast_certificate::PublicKey;

/// How a blob is read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RetrieveOptions {
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
    /// By blob id: the epoch whose members are asked, where not the active one and those before it.
    pub epoch: Option<u64>,
    /// Only these slots are asked, where not empty.
    pub only: Vec<u16>,
    /// The member with this key is not asked: a member that reads for itself.
    pub except: Option<PublicKey>,
    /// Asks every member for its shard, even when enough are accepted, so that every faulty one is named.
    pub audit: bool,
}

impl RetrieveOptions {
    /// How long the call may take, an hour at most.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// By blob id: asks the members of this epoch alone.
    #[must_use]
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Asks these slots alone.
    #[must_use]
    pub fn only(mut self, slots: impl IntoIterator<Item = u16>) -> Self {
        self.only = slots.into_iter().collect();
        self
    }

    /// Does not ask the member with this key.
    #[must_use]
    pub fn except(mut self, key: PublicKey) -> Self {
        self.except = Some(key);
        self
    }

    /// Asks every member for its shard, so that every faulty one is named.
    #[must_use]
    pub fn audit(mut self) -> Self {
        self.audit = true;
        self
    }
}
