use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::asking::{Asking, Heard};
use crate::{
    failure::{FailureReason, MemberFailure},
    members::Member,
};

/// How long one member may take to take a certificate.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(5);

/// The feeding of slow members, which goes on after a certificate stands. It belongs to the client: dropping this stops
/// nothing, and the certificate needs nothing of it.
#[derive(Clone, Debug)]
pub struct Feeding {
    fed: watch::Receiver<Fed>,
}

/// What the members did that were not needed for the quorum.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fed {
    /// Slots that attested after the certificate stood, in that order. Their attestations are not verified.
    pub stored: Vec<u16>,
    /// Members that do not hold their part, those that had failed before among them, in slot order once it is over.
    pub failures: Vec<MemberFailure>,
}

impl Feeding {
    /// What is known so far.
    #[must_use]
    pub fn so_far(&self) -> Fed {
        self.fed.borrow().clone()
    }

    /// Whether nobody is fed any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.fed.has_changed().is_err()
    }

    /// Waits until nobody is fed any more: every member has stored its part, or failed, or the limit was over, and has had
    /// its chance to take the certificate; or the client is gone.
    pub async fn over(&mut self) -> Fed {
        while self.fed.changed().await.is_ok() {}
        self.so_far()
    }
}

/// Makes the two ends of a feeding; `failures` are those of the members that had failed before.
pub(crate) fn feeding(failures: Vec<MemberFailure>) -> (watch::Sender<Fed>, Feeding) {
    let (tell, fed) = watch::channel(Fed { stored: Vec::new(), failures });
    (tell, Feeding { fed })
}

/// Goes on after the quorum: gives the certificate at once to the members that attested, to each other member as soon as
/// it has stored its part or failed, and when `limit` is over to those that never answered.
pub(crate) async fn settle(
    asking: Asking,
    attested: Vec<u16>,
    certificate: Bytes,
    limit: Duration,
    tell: watch::Sender<Fed>,
) {
    let started = Instant::now();
    let mut asking = asking.until(started + limit);
    let mut waiting: BTreeMap<u16, Member> =
        asking.members().iter().map(|member| (member.slot, member.clone())).collect();
    let mut giving = JoinSet::new();
    for slot in attested {
        if let Some(member) = waiting.remove(&slot) {
            giving.spawn(give(member, certificate.clone()));
        }
    }
    while let Some(heard) = asking.next(started + limit).await {
        let (slot, failure) = match heard {
            Heard::Attested(slot, _) => (slot, None),
            Heard::Failed(slot, reason) => (slot, Some(reason)),
            Heard::Later(_) => continue,
        };
        let Some(member) = waiting.remove(&slot) else { continue };
        note(&tell, &member, failure);
        giving.spawn(give(member, certificate.clone()));
    }
    for member in waiting.into_values() {
        let said = asking.said(member.slot).cloned();
        note(&tell, &member, Some(said.unwrap_or(FailureReason::NoAnswer { within: limit })));
        giving.spawn(give(member, certificate.clone()));
    }
    asking.cut().await;
    giving.join_all().await;
}

/// Gives the certificate to all of them, who has its part and who has not: that one then knows what it lacks.
pub(crate) async fn give_all(members: Vec<Member>, certificate: Bytes) {
    let giving: JoinSet<()> = members.into_iter().map(|member| give(member, certificate.clone())).collect();
    giving.join_all().await;
}

/// Keeps what a member came to, unless its failure is known from before the quorum.
fn note(tell: &watch::Sender<Fed>, member: &Member, failure: Option<FailureReason>) {
    if let Some(reason) = &failure {
        tracing::debug!(slot = member.slot, %reason, "a member did not attest");
    }
    tell.send_modify(|fed| match failure {
        None => fed.stored.push(member.slot),
        Some(reason) => {
            if let Err(place) = fed.failures.binary_search_by_key(&member.slot, |known| known.slot) {
                fed.failures.insert(place, member.failure(reason));
            }
        }
    });
}

async fn give(member: Member, certificate: Bytes) {
    let reason = match timeout(CERTIFICATE_TIMEOUT, member.peer.put_certificate(certificate)).await {
        Ok(Ok(())) => return,
        Ok(Err(reason)) => reason,
        Err(_) => FailureReason::NoAnswer { within: CERTIFICATE_TIMEOUT },
    };
    tracing::debug!(slot = member.slot, endpoint = member.peer.endpoint(), %reason, "a member did not take the certificate");
}
