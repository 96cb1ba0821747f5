use holdfast_registry::{Endpoint, EpochRecord};

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
            let peer = match record.endpoints.get(usize::from(slot)) {
                // Whoever pins a key wants nothing sent in the clear.
                Some(Endpoint { url, tls_pin: Some(_) }) => {
                    Peer::unusable(url, "it has a TLS pin, and this version does not speak TLS")
                }
                Some(endpoint) => peers.at(&endpoint.url),
                None => peers.at(""),
            };
            Member { epoch, slot, peer }
        })
        .collect()
}
