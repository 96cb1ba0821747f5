use std::{collections::BTreeSet, sync::Arc};

use holdfast_erasure::{Blob, BlobId, Commitment};
use holdfast_proto::v1;
use holdfast_registry::EpochRecord;
use tokio::time::Instant;

use super::{
    ledger::is_gone,
    plan::ReadPlan,
    race::{Event, Race, turned},
    read::Read,
};
use crate::{
    cpu::Cpu,
    error::{Error, Wanted},
    failure::FailureReason,
    fault::Fault,
    members::Member,
};

/// The most epochs that one member's word makes a reader look at.
const MAX_HINTED_EPOCHS: usize = 4;

/// A blob's commitment, checked against its id, and what the member that gave it says beside.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) commitment: Commitment,
    /// Epochs in which the blob was signed, newest first. Not checked: where to ask, not what to believe.
    pub(crate) epochs: Vec<u64>,
    /// The latest time until which the payload is kept whole. Not checked.
    pub(crate) whole_until: u64,
}

/// Gets a blob's commitment from any member of an epoch.
pub(crate) async fn locate(
    read: &mut Read<'_>,
    record: &EpochRecord,
    members: &[Member],
    deadline: Instant,
) -> Result<Located, Error> {
    let (context, id) = (read.context, read.id);
    let members = turned(members, context.turn());
    let epoch = record.committee.epoch();
    let needed = record.committee.parameters().code().recovery_shards() + 1;
    let plan = ReadPlan::new(1, 1, context.config.hedge_delay, 0..u16::try_from(members.len()).unwrap_or(u16::MAX));
    let mut race = Race::new(plan, deadline);
    loop {
        let event = race
            .next(|number| {
                let (peer, cpu) = (members[number].peer.clone(), context.cpu.clone());
                async move { Ok(checked(id, peer.get_blob(&id).await?, &cpu).await?) }
            })
            .await;
        match event {
            Event::Answer(number, Ok(located)) => {
                read.ledger.succeed(&members[number]);
                return Ok::<Located, Error>(located);
            }
            Event::Answer(number, Err(reason)) => {
                race.failed(number, &reason);
                if is_gone(&reason) {
                    // It is likely that all will say so: find out in one round trip.
                    race.plan.ask_all();
                }
                read.fail(&members[number], reason, read.promised());
                if read.ledger.count(epoch, is_gone) >= needed {
                    // The answer is known: whoever was not waited for has not failed.
                    return Err(nowhere(read, record, needed));
                }
            }
            Event::Done | Event::Impossible | Event::Deadline => break,
        }
    }
    let outstanding: Vec<_> = race.plan.outstanding().collect();
    for (number, asked) in outstanding {
        read.ledger.give_up(&members[number], FailureReason::NoAnswer { within: race.waited(asked) });
    }
    for number in race.plan.unasked() {
        read.ledger.give_up(&members[number], FailureReason::NotAsked);
    }
    Err(nowhere(read, record, needed))
}

/// What it means that no member gave the commitment.
fn nowhere(read: &Read<'_>, record: &EpochRecord, needed: u16) -> Error {
    let (blob, ledger, epoch) = (read.id, &read.ledger, record.committee.epoch());
    if ledger.is_expired(epoch, record.committee.parameters().faults(), needed) {
        return Error::Expired { blob, failures: ledger.failures() };
    }
    if let Some(said) = ledger.denied(epoch, needed) {
        return Error::PromiseBroken { blob, said, needed, failures: ledger.failures() };
    }
    let what = Wanted::Blob(blob);
    let said = ledger.count(epoch, |reason| matches!(reason, FailureReason::NotStored));
    if said >= needed {
        return Error::NotFound { what, said, needed };
    }
    Error::Unknown { what, said, needed, failures: ledger.failures() }
}

async fn checked(id: BlobId, answer: v1::GetBlobResponse, cpu: &Cpu) -> Result<Located, Fault> {
    let missing = || holdfast_proto::Error::Missing { field: "commitment" };
    let wire = Arc::new(answer.commitment.ok_or_else(missing)?);
    let blob = Blob::try_from(wire.blob.as_ref().ok_or_else(missing)?)?;
    if blob.id() != id {
        return Err(Fault::WrongCommitment { got: blob.id() });
    }
    let commitment = cpu.run(move || Commitment::try_from(wire.as_ref())).await?;
    let statements = answer.statements.iter().filter_map(|signed| signed.statement.as_ref());
    let epochs: BTreeSet<u64> = statements.clone().map(|statement| statement.epoch).collect();
    Ok(Located {
        commitment,
        epochs: epochs.into_iter().rev().take(MAX_HINTED_EPOCHS).collect(),
        whole_until: statements.map(|statement| statement.whole_until).max().unwrap_or(0),
    })
}
