use std::fmt::Debug;

/// Hears how far a client's calls have come, for whoever shows it to somebody who waits.
///
/// It is called on the tasks that do the work, so it returns at once.
pub trait Observer: Debug + Send + Sync {
    /// One more step of some call is done.
    fn observe(&self, progress: &Progress);
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A dispersal or checkpoint: the payload is encoded and the statement signed, and every member is asked.
    Asked {
        /// Members.
        members: u16,
    },
    /// A dispersal or checkpoint: members that have attested; whether their signatures are good is seen at the quorum.
    Attested {
        /// So many.
        attested: u16,
        /// As many make a certificate.
        needed: u16,
    },
    /// A retrieval: distinct shards that were accepted.
    Accepted {
        /// So many.
        accepted: u16,
        /// As many rebuild the payload.
        needed: u16,
    },
}
