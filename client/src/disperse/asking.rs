use std::{collections::BTreeMap, fmt, sync::Arc};

use futures::future::BoxFuture;
use holdfast_certificate::Attestation;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{failure::FailureReason, fault::Fault, members::Member};

/// Asks one member for its attestation.
type Ask = Arc<dyn Fn(Member) -> Answer + Send + Sync>;

type Answer = BoxFuture<'static, Result<Attestation, FailureReason>>;

/// Every member of an epoch asked the same thing at once, and asked again where it says that this helps. Dropping it cuts
/// the requests in flight.
pub(crate) struct Asking {
    members: Vec<Member>,
    ask: Ask,
    sending: JoinSet<(u16, Result<Attestation, FailureReason>)>,
    /// Nobody is asked again past this.
    deadline: Instant,
    /// What those said that are asked again.
    said: BTreeMap<u16, FailureReason>,
}

/// What one member's request came to.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It attested, for its own slot; the signature is not verified.
    Attested(u16, Attestation),
    /// It failed for good.
    Failed(u16, FailureReason),
    /// It is asked again: the reason stands in [`Asking::said`].
    Later(u16),
}

impl Asking {
    /// Asks every member.
    pub(crate) fn all<F>(
        members: Vec<Member>,
        deadline: Instant,
        ask: impl Fn(Member) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Attestation, FailureReason>> + Send + 'static,
    {
        let ask: Ask = Arc::new(move |member| -> Answer { Box::pin(ask(member)) });
        let mut sending = JoinSet::new();
        for member in &members {
            let (slot, answer) = (member.slot, ask(member.clone()));
            sending.spawn(async move { (slot, answer.await) });
        }
        Self { members, ask, sending, deadline, said: BTreeMap::new() }
    }

    /// The next answer; none when there is none until then, or nobody is asked any more.
    pub(crate) async fn next(&mut self, until: Instant) -> Option<Heard> {
        let (slot, answer) = match timeout_at(until, self.sending.join_next()).await {
            Ok(Some(Ok(answer))) => answer,
            Ok(Some(Err(error))) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being stopped.
                Err(_) => return None,
            },
            Ok(None) | Err(_) => return None,
        };
        Some(match answer.and_then(|attestation| of_slot(slot, attestation)) {
            Ok(attestation) => {
                self.said.remove(&slot);
                Heard::Attested(slot, attestation)
            }
            Err(reason) => match reason.again_after() {
                Some(pause) if Instant::now() + pause < self.deadline => {
                    self.said.insert(slot, reason);
                    let (ask, member) = (Arc::clone(&self.ask), self.member(slot).clone());
                    self.sending.spawn(async move {
                        sleep(pause).await;
                        (slot, ask(member).await)
                    });
                    Heard::Later(slot)
                }
                _ => Heard::Failed(slot, reason),
            },
        })
    }

    /// The same requests with another deadline, for who goes on with them.
    pub(crate) fn until(mut self, deadline: Instant) -> Self {
        self.deadline = deadline;
        self
    }

    /// What a member said that is asked again.
    pub(crate) fn said(&self, slot: u16) -> Option<&FailureReason> {
        self.said.get(&slot)
    }

    /// The members, in slot order.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn member(&self, slot: u16) -> &Member {
        &self.members[usize::from(slot)]
    }

    /// Cuts what is in flight.
    pub(crate) async fn cut(&mut self) {
        self.sending.shutdown().await;
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("members", &self.members).field("said", &self.said).finish_non_exhaustive()
    }
}

fn of_slot(slot: u16, attestation: Attestation) -> Result<Attestation, FailureReason> {
    if attestation.slot == slot {
        Ok(attestation)
    } else {
        Err(Fault::WrongSlot { expected: slot, got: attestation.slot }.into())
    }
}
