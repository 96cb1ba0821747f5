use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use holdfast_erasure::{AcceptedShard, Blob, Commitment, Parameters, ShardIndex, decode, keccak256};
use holdfast_registry::EpochRecord;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    ledger::Ledger,
    plan::ReadPlan,
    race::{Event, Race, halfway, hedge_after},
    read::Read,
};
use crate::{error::Error, failure::FailureReason, fault::Fault, members::Member, observer::Progress};

/// How long an audit waits for members past those that were needed.
const AUDIT_WAIT: Duration = Duration::from_secs(3);

/// The most shards of other positions that one member is asked for.
const MAX_COPIES: usize = 8;

/// A member, and a shard that it should hold.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) member: Member,
    pub(crate) index: ShardIndex,
}

/// A commitment that is being fetched beside the shards; they are accepted when it is there.
pub(crate) type Promised = watch::Receiver<Option<Commitment>>;

/// An accepted shard, and the slot of the member that gave it.
pub(crate) type Given = (AcceptedShard, u16);

/// The members of these epochs that hold shards of the blob's code, and how many of an epoch may lie.
pub(crate) fn holders(read: &Read<'_>, blob: &Blob, records: &[Arc<EpochRecord>]) -> Result<(Vec<Holder>, u16), Error> {
    let parameters = blob.parameters().map_err(Error::Code)?;
    let of_this_code = || records.iter().filter(|record| record.committee.parameters().code() == parameters);
    let faults = of_this_code().map(|record| record.committee.parameters().faults()).max().unwrap_or(0);
    let holders = of_this_code()
        .flat_map(|record| read.members(record))
        .map(|member| {
            let index = parameters.shard_of_slot(member.slot, &blob.shards_root);
            Holder { member, index }
        })
        .collect();
    Ok((holders, faults))
}

/// Reads a payload from any `k` accepted shards. Returns it with the slots whose shards were used.
pub(crate) async fn fetch(
    read: &mut Read<'_>,
    blob: Blob,
    promised: Promised,
    records: &[Arc<EpochRecord>],
) -> Result<(Bytes, Vec<u16>), Error> {
    let (holders, faults) = holders(read, &blob, records)?;
    let (commitment, accepted) = collect(read, blob, promised, holders, faults).await?;
    joined(read, commitment, accepted).await
}

/// Any `k` accepted shards: the original ones first, others for those that fail or are slow. Up to `faults` of an epoch's
/// members may lie about what has expired.
pub(crate) async fn collect(
    read: &mut Read<'_>,
    blob: Blob,
    promised: Promised,
    holders: Vec<Holder>,
    faults: u16,
) -> Result<(Commitment, Vec<Given>), Error> {
    let parameters = blob.parameters().map_err(Error::Code)?;
    let mut holders = in_order_of_preference(read, parameters, holders);
    let needed = parameters.original_shards();
    let length = parameters.shard_length(blob.payload_length);
    let hedge_after = hedge_after(read.context.config.hedge_delay, length);
    let plan = ReadPlan::new(needed.into(), 0, hedge_after, holders.iter().map(|holder| holder.index.get()));
    let mut race = Race::new(plan, read.deadline);
    if read.options.audit {
        race.plan.ask_all();
    }
    let mut accepted: Vec<Given> = Vec::new();
    let mut searched_copies = false;
    // What was said of shards alone: that a whole payload has expired says nothing of them.
    let mut said = Ledger::default();
    loop {
        match race.next(|number| ask(read, &promised, length, &holders[number])).await {
            Event::Answer(number, answer) => {
                let answer = answer.map_err(|reason| judged(read, &blob, &holders[number], reason));
                if let Err(reason) = &answer {
                    said.fail(&holders[number].member, reason.clone());
                }
                settle(read, &mut race, &holders[number], number, answer, &mut accepted, needed);
            }
            Event::Done => {
                race.overdue().for_each(|number| holders[number].member.peer.set_behind(true));
                break;
            }
            Event::Impossible if !searched_copies => {
                searched_copies = true;
                for holder in copies(read, parameters, &holders, &race.plan.accepted()).await {
                    race.plan.add(holder.index.get());
                    holders.push(holder);
                }
            }
            Event::Impossible | Event::Deadline => {
                let error = failed(read, &race, &holders, needed);
                return Err(gone(read, &said, &holders, parameters, faults).unwrap_or(error));
            }
        }
    }
    if read.options.audit {
        let until = Instant::now() + AUDIT_WAIT;
        while let Some(Event::Answer(number, answer)) = race.late(until).await {
            let answer = answer.map_err(|reason| judged(read, &blob, &holders[number], reason));
            settle(read, &mut race, &holders[number], number, answer, &mut accepted, needed);
        }
        give_up(read, &race, &holders, |waited| FailureReason::NoAnswer { within: waited });
    }
    drop(race);
    let commitment = promised.borrow().clone().expect("no shard is accepted without it");
    Ok((commitment, accepted))
}

