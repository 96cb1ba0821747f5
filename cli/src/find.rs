//! `holdfast find`: the blobs whose payload has a keccak256.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_certificate::Namespace;
use holdfast_client::{Client, Error};
use holdfast_erasure::{Digest, keccak256};
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    files::{MOST_PAYLOAD_BYTES, Source},
    output::Output,
};

/// What to look for.
#[derive(Debug, Args)]
pub(crate) struct FindArgs {
    /// keccak256 of the payload: 32 bytes in hex.
    #[arg(value_name = "0xKECCAK", required_unless_present = "file")]
    digest: Option<Digest>,
    /// Or the payload itself; - is standard input.
    #[arg(long, conflicts_with = "digest")]
    file: Option<PathBuf>,
    /// Where to look; may be given more than once. The configured namespace if absent.
    #[arg(long, num_args = 1..)]
    namespace: Vec<Namespace>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    payload_digest: String,
    blobs: Vec<Blob>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    blob_id: String,
    namespace: String,
}

pub(crate) async fn run(args: &FindArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let digest = match (&args.digest, &args.file) {
        (Some(digest), _) => *digest,
        (None, Some(file)) => keccak256(&Source::open(file)?.read_payload(MOST_PAYLOAD_BYTES)?),
        (None, None) => return fail(Exit::Usage, "give a keccak256, or --file"),
    };
    let config = Config::load(config)?;
    let namespaces = match args.namespace.as_slice() {
        [] => vec![config.namespace(None)?],
        given => given.to_vec(),
    };
    let registry = config.bridged_registry().await?;
    let mut found = Found { payload_digest: digest.to_string(), blobs: Vec::new() };
    let mut missed = None;
    for namespace in namespaces {
        let client = Client::builder().registry(registry.clone()).namespace(namespace).build()?;
        match client.find(digest).await {
            Ok(ids) => found
                .blobs
                .extend(ids.iter().map(|id| Blob { blob_id: id.to_string(), namespace: namespace.to_string() })),
            // What is uncertain anywhere is uncertain.
            Err(error @ Error::Unknown { .. }) => missed = Some(error),
            Err(error @ Error::NotFound { .. }) => missed = missed.or(Some(error)),
            Err(error) => return Err(error.into()),
        }
    }
    match (found.blobs.is_empty(), missed) {
        (true, Some(error)) => Err(error.into()),
        _ => output.print(&found, |found| found.blobs.iter().map(|blob| format!("{}\n", blob.blob_id)).collect()),
    }
}
