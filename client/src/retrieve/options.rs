use std::time::Duration;

/// How a blob is read.
#[derive(Clone, Debug, Default)]
pub struct RetrieveOptions {
    /// How long the call may take, an hour at most. Default: the client's.
    pub deadline: Option<Duration>,
    /// By blob id: the epoch whose members are asked, where not the active one and those before it.
    pub epoch: Option<u64>,
    /// Only these slots are asked, where not empty.
    pub only: Vec<u16>,
    /// Asks every member for its shard, even when enough are accepted, so that every faulty one is named.
    pub audit: bool,
}
