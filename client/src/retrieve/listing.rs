//! Everything that members have signed in a namespace.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use holdfast_certificate::{Namespace, PublicKey, Statement};
use holdfast_registry::EpochRecord;
use tokio::time::{Instant, timeout_at};

use super::epochs;
use crate::{
    config::MAX_WAIT,
    context::Context,
    error::Error,
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    source::{Source, sources},
};

/// The most epochs, counted back from the newest, whose members are asked.
const MAX_EPOCHS: u64 = 32;

/// The most statements that are taken from one member's list.
const MAX_LISTED: usize = 500_000;

/// What members of a namespace's epochs have signed, put together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing {
    /// The statements, about in the order in which they were signed.
    pub listed: Vec<Listed>,
    /// Whether nothing that has a certificate can be missing: of every epoch, `n - k + 1` members gave their list to its end.
    pub complete: bool,
    /// Members that did not.
    pub failures: Vec<MemberFailure>,
}

/// A statement that members say that they have signed. Who may lie may make some up: what is read of it is checked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// The statement.
    pub statement: Statement,
    /// Whether one of them says that it knows a certificate.
    pub certified: bool,
    /// How many members of its epoch list it.
    pub members: u16,
    /// Whether so many list it that one of them is honest.
    pub witnessed: bool,
}

pub(crate) async fn list(context: &Context, namespace: Namespace, within: Duration) -> Result<Listing, Error> {
    context.check_open()?;
    let within = within.min(MAX_WAIT);
    let deadline = Instant::now() + within;
    let newest = context.newest_epoch(deadline).await?;
    let (mut records, every_epoch) = epochs::before(context, newest.committee.epoch(), MAX_EPOCHS, deadline).await;
    records.insert(0, newest);
    let lists = lists(context, &records, namespace, (deadline, within)).await;
    let complete = every_epoch && records.iter().all(|record| heard(record, &lists));
    let failures = lists.values().filter_map(|list| list.failure.clone()).collect();
    Ok(Listing { listed: merged(&records, &lists), complete, failures })
}

type Key = [u8; PublicKey::BYTES];

/// What one member lists.
struct List {
    signed: Vec<(Statement, bool)>,
    /// None where it came to its end.
    failure: Option<MemberFailure>,
}

/// The lists of all members of these epochs; who serves in several is asked once, where the newest of them says.
async fn lists(
    context: &Context,
    records: &[Arc<EpochRecord>],
    namespace: Namespace,
    (deadline, within): (Instant, Duration),
) -> HashMap<Key, List> {
    let mut asked = BTreeMap::new();
    for source in records.iter().flat_map(|record| sources(context, record)) {
        asked.entry(source.key().to_bytes()).or_insert(source);
    }
    let answers = asked.into_iter().map(|(key, source)| async move {
        let mut signed = Vec::new();
        let outcome = timeout_at(deadline, to_its_end(&source, namespace, &mut signed)).await;
        let reason = outcome.unwrap_or(Err(FailureReason::NoAnswer { within })).err();
        (key, List { signed, failure: reason.map(|reason| source.failure(reason)) })
    });
    answers.collect::<FuturesUnordered<_>>().collect().await
}

async fn to_its_end(
    source: &Source,
    namespace: Namespace,
    signed: &mut Vec<(Statement, bool)>,
) -> Result<(), FailureReason> {
    let mut at = Bytes::new();
    loop {
        let page = source.list(Some(&namespace), at).await?;
        let nothing_new = page.signed.is_empty();
        signed.extend(page.signed.into_iter().filter(|(statement, _)| statement.namespace == namespace));
        match page.next {
            None => return Ok(()),
            // A page without statements and with a next one would never end.
            Some(_) if nothing_new || signed.len() > MAX_LISTED => return Err(Fault::EndlessList.into()),
            Some(next) => at = next,
        }
    }
}

/// Whether so many of an epoch's members were heard that one honest signer of each of its certificates is among them.
fn heard(record: &EpochRecord, lists: &HashMap<Key, List>) -> bool {
    let ended =
        record.committee.keys().iter().filter(|key| lists.get(&key.to_bytes()).is_some_and(|it| it.failure.is_none()));
    ended.count() > usize::from(record.committee.parameters().code().recovery_shards())
}

/// A statement, by what tells it from the others of its namespace.
type Of = (u64, [u8; 32], u64, u64);

fn merged(records: &[Arc<EpochRecord>], lists: &HashMap<Key, List>) -> Vec<Listed> {
    let mut found: HashMap<Of, (Listed, Vec<usize>)> = HashMap::new();
    for record in records {
        let (epoch, faults) = (record.committee.epoch(), record.committee.parameters().faults());
        for list in record.committee.keys().iter().filter_map(|key| lists.get(&key.to_bytes())) {
            let mut once = BTreeSet::new();
            for (rank, (statement, certified)) in list.signed.iter().enumerate() {
                let of = (epoch, *statement.blob.id().as_bytes(), statement.retain_until, statement.whole_until);
                if statement.epoch != epoch || !once.insert(of) {
                    continue;
                }
                let new = Listed { statement: *statement, certified: false, members: 0, witnessed: false };
                let (listed, ranks) = found.entry(of).or_insert_with(|| (new, Vec::new()));
                listed.certified |= certified;
                listed.members += 1;
                listed.witnessed = listed.members > faults;
                ranks.push(rank);
            }
        }
    }
    let mut in_order: Vec<(u64, usize, Of, Listed)> = found
        .into_iter()
        .map(|(of, (listed, mut ranks))| {
            ranks.sort_unstable();
            // The middle one: a single list that is turned round changes nothing.
            (of.0, ranks[ranks.len() / 2], of, listed)
        })
        .collect();
    in_order.sort_unstable_by_key(|(epoch, rank, of, _)| (*epoch, *rank, *of));
    in_order.into_iter().map(|(.., listed)| listed).collect()
}