/// A signer has promised its own shard; a copy of another one nobody has.
fn judged(read: &Read<'_>, blob: &Blob, holder: &Holder, reason: FailureReason) -> FailureReason {
    let own = blob.parameters().is_ok_and(|it| it.shard_of_slot(holder.member.slot, &blob.shards_root) == holder.index);
    read.judged(&holder.member, reason, if own { read.promised() } else { 0 })
}

/// Why the shards cannot come any more, where so many members say that they have none that it is certain: expired, or
/// denied by those that have signed for them.
fn gone(read: &Read<'_>, said: &Ledger, holders: &[Holder], parameters: Parameters, faults: u16) -> Option<Error> {
    let needed = parameters.recovery_shards() + 1;
    let epochs: BTreeSet<u64> = holders.iter().map(|holder| holder.member.epoch).collect();
    let (blob, failures) = (read.id, || read.ledger.failures());
    if epochs.is_empty() {
        return None;
    }
    if epochs.iter().all(|epoch| said.is_expired(*epoch, faults, needed)) {
        return Some(Error::Expired { blob, failures: failures() });
    }
    // With a certificate in hand there is one epoch.
    let said = epochs.iter().find_map(|epoch| said.denied(*epoch, needed))?;
    Some(Error::PromiseBroken { blob, said, needed, failures: failures() })
}

/// Original shards before recovery shards, so that nothing need be decoded; members that keep readers waiting after the others,
/// and those that have already failed last; the rest from another beginning each time.
fn in_order_of_preference(read: &Read<'_>, parameters: Parameters, mut holders: Vec<Holder>) -> Vec<Holder> {
    // A member of several epochs holds each of its shards once.
    let mut known = BTreeSet::new();
    holders.retain(|it| known.insert((it.member.peer.endpoint().to_owned(), it.index)));
    let (k, n) = (parameters.original_shards(), parameters.total_shards());
    let (turn, now) = (read.context.turn(), Instant::now());
    holders.sort_by_cached_key(|it| {
        let index = it.index.get();
        let place = if index < k { 0 } else { 1 + (usize::from(index - k) + turn) % usize::from(n - k) };
        (read.rank(&it.member, now), place)
    });
    holders
}

fn ask(
    read: &Read<'_>,
    promised: &Promised,
    length: usize,
    holder: &Holder,
) -> impl Future<Output = Result<AcceptedShard, FailureReason>> + Send + use<> {
    let (peer, index, id) = (holder.member.peer.clone(), holder.index, read.id);
    let (mut promised, cpu) = (promised.clone(), read.context.cpu.clone());
    async move {
        let shard = peer.get_shard(&id, index, length).await?;
        let Ok(commitment) = promised.wait_for(Option::is_some).await.map(|it| (*it).clone()) else {
            // Nobody has the commitment: the read is over and drops this.
            return std::future::pending().await;
        };
        let commitment = commitment.expect("waited for");
        cpu.run(move || commitment.accept(index, shard))
            .await
            .map_err(|error| Fault::WrongShard(error.to_string()).into())
    }
}

