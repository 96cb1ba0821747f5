use holdfast_erasure::BlobId;
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{ledger::Ledger, options::RetrieveOptions};
use crate::{context::Context, members::Member};

/// One read on its way: what is wanted, until when, and what each member has done so far.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub(crate) context: &'a Context,
    pub(crate) id: BlobId,
    pub(crate) deadline: Instant,
    pub(crate) ledger: Ledger,
    pub(crate) options: RetrieveOptions,
}

impl<'a> Read<'a> {
    pub(crate) fn new(context: &'a Context, id: BlobId, deadline: Instant, options: RetrieveOptions) -> Self {
        Self { context, id, deadline, ledger: Ledger::default(), options }
    }

    /// A read of the same blob that goes on beside this one; what it sees is [merged](Ledger::merge) when both are over.
    pub(crate) fn aside(&self) -> Self {
        Self::new(self.context, self.id, self.deadline, self.options.clone())
    }

    /// The epoch's members, or those of them that the caller wants asked.
    pub(crate) fn members(&self, record: &EpochRecord) -> Vec<Member> {
        let only = &self.options.only;
        let mut members = self.context.members(record);
        members.retain(|member| only.is_empty() || only.contains(&member.slot));
        members
    }
}
