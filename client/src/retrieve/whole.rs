use bytes::Bytes;
use holdfast_erasure::{Blob, Dispersal, encode_on};
use tokio::time::Instant;

use super::{
    plan::ReadPlan,
    race::{Event, Race, hedge_after, turned},
    read::Read,
};
use crate::{failure::FailureReason, fault::Fault, members::Member};

/// Gets a by-payload blob's payload whole from any one member: accepted only when the blob id recomputed from it is the
/// one asked for. None when no member gives it by `deadline`; the ledger says why.
pub(crate) async fn fetch(
    read: &mut Read<'_>,
    blob: &Blob,
    members: &[Member],
    deadline: Instant,
) -> Option<(Bytes, u16)> {
    let mut members = turned(members, read.context.turn());
    let now = Instant::now();
    members.sort_by_cached_key(|member| read.rank(member, now));
    let length = usize::try_from(blob.payload_length).ok()?;
    let parameters = blob.parameters().ok()?;
    let hedge_after = hedge_after(read.context.config.hedge_delay, length);
    let plan = ReadPlan::new(1, 0, hedge_after, 0..u16::try_from(members.len()).unwrap_or(u16::MAX));
    let mut race = Race::new(plan, deadline);
    let id = read.id;
    loop {
        let event = race
            .next(|number| {
                let (peer, cpu) = (members[number].peer.clone(), read.context.cpu.clone());
                async move {
                    let payload = peer.get_payload(&id, length).await?;
                    let cores = cpu.cores();
                    let recomputed = cpu.run(move || {
                        let encoded = encode_on(cores, parameters, payload.clone(), Dispersal::ByPayload);
                        (encoded.map(|encoded| encoded.id()), payload)
                    });
                    match recomputed.await {
                        (Ok(got), payload) if got == id => Ok(payload),
                        (Ok(got), _) => Err(Fault::WrongPayload { got }.into()),
                        (Err(error), _) => Err(FailureReason::from(Fault::WrongShard(error.to_string()))),
                    }
                }
            })
            .await;
        match event {
            Event::Answer(number, Ok(payload)) => {
                race.plan.accept(number);
                read.succeed(&members[number]);
                race.overdue().for_each(|late| members[late].peer.set_behind(true));
                return Some((payload, members[number].slot));
            }
            Event::Answer(number, Err(reason)) => {
                race.failed(number, &reason);
                read.fail(&members[number], reason, read.promised_whole());
            }
            Event::Done | Event::Impossible | Event::Deadline => break,
        }
    }
    let outstanding: Vec<_> = race.plan.outstanding().collect();
    for (number, asked) in outstanding {
        read.ledger.give_up(&members[number], FailureReason::NoAnswer { within: race.waited(asked) });
    }
    None
}
