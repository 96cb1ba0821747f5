//! What L1 nodes and a registry are worth to a member, for people and scripts: `holdfast l1 check`.

use std::{
    fmt::Debug,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alloy::{eips::BlockNumberOrTag, sol_types::SolCall};
use futures::future;
use holdfast_certificate::Address;
use holdfast_contracts::{
    address_in,
    bindings::CommitteeRegistry::{
        activeEpochCall, delayCall, epochCountCall, governanceCall, guardianCall, overlapCall,
    },
};
use holdfast_erasure::Digest;
use serde::Serialize;

use crate::{
    error::Error,
    node::{
        BlockPoint, Node,
        url::{host_of, parse},
    },
    reader::{nodes::Nodes, options::PATIENCE, probe},
};

/// The limit of one call: people wait for it.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// What [`check`] found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct L1Report {
    /// Each node by itself, in the order given.
    pub nodes: Vec<NodeReport>,
    /// The finalized block that enough nodes agree on.
    pub agreed_block: Option<u64>,
    /// The registry as enough nodes have it at that block, if one was asked for.
    pub registry: Option<RegistryReport>,
    /// What is wrong, for people; nothing if a member can run on this.
    pub problems: Vec<String>,
}

/// One node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Host of the node; the rest of its URL may be a secret.
    pub node: String,
    /// Whether it answers.
    pub reachable: bool,
    /// What it says it runs; not every provider says it.
    pub client_version: Option<String>,
    /// The chain it serves.
    pub chain_id: Option<u64>,
    /// Its newest block.
    pub head: Option<u64>,
    /// Its finalized block.
    pub finalized: Option<u64>,
    /// How old that block is, in seconds.
    pub finalized_age_seconds: Option<u64>,
    /// Whether the chain has the BLS12-381 precompiles.
    pub eip2537: Option<bool>,
    /// Whether it answers for the block that is asked for by its hash, and not for another one.
    pub by_hash: Option<bool>,
    /// How long it took to say its chain id, in milliseconds.
    pub latency_ms: Option<u64>,
}

/// A registry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryReport {
    /// Its address.
    pub address: Address,
    /// keccak256 of its code; `None` if it has none or could not be read.
    pub code_hash: Option<Digest>,
    /// Whether that is the pinned code, or else the code of this version.
    pub code_as_expected: bool,
    /// Who proposes epochs.
    pub governance: Option<Address>,
    /// Who may cancel and revoke; zero for nobody.
    pub guardian: Option<Address>,
    /// Seconds from a proposal to its activation, at least.
    pub delay: Option<u64>,
    /// Seconds for which an epoch's certificates are good after its end.
    pub overlap: Option<u64>,
    /// Epochs proposed so far.
    pub epoch_count: Option<u64>,
    /// The epoch that is active now; 0 for none.
    pub active_epoch: Option<u64>,
}