fn settle(
    read: &mut Read<'_>,
    race: &mut Race<AcceptedShard>,
    holder: &Holder,
    number: usize,
    answer: Result<AcceptedShard, FailureReason>,
    accepted: &mut Vec<Given>,
    needed: u16,
) {
    match answer {
        Ok(shard) => {
            race.plan.accept(number);
            read.succeed(&holder.member);
            // In an audit the shards beyond those needed are checked, and not kept.
            let kept = accepted.len() >= usize::from(needed)
                || accepted.iter().any(|(other, _)| other.index() == shard.index());
            if !kept {
                accepted.push((shard, holder.member.slot));
                let count = u16::try_from(accepted.len()).expect("positions are below 126");
                read.context.tell(Progress::Accepted { accepted: count, needed });
            }
        }
        Err(reason) => {
            race.failed(number, &reason);
            read.ledger.fail(&holder.member, reason);
        }
    }
}

/// Shards that members hold beside their own: copies kept where a position can never be filled, and shards of other
/// slots of theirs.
async fn copies(read: &Read<'_>, parameters: Parameters, holders: &[Holder], accepted: &BTreeSet<u16>) -> Vec<Holder> {
    let known: BTreeSet<(&str, u16)> = holders.iter().map(|it| (it.member.peer.endpoint(), it.index.get())).collect();
    let id = read.id;
    // A member that never answers must leave time for the copies that others name.
    let until = halfway(read.deadline);
    let answers = join_all(holders.iter().map(|holder| async move {
        let answer = timeout_at(until, holder.member.peer.get_blob(&id)).await;
        (&holder.member, answer.ok().and_then(Result::ok).map_or_else(Vec::new, |answer| answer.shard_indices))
    }))
    .await;
    let mut found = Vec::new();
    for (member, indices) in answers {
        let others = indices
            .into_iter()
            .filter_map(|index| parameters.index(u16::try_from(index).ok()?).ok())
            .filter(|index| !accepted.contains(&index.get()))
            .filter(|index| !known.contains(&(member.peer.endpoint(), index.get())))
            .collect::<BTreeSet<ShardIndex>>();
        found.extend(others.into_iter().take(MAX_COPIES).map(|index| Holder { member: member.clone(), index }));
    }
    found
}

fn failed(read: &mut Read<'_>, race: &Race<AcceptedShard>, holders: &[Holder], needed: u16) -> Error {
    give_up(read, race, holders, |waited| FailureReason::NoAnswer { within: waited });
    for number in race.plan.unasked() {
        read.ledger.give_up(&holders[number].member, FailureReason::NotAsked);
    }
    let accepted = u16::try_from(race.plan.accepted().len()).expect("positions are below 126");
    Error::NotRetrievable { blob: read.id, needed, accepted, failures: read.ledger.failures() }
}

fn give_up(
    read: &mut Read<'_>,
    race: &Race<AcceptedShard>,
    holders: &[Holder],
    reason: impl Fn(Duration) -> FailureReason,
) {
    for (number, asked) in race.plan.outstanding() {
        read.ledger.give_up(&holders[number].member, reason(race.waited(asked)));
    }
}

/// Decodes, and checks the payload's digest where the blob names one.
async fn joined(read: &Read<'_>, commitment: Commitment, mut accepted: Vec<Given>) -> Result<(Bytes, Vec<u16>), Error> {
    accepted.sort_by_key(|(shard, _)| shard.index());
    let (shards, slots): (Vec<AcceptedShard>, Vec<u16>) = accepted.into_iter().unzip();
    let blob = *commitment.blob();
    let (payload, digest) = read
        .context
        .cpu
        .run(move || {
            let payload = decode(&commitment, &shards).map_err(Error::Code)?;
            let digest = if blob.is_by_payload() { keccak256(&payload) } else { blob.payload_digest };
            Ok::<_, Error>((payload, digest))
        })
        .await?;
    if digest != blob.payload_digest {
        return Err(Error::Inconsistent { blob: read.id, expected: blob.payload_digest, got: digest });
    }
    Ok((payload, slots))
}
