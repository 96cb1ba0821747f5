//! What was published, read from the registry's events: the one thing that is read from logs.
//!
//! # As wide as nodes allow
//!
//! Nodes differ in how many blocks they search at once and how many events they give, and say so in words of their own. So
//! whatever goes wrong with a wide range is tried with a narrower one, and the width that worked is kept.

use std::sync::{Arc, PoisonError};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, U64},
    sol_types::SolEvent as _,
};
use holdfast_certificate::{Certificate, Domain, Namespace, StatementDigest};
use holdfast_contracts::{address_in, address_out, bindings::CommitteeRegistry::Published};
use holdfast_erasure::{BlobId, Digest};
use holdfast_registry::{Position, Publication, Publications, Since};
use serde_json::json;

use super::{source::Source, width::narrower};
use crate::{
    error::Error,
    node::{
        BlockPoint, Node,
        answers::{FoundLog, Sent},
    },
};

/// Namespaces that a node is told to look for; of more, all are asked for, and chosen from here.
const MOST_NAMED: usize = 64;
/// How often a range is made narrower for one answer: from a width of 131,072 to 8 blocks.
const NARROWER: usize = 7;
/// Places in a transaction's data that look like a certificate and are looked at.
const MOST_PLACES: usize = 64;

/// The publications of as many blocks as are answered for at once.
pub(super) async fn page(
    source: &Arc<Source>,
    finalized: BlockPoint,
    namespaces: &[Namespace],
    since: Since,
) -> Result<Publications, Error> {
    let from = match since {
        Since::Block(number) => number,
        Since::Time(time) => first_since(source, finalized, time).await?,
    };
    let last = finalized.number;
    if from > last {
        return Ok(Publications { events: Vec::new(), next: from, finalized: last });
    }
    let width = || source.width.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut blocks, mut refused) = (width().blocks.min(last - from + 1), None);
    for tried in 0..=NARROWER {
        let to = from + blocks - 1;
        match range(source, namespaces, from, to).await {
            Ok(events) => {
                width().worked(blocks, refused);
                return Ok(Publications { events, next: to + 1, finalized: last });
            }
            Err(error) if blocks == 1 || tried == NARROWER => {
                width().failed(blocks);
                return Err(error);
            }
            Err(error) => {
                tracing::debug!(from, to, %error, "the events of fewer blocks are asked for");
                (blocks, refused) = (narrower(blocks), Some(blocks));
            }
        }
    }
    unreachable!("the last round returns")
}

/// The certificate in the data of a publication's transaction.
pub(super) async fn certificate(source: &Arc<Source>, publication: &Publication) -> Result<Option<Certificate>, Error> {
    const WHAT: &str = "eth_getTransactionByHash";
    let (domain, namespace, statement) = (source.domain(), publication.namespace, publication.statement);
    let hash = B256::from(*publication.position.transaction.as_bytes());
    let question = move |node: Node| async move {
        let sent: Option<Sent> = node.ask(WHAT, (hash,)).await?;
        let gone = || Error::BadAnswer { what: WHAT, reason: "null".to_owned() };
        Ok(find(&sent.ok_or_else(gone)?.input, &domain, &namespace, &statement))
    };
    source.nodes().ask(WHAT, question).await
}

/// A certificate of that statement, wherever it stands in these bytes: what is bound by the statement's digest needs no place.
fn find(data: &[u8], domain: &Domain, namespace: &Namespace, statement: &StatementDigest) -> Option<Certificate> {
    // Version 1, then the namespace.
    let begin = [&[1], namespace.as_bytes().as_slice()].concat();
    let places = data.windows(Certificate::L1_BYTES).filter(|place| place.starts_with(&begin)).take(MOST_PLACES);
    places
        .filter_map(|place| Certificate::decode_l1(place).ok())
        .find(|found| found.statement.digest(domain) == *statement)
}

/// The first block of that unix second or later, at most one past the finalized one.
async fn first_since(source: &Arc<Source>, finalized: BlockPoint, time: u64) -> Result<u64, Error> {
    let (mut first, mut past) = (0, finalized.number + 1);
    if finalized.timestamp < time {
        return Ok(past);
    }
    // Blocks before `first` are older; `past` and those behind it are not.
    while first < past {
        let middle = first + (past - first) / 2;
        let question = move |node: Node| async move { node.block(BlockNumberOrTag::Number(middle)).await };
        if source.nodes().ask("eth_getBlockByNumber", question).await?.timestamp < time {
            first = middle + 1;
        } else {
            past = middle;
        }
    }
    Ok(first)
}

async fn range(source: &Arc<Source>, namespaces: &[Namespace], from: u64, to: u64) -> Result<Vec<Publication>, Error> {
    let contract = source.domain().registry;
    let all = namespaces.is_empty() || namespaces.len() > MOST_NAMED;
    let named = (!all).then(|| namespaces.iter().map(|it| B256::from(it.to_bytes())).collect::<Vec<_>>());
    let filter = json!({
        "address": address_out(contract),
        "fromBlock": U64::from(from),
        "toBlock": U64::from(to),
        "topics": [Published::SIGNATURE_HASH, null, named],
    });
    let question = move |node: Node| {
        let filter = filter.clone();
        async move {
            let logs: Vec<FoundLog> = node.ask("eth_getLogs", (filter,)).await?;
            publications(&logs, contract, from, to)
        }
    };
    let mut found = source.nodes().ask("eth_getLogs", question).await?;
    found.retain(|it| namespaces.is_empty() || namespaces.contains(&it.namespace));
    Ok(found)
}

/// What a node gives, in order; or what is wrong with it.
fn publications(
    logs: &[FoundLog],
    contract: holdfast_certificate::Address,
    from: u64,
    to: u64,
) -> Result<Vec<Publication>, Error> {
    let bad = |reason: String| Error::BadAnswer { what: "eth_getLogs", reason };
    let mut found = Vec::with_capacity(logs.len());
    for log in logs {
        let (block, log_index) = (log.block_number.to::<u64>(), log.log_index.to::<u64>());
        if !(from..=to).contains(&block) {
            return Err(bad(format!("an event of block {block}, asked for {from} to {to}")));
        }
        let Some(event) = log.event::<Published>(address_out(contract)).filter(|_| !log.removed) else {
            return Err(bad(format!("event {log_index} of block {block} is no publication of the registry")));
        };
        let of = |hash: B256| Digest::from(hash.0);
        let statement = StatementDigest::from_bytes(event.statementDigest.as_slice());
        found.push(Publication {
            position: Position {
                block,
                log_index,
                block_hash: of(log.block_hash),
                transaction: of(log.transaction_hash),
            },
            blob_id: BlobId::from(event.blobId.0),
            namespace: Namespace::from(event.namespace.0),
            payload_digest: of(event.payloadDigest),
            publisher: address_in(event.publisher),
            statement: statement.map_err(|error| bad(error.to_string()))?,
            epoch: event.epoch,
            retain_until: event.retainUntil,
        });
    }
    found.sort_by_key(|it| it.position);
    let twice = found.windows(2).find(|two| {
        let [first, second] = [&two[0].position, &two[1].position];
        (first.block, first.log_index) == (second.block, second.log_index)
    });
    match twice {
        Some(two) => Err(bad(format!("event {} of block {} twice", two[0].position.log_index, two[0].position.block))),
        None => Ok(found),
    }
}
