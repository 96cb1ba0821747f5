//! `holdfast member obligations`: what the running member has signed, until when, how many bytes, and for whom.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use holdfast_certificate::{Namespace, Statement};
use holdfast_committee as committee;
use holdfast_erasure::{BlobId, Parameters};
use holdfast_proto::{
    MAX_MESSAGE_BYTES,
    v1::{ListBlobsRequest, retrieval_client::RetrievalClient},
};
use serde::Serialize;

use super::connect;
use crate::{
    exit::{Exit, fail},
    output::{Output, human_bytes, table},
    times::{human_time, now},
};

/// Statements on one page, by the protocol.
const PAGE: u32 = 1000;
/// The most pages that are asked for: a hundred million statements.
const MOST_PAGES: u32 = 100_000;
const DAY: u64 = 86_400;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Obligations {
    namespaces: Vec<Of>,
    /// What ends on each day, by when the last promise for it does.
    days: Vec<Ends>,
    blobs: u64,
    bytes: u64,
}

/// What is owed to one namespace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Of {
    namespace: String,
    statements: u64,
    /// Of them, those whose certificate the member has.
    certified: u64,
    blobs: u64,
    /// Bytes of the shards.
    bytes: u64,
    until: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    /// The day's first second.
    day: u64,
    blobs: u64,
    bytes: u64,
}

/// What is known while pages come in.
#[derive(Default)]
struct Counted {
    of: BTreeMap<Namespace, Of>,
    /// By blob: the bytes of its shard and until when it is kept, and for whom it was counted.
    blobs: HashMap<BlobId, (u64, u64, Vec<Namespace>)>,
}

pub(super) async fn run(config: &committee::Config, output: Output) -> anyhow::Result<()> {
    let mut client = RetrievalClient::new(connect(config).await?).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let (mut counted, mut page_token, now) = (Counted::default(), Bytes::new(), now());
    for page in 0.. {
        if page == MOST_PAGES {
            return fail(Exit::Other, format!("more than {MOST_PAGES} pages of {PAGE} statements"));
        }
        let request = ListBlobsRequest { namespace: Bytes::new(), page_size: PAGE, page_token };
        let answer = match client.list_blobs(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return fail(Exit::Unreachable, format!("the member lists nothing: {}", status.message())),
        };
        for blob in &answer.blobs {
            let Some(wire) = &blob.statement else { continue };
            let statement = Statement::try_from(wire)?;
            if statement.retain_until > now {
                counted.count(&statement, blob.certified)?;
            }
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.print(&counted.finish(), text)
}

impl Counted {
    fn count(&mut self, statement: &Statement, certified: bool) -> anyhow::Result<()> {
        let Statement { namespace, blob, retain_until, .. } = statement;
        let parameters = Parameters::new(blob.original_shards, blob.total_shards)?;
        let bytes = parameters.shard_length(blob.payload_length) as u64;
        let of = self.of.entry(*namespace).or_insert_with(|| Of {
            namespace: namespace.to_string(),
            statements: 0,
            certified: 0,
            blobs: 0,
            bytes: 0,
            until: 0,
        });
        of.statements += 1;
        of.certified += u64::from(certified);
        of.until = of.until.max(*retain_until);
        let (_, until, counted_for) = self.blobs.entry(blob.id()).or_insert((bytes, 0, Vec::new()));
        *until = (*until).max(*retain_until);
        if !counted_for.contains(namespace) {
            counted_for.push(*namespace);
            of.blobs += 1;
            of.bytes += bytes;
        }
        Ok(())
    }

    fn finish(self) -> Obligations {
        let mut days: BTreeMap<u64, Ends> = BTreeMap::new();
        let mut bytes = 0;
        let blobs = self.blobs.len() as u64;
        for (length, until, _) in self.blobs.into_values() {
            let day = until / DAY * DAY;
            let ends = days.entry(day).or_insert(Ends { day, blobs: 0, bytes: 0 });
            ends.blobs += 1;
            ends.bytes += length;
            bytes += length;
        }
        Obligations { namespaces: self.of.into_values().collect(), days: days.into_values().collect(), blobs, bytes }
    }
}

fn text(obligations: &Obligations) -> String {
    let mut rows =
        vec![["namespace", "blobs", "bytes", "statements", "certified", "until"].map(str::to_owned).to_vec()];
    for of in &obligations.namespaces {
        rows.push(vec![
            of.namespace.clone(),
            of.blobs.to_string(),
            human_bytes(of.bytes),
            of.statements.to_string(),
            of.certified.to_string(),
            human_time(of.until),
        ]);
    }
    let mut text = format!("{} blobs, {} in shards\n\n", obligations.blobs, human_bytes(obligations.bytes));
    text += &table(&rows);
    let mut rows = vec![["ends on", "blobs", "bytes"].map(str::to_owned).to_vec()];
    for ends in &obligations.days {
        let day: String = human_time(ends.day).chars().take(10).collect();
        rows.push(vec![day, ends.blobs.to_string(), human_bytes(ends.bytes)]);
    }
    text + "\n" + &table(&rows)
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::HOUR;
    use holdfast_erasure::{Blob, Digest};

    use super::*;

    fn statement(namespace: u8, blob: u8, until: u64) -> Statement {
        let blob = Blob {
            payload_length: 1000,
            payload_digest: Digest::ZERO,
            original_shards: 2,
            total_shards: 4,
            shards_root: Digest::from([blob; 32]),
            fingerprints_hash: Digest::ZERO,
        };
        Statement { namespace: Namespace::from([namespace; 32]), epoch: 1, blob, whole_until: 0, retain_until: until }
    }

    #[test]
    fn a_blob_is_counted_once_and_ends_with_its_last_promise() {
        let mut counted = Counted::default();
        let (first, last) = (400_000 * HOUR, 400_100 * HOUR);
        for (statement, certified) in [
            (statement(1, 1, first), true),
            (statement(1, 1, last), false),
            (statement(2, 1, first), false),
            (statement(2, 2, first), true),
        ] {
            counted.count(&statement, certified).expect("good parameters");
        }
        let all = counted.finish();
        // Shards of 512 bytes.
        assert_eq!((all.blobs, all.bytes), (2, 1024));
        let of: Vec<_> =
            all.namespaces.iter().map(|of| (of.statements, of.certified, of.blobs, of.bytes, of.until)).collect();
        assert_eq!(of, [(2, 1, 1, 512, last), (2, 1, 2, 1024, first)]);
        let days: Vec<_> = all.days.iter().map(|ends| (ends.day, ends.bytes)).collect();
        assert_eq!(days, [(first / DAY * DAY, 512), (last / DAY * DAY, 512)]);
    }
}
