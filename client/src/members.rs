use holdfast_registry::EpochRecord;
use holdfast_transport::{MemberKey, Trust};

use crate::{
    failure::{FailureReason, MemberFailure},
    peer::{Peer, Peers},
};

/// One slot of an epoch, and the connection to who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) epoch: u64,
    pub(crate) slot: u16,
    pub(crate) peer: Peer,
}

impl Member {
    pub(crate) fn failure(&self, reason: FailureReason) -> MemberFailure {
        MemberFailure { slot: self.slot, endpoint: self.peer.endpoint().to_owned(), reason }
    }
}

/// Every member of an epoch, in slot order. A slot without an endpoint is there, and fails when it is asked.
pub(crate) fn members_of(record: &EpochRecord, peers: &Peers) -> Vec<Member> {
    let epoch = record.committee.epoch();
    (0..record.committee.parameters().total_shards())
        .map(|slot| {
            let endpoint = record.endpoints.get(usize::from(slot));
            let (url, pin) = endpoint.map_or(("", None), |endpoint| (endpoint.url.as_str(), endpoint.tls_pin));
            let member = MemberKey::of(&record.committee, slot);
            Member { epoch, slot, peer: peers.at(url, Trust { pin, member }) }
        })
        .collect()
}