impl L1Report {
    /// Whether a member can run on this.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Looks at each node by itself and, through enough of them, at the registry, whose code hash may be pinned. Takes at most a few call limits of 5 s.
///
/// What is wrong is in the report, not an error.
pub async fn check<S: AsRef<str> + Sync>(urls: &[S], registry: Option<Address>, pinned: Option<Digest>) -> L1Report {
    let mut report = L1Report { nodes: Vec::new(), agreed_block: None, registry: None, problems: Vec::new() };
    let looks = future::join_all(urls.iter().map(|url| look_at(url.as_ref()))).await;
    for (node, problems) in looks {
        report.problems.extend(problems.iter().map(|problem| format!("{}: {problem}", node.node)));
        report.nodes.push(node);
    }
    if let Err(error) = report.read(urls, registry, pinned).await {
        report.problems.push(error.to_string());
    }
    report
}

impl L1Report {
    /// What takes several nodes.
    async fn read<S: AsRef<str>>(
        &mut self,
        urls: &[S],
        registry: Option<Address>,
        pinned: Option<Digest>,
    ) -> Result<(), Error> {
        let nodes = Nodes::new(urls, None, CALL_LIMIT)?;
        let chain_id = nodes.chain_id(None).await?;
        // Enough others serve the same chain; but this is a mistake in the settings.
        for node in &self.nodes {
            if let Some(got) = node.chain_id.filter(|got| *got != chain_id) {
                let error = Error::WrongChain { expected: chain_id, got };
                self.problems.push(format!("{}: {error}", node.node));
            }
        }
        let block = nodes.block(chain_id, BlockNumberOrTag::Finalized).await?;
        self.agreed_block = Some(block.number);
        let Some(address) = registry else { return Ok(()) };
        let mut found = RegistryReport {
            address,
            code_hash: None,
            code_as_expected: false,
            governance: None,
            guardian: None,
            delay: None,
            overlap: None,
            epoch_count: None,
            active_epoch: None,
        };
        let read = found.read(&nodes, chain_id, block, pinned).await;
        if let (Some(hash), false) = (found.code_hash, found.code_as_expected) {
            let expected = pinned.map_or_else(
                || "no CommitteeRegistry of this version".to_owned(),
                |pinned| format!("not the pinned one of hash {pinned}"),
            );
            let reason = format!("the code at {address} is {expected}; it hashes to {hash}");
            self.problems.push(reason);
        }
        self.registry = Some(found);
        read
    }
}

impl RegistryReport {
    async fn read(
        &mut self,
        nodes: &Nodes,
        chain_id: u64,
        block: BlockPoint,
        pinned: Option<Digest>,
    ) -> Result<(), Error> {
        let (registry, id) = (self.address, block.id());
        let code = nodes.ask("eth_getCode", move |node| async move { node.code(registry, id).await }).await?;
        if code.is_empty() {
            return Err(Error::NoRegistry { registry, chain_id, block: block.number });
        }
        let got = probe::code_hash(&code);
        self.code_hash = Some(got);
        self.code_as_expected = probe::is_registry_code(&code, pinned);
        self.governance = Some(address_in(self.call(nodes, governanceCall {}, block).await?));
        self.guardian = Some(address_in(self.call(nodes, guardianCall {}, block).await?));
        self.delay = Some(self.call(nodes, delayCall {}, block).await?);
        self.overlap = Some(self.call(nodes, overlapCall {}, block).await?);
        self.epoch_count = Some(self.call(nodes, epochCountCall {}, block).await?);
        self.active_epoch =
            Some(self.call(nodes, activeEpochCall { atTime: now().max(block.timestamp) }, block).await?);
        Ok(())
    }

    async fn call<C>(&self, nodes: &Nodes, call: C, block: BlockPoint) -> Result<C::Return, Error>
    where
        C: SolCall + Clone + Send + Sync + 'static,
        C::Return: Clone + PartialEq + Debug + Send + Sync + 'static,
    {
        nodes.call(self.address, call, block.id()).await
    }
}

/// One node, and what is wrong with it.
async fn look_at(url: &str) -> (NodeReport, Vec<String>) {
    let mut report = NodeReport {
        node: parse(url).map_or_else(|_| "(no URL)".to_owned(), |url| host_of(&url)),
        reachable: false,
        client_version: None,
        chain_id: None,
        head: None,
        finalized: None,
        finalized_age_seconds: None,
        eip2537: None,
        by_hash: None,
        latency_ms: None,
    };
    let mut problems = Vec::new();
    if let Err(error) = report.fill(url, &mut problems).await {
        problems.push(error.to_string());
    }
    (report, problems)
}

impl NodeReport {
    async fn fill(&mut self, url: &str, problems: &mut Vec<String>) -> Result<(), Error> {
        let node = Node::new(url, CALL_LIMIT)?;
        // The first call opens the connection; the second says how long an answer takes.
        self.chain_id = Some(node.chain_id().await?);
        self.reachable = true;
        let started = Instant::now();
        let (version, again) = (node.client_version().await.ok(), node.chain_id().await);
        again?;
        self.latency_ms = Some(u64::try_from((started.elapsed() / 2).as_millis()).unwrap_or(u64::MAX));
        self.client_version = version;
        let head = node.block(BlockNumberOrTag::Latest).await?;
        self.head = Some(head.number);
        let block = node.block(BlockNumberOrTag::Finalized).await?;
        self.finalized = Some(block.number);
        let age = now().saturating_sub(block.timestamp);
        self.finalized_age_seconds = Some(age);
        if age > PATIENCE.as_secs() {
            let stands = now().saturating_sub(head.timestamp) > PATIENCE.as_secs();
            let why = if stands { "it stands still" } else { "finality stalls, or it is behind" };
            problems.push(format!("its finalized block {} is {age} s old: {why}", block.number));
        }
        let has = probe::has_eip2537(&node, block.id()).await?;
        self.eip2537 = Some(has);
        if !has {
            problems.push("its chain has no EIP-2537 (BLS12-381 precompiles, since Prague)".to_owned());
        }
        let other = probe::other_block(&node, block).await?;
        self.by_hash = Some(other.is_none());
        problems.extend(other.map(|reason| Error::OtherBlock { reason }.to_string()));
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
