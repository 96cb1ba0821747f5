//! `holdfast ls`: what members say that they hold.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clap::Args;
use futures::future::join_all;
use holdfast_certificate::{Namespace, Statement};
use holdfast_erasure::BlobId;
use holdfast_proto::v1::{ListBlobsRequest, ListBlobsResponse, retrieval_client::RetrievalClient};
use holdfast_registry::Endpoint;
use holdfast_transport::{Fair, MemberKey};
use serde::Serialize;
use tonic::transport::Channel;

use crate::{
    config::Config,
    exit::{Exit, fail},
    get::parse_member,
    output::{Output, human_bytes, plain, progress},
    peers::connect,
    times::{human_time, now},
};

/// How long one page of one member may take.
const PAGE_LIMIT: Duration = Duration::from_secs(10);
/// Blobs on a page.
const PAGE: u32 = 256;
/// What a page may have: that many statements, and no more, since parts that are empty take a hundred times their size.
const PAGE_BYTES: usize = 128 << 10;
/// What is listed where nothing is said.
const LISTED: u32 = 1000;
/// The most blobs that are asked of one member.
const MOST: u32 = 100_000;

/// Which blobs, and who is asked.
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only this namespace; may be given more than once. Every namespace if absent.
    #[arg(long, num_args = 1..)]
    namespace: Vec<Namespace>,
    /// Ask only these members: m1,m3
    #[arg(long, value_delimiter = ',', value_parser = parse_member)]
    from: Vec<u16>,
    /// The most blobs that are asked of one member, oldest first.
    #[arg(long, default_value_t = LISTED, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    limit: u32,
    /// Also those whose retention has ended.
    #[arg(long)]
    expired: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    epoch: u64,
    /// Members that answered.
    answered: Vec<u16>,
    blobs: Vec<Listed>,
    /// Whether a member has more than was asked for.
    more: bool,
}

/// A statement that members say that they have signed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    blob_id: String,
    namespace: String,
    epoch: u64,
    payload_bytes: u32,
    retain_until: u64,
    /// Whether some member has its certificate.
    certified: bool,
    /// Who lists it.
    members: Vec<u16>,
}

pub(crate) async fn run(args: &LsArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let registry = Config::load(config)?.bridged_registry().await?;
    let record = registry.newest_epoch(now()).await?;
    let members = record.committee.parameters().total_shards();
    if let Some(none) = args.from.iter().find(|slot| **slot >= members) {
        let epoch = record.committee.epoch();
        return fail(Exit::Usage, format!("no member m{none} in epoch {epoch}, expected m0 to m{}", members - 1));
    }
    let namespaces: Vec<Option<Namespace>> =
        if args.namespace.is_empty() { vec![None] } else { args.namespace.iter().copied().map(Some).collect() };
    let asked = (0..).zip(&record.endpoints).filter(|(slot, _)| args.from.is_empty() || args.from.contains(slot));
    let answers = join_all(asked.map(|(slot, endpoint)| {
        let (namespaces, member) = (&namespaces, MemberKey::of(&record.committee, slot));
        async move { (slot, of_member((endpoint, member), namespaces, args.limit).await) }
    }));
    let mut listing = Listing { epoch: record.committee.epoch(), answered: Vec::new(), blobs: Vec::new(), more: false };
    let mut found: BTreeMap<(BlobId, u64, u64), Listed> = BTreeMap::new();
    for (slot, answer) in answers.await {
        match answer {
            Err(reason) => progress(format!("without m{slot}: {}", plain(&reason))),
            Ok((statements, more)) => {
                listing.answered.push(slot);
                listing.more |= more;
                for (statement, certified) in statements {
                    note(&mut found, slot, &statement, certified);
                }
            }
        }
    }
    if listing.answered.is_empty() {
        return fail(Exit::Unreachable, "no member has answered");
    }
    let now = now();
    listing.blobs = found.into_values().filter(|listed| args.expired || listed.retain_until > now).collect();
    listing.blobs.sort_by_key(|listed| listed.retain_until);
    output.print(&listing, text)
}

fn note(found: &mut BTreeMap<(BlobId, u64, u64), Listed>, slot: u16, statement: &Statement, certified: bool) {
    let id = statement.blob.id();
    let listed = found.entry((id, statement.epoch, statement.retain_until)).or_insert_with(|| Listed {
        blob_id: id.to_string(),
        namespace: statement.namespace.to_string(),
        epoch: statement.epoch,
        payload_bytes: statement.blob.payload_length,
        retain_until: statement.retain_until,
        certified: false,
        members: Vec::new(),
    });
    listed.certified |= certified;
    if listed.members.last() != Some(&slot) {
        listed.members.push(slot);
    }
}

type Statements = Vec<(Statement, bool)>;

/// What one member lists, at most `limit` of it, and whether it has more.
async fn of_member(
    (endpoint, member): (&Endpoint, Option<MemberKey>),
    namespaces: &[Option<Namespace>],
    limit: u32,
) -> Result<(Statements, bool), String> {
    let channel = connect(endpoint, member).await?;
    let mut client = RetrievalClient::new(Fair::new(channel)).max_decoding_message_size(PAGE_BYTES);
    let (mut statements, mut more) = (Vec::new(), false);
    for namespace in namespaces {
        let mut left = limit;
        let mut token = bytes::Bytes::new();
        while left > 0 {
            let page_size = left.min(PAGE);
            let request = ListBlobsRequest {
                namespace: namespace.map(|it| bytes::Bytes::copy_from_slice(it.as_bytes())).unwrap_or_default(),
                page_size,
                page_token: token,
            };
            let answer = page(&mut client, request).await?;
            if answer.blobs.len() > page_size as usize {
                return Err(format!("it sent {} blobs, expected at most {page_size}", answer.blobs.len()));
            }
            left -= u32::try_from(answer.blobs.len()).unwrap_or(left);
            for blob in &answer.blobs {
                let wire = blob.statement.as_ref().ok_or("it sent no statement")?;
                let statement = Statement::try_from(wire).map_err(|error| format!("malformed answer: {error}"))?;
                statements.push((statement, blob.certified));
            }
            token = answer.next_page_token;
            // A page without blobs and with a next one would never end.
            if token.is_empty() || answer.blobs.is_empty() {
                break;
            }
            more |= left == 0;
        }
    }
    Ok((statements, more))
}

async fn page(
    client: &mut RetrievalClient<Fair<Channel>>,
    request: ListBlobsRequest,
) -> Result<ListBlobsResponse, String> {
    match tokio::time::timeout(PAGE_LIMIT, client.list_blobs(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
        Err(_) => Err(format!("no answer within {PAGE_LIMIT:?}")),
    }
}

fn text(listing: &Listing) -> String {
    let mut text = String::new();
    for listed in &listing.blobs {
        text += &format!(
            "{}\n  {}, epoch {}, until {}, {} of {} members, {}\n",
            listed.blob_id,
            human_bytes(listed.payload_bytes.into()),
            listed.epoch,
            human_time(listed.retain_until),
            listed.members.len(),
            listing.answered.len(),
            if listed.certified { "certified" } else { "no certificate known" },
        );
    }
    if listing.blobs.is_empty() {
        text += "no blobs\n";
    }
    if listing.more {
        text += "there are more: --limit\n";
    }
    text
}
