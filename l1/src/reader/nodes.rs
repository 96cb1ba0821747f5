//! Several nodes asked as one: every question goes to all of them, and enough must give the same answer.

use std::{collections::BTreeMap, fmt::Debug, future::Future, sync::Arc, time::Duration};

use alloy::{eips::BlockNumberOrTag, sol_types::SolCall};
use futures::{FutureExt as _, StreamExt as _, future, stream::FuturesUnordered};
use holdfast_certificate::Address;
use holdfast_contracts::function_name;

use super::{
    blame,
    heights::{Choice, MAX_LAG, Older, Seen, View, choose},
    peer::Peer,
    quorum::{Answer, Verdict, settle},
};
use crate::{
    error::Error,
    node::{At, BlockPoint, Node, urls},
};

/// One or more nodes of which `agree` must say the same.
#[derive(Debug)]
pub(crate) struct Nodes {
    peers: Vec<Arc<Peer>>,
    agree: usize,
}

/// Whether nodes go on making blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    Fresh,
    Old,
}

/// What a call gives: every honest node reverts alike too.
#[derive(Debug, Clone)]
enum Outcome<R> {
    Returned(R),
    Reverted(Error),
}

impl<R: PartialEq> PartialEq for Outcome<R> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Returned(ours), Self::Returned(theirs)) => ours == theirs,
            (Self::Reverted(ours), Self::Reverted(theirs)) => ours.to_string() == theirs.to_string(),
            _ => false,
        }
    }
}

impl Nodes {
    /// Only parses the URLs.
    pub(crate) fn new<S: AsRef<str>>(urls: &[S], agree: Option<usize>, limit: Duration) -> Result<Self, Error> {
        urls::check(urls)?;
        let agree = agree.unwrap_or(if urls.len() > 1 { 2 } else { 1 });
        if agree == 0 || agree > urls.len() {
            let reason = format!("expected 1 to {} of the URLs to agree, got {agree}", urls.len());
            return Err(Error::Invalid { what: "number of L1 nodes that must agree", reason });
        }
        for host in urls::shared_hosts(urls) {
            tracing::warn!(%host, "several L1 URLs name this host: whoever runs it has as many votes among the nodes");
        }
        let peer = |url: &S| Ok(Arc::new(Peer::new(Node::new(url.as_ref(), limit)?)));
        Ok(Self { peers: urls.iter().map(peer).collect::<Result<_, Error>>()?, agree })
    }

    /// The chain that enough nodes serve, which must be the expected one. Waits for all of them: a node on another chain is
    /// a mistake in the settings, to be named at the start and not when that node is fast. It stops nothing where enough
    /// others serve the right chain: whoever runs it could stop every member from starting.
    pub(crate) async fn chain_id(&self, expected: Option<u64>) -> Result<u64, Error> {
        let asked = self.peers.iter().map(|peer| peer.answer(peer.node().chain_id()));
        let answers: Vec<_> = future::join_all(asked)
            .await
            .into_iter()
            .map(|answer| answer.map_or_else(Answer::Failed, Answer::Said))
            .collect();
        let said = || {
            answers.iter().zip(&self.peers).filter_map(|(answer, peer)| match answer {
                Answer::Said(chain_id) => Some((*chain_id, peer)),
                _ => None,
            })
        };
        let count = |chain_id: u64| said().filter(|(other, _)| *other == chain_id).count();
        let usual = said().map(|(chain_id, _)| chain_id).max_by_key(|&chain_id| count(chain_id));
        let Some(expected) = expected.or(usual) else { return Err(self.too_few("eth_chainId", &answers)) };
        let others: Vec<_> = said().filter(|(got, _)| *got != expected).collect();
        if count(expected) >= self.agree {
            for (got, peer) in others {
                peer.dissents(&format!("the chain: it serves {got}, they serve {expected}"));
            }
            return Ok(expected);
        }
        let Some(&(got, _)) = others.first() else { return Err(self.too_few("eth_chainId", &answers)) };
        let error = Error::WrongChain { expected, got };
        if self.peers.len() == 1 {
            return Err(error);
        }
        let hosts: Vec<_> = others.iter().filter(|(other, _)| *other == got).map(|(_, peer)| peer.host()).collect();
        Err(Error::AtNode { node: hosts.join(", "), source: Box::new(error) })
    }

    /// The highest block of that tag that enough nodes have reached and agree on. Where one node's finalized block is far
    /// ahead of the one agreed on, enough nodes must be near the latter, or it is an error.
    pub(crate) async fn block(&self, chain_id: u64, tag: BlockNumberOrTag) -> Result<BlockPoint, Error> {
        const WHAT: &str = "eth_getBlockByNumber";
        let max_lag = (tag == BlockNumberOrTag::Finalized).then_some(MAX_LAG);
        let mut tips: Vec<Answer<BlockPoint>> = vec![Answer::Pending; self.peers.len()];
        let mut older: Vec<BTreeMap<u64, Older>> = vec![BTreeMap::new(); self.peers.len()];
        let ask = |index: usize, number: Option<u64>| {
            let peer = Arc::clone(&self.peers[index]);
            async move {
                let question = async {
                    peer.serves(chain_id).await?;
                    peer.node().block(number.map_or(tag, BlockNumberOrTag::Number)).await
                };
                (index, number, peer.answer(question).await)
            }
        };
        let mut under_way: FuturesUnordered<_> = (0..self.peers.len()).map(|index| ask(index, None)).collect();
        loop {
            let views: Vec<View> = tips
                .iter()
                .zip(&older)
                .zip(&self.peers)
                .map(|((tip, older), peer)| match tip {
                    Answer::Pending => View::Pending { hopeful: peer.is_hopeful() },
                    Answer::Failed(_) => View::Failed,
                    Answer::Said(tip) => {
                        View::Seen(Seen { tip: *tip, older: older.clone(), hopeful: peer.is_hopeful() })
                    }
                })
                .collect();
            match choose(&views, self.agree, max_lag) {
                Choice::Agreed { block, dissenters } => {
                    for index in dissenters {
                        self.peers[index].dissents(&format!("the {tag} block {}", block.number));
                    }
                    // The rest goes on beside, to know who answers in time.
                    tokio::spawn(under_way.for_each(|_| future::ready(())));
                    return Ok(block);
                }
                Choice::Ask { nodes, number } => {
                    for index in nodes {
                        older[index].insert(number, Older::Pending);
                        under_way.push(ask(index, Some(number)));
                    }
                }
                Choice::Contradiction { number } => {
                    let block = |view: &View| match view {
                        View::Seen(seen) => match seen.at(number) {
                            Some(Older::Known(block)) => Some(format!("{} at {}", block.hash, block.timestamp)),
                            _ => None,
                        },
                        _ => None,
                    };
                    let said = views.iter().map(block).collect::<Vec<_>>();
                    return Err(blame::contradiction(format!("the {tag} block {number}"), &self.hosts(), &said));
                }
                Choice::Apart { .. } => {
                    let tip = |tip: &Answer<BlockPoint>| match tip {
                        Answer::Said(tip) => Some(format!("{} at {}", tip.number, tip.timestamp)),
                        _ => None,
                    };
                    let said = tips.iter().map(tip).collect::<Vec<_>>();
                    return Err(blame::contradiction(format!("which block is {tag}"), &self.hosts(), &said));
                }
                Choice::TooFew => return Err(self.too_few(WHAT, &tips)),
                Choice::Wait => match under_way.next().await {
                    Some((index, None, answer)) => tips[index] = answer.map_or_else(Answer::Failed, Answer::Said),
                    Some((index, Some(number), answer)) => {
                        older[index].insert(number, answer.map_or(Older::Failed, Older::Known));
                    }
                    None => return Err(self.too_few(WHAT, &tips)),
                },
            }
        }
    }

    /// `eth_call` of one contract function.
    pub(crate) async fn call<C>(&self, to: Address, call: C, block: At) -> Result<C::Return, Error>
    where
        C: SolCall + Clone + Send + Sync + 'static,
        C::Return: Clone + PartialEq + Debug + Send + Sync + 'static,
    {
        let question = move |node: Node| {
            let call = call.clone();
            async move { node.call(to, &call, block).await }
        };
        self.run(function_name(C::SIGNATURE), question).await
    }

    /// [`Nodes::ask`] of something that contracts run: a revert is an answer too, on which enough nodes must agree.
    pub(crate) async fn run<T, F>(&self, what: &'static str, question: impl Fn(Node) -> F) -> Result<T, Error>
    where
        T: Clone + PartialEq + Debug + Send + Sync + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let asked = self.ask(what, move |node| {
            let answer = question(node);
            async move {
                match answer.await {
                    Ok(returned) => Ok(Outcome::Returned(returned)),
                    Err(error @ (Error::Reverted { .. } | Error::Registry(_) | Error::NotAvailable { .. })) => {
                        Ok(Outcome::Reverted(error))
                    }
                    Err(error) => Err(error),
                }
            }
        });
        match asked.await? {
            Outcome::Returned(returned) => Ok(returned),
            Outcome::Reverted(error) => Err(error),
        }
    }

    /// What enough nodes say of their newest block: made at that unix time or later, or not.
    pub(crate) async fn newest(&self, chain_id: u64, since: u64) -> Result<Newest, Error> {
        let question = move |peer: Arc<Peer>| async move {
            peer.serves(chain_id).await?;
            let newest = peer.node().block(BlockNumberOrTag::Latest).await?;
            Ok(if newest.timestamp >= since { Newest::Fresh } else { Newest::Old })
        };
        self.ask_peers("the age of their newest block", question).await
    }

    /// Asks all nodes the same and gives what enough of them say, without waiting for the rest.
    pub(crate) async fn ask<T, F>(&self, what: &'static str, question: impl Fn(Node) -> F) -> Result<T, Error>
    where
        T: Clone + PartialEq + Debug + Send + Sync + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.ask_peers(what, |peer| question(peer.node().clone())).await
    }

    async fn ask_peers<T, F>(&self, what: &'static str, question: impl Fn(Arc<Peer>) -> F) -> Result<T, Error>
    where
        T: Clone + PartialEq + Debug + Send + Sync + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut answers: Vec<Answer<T>> = vec![Answer::Pending; self.peers.len()];
        let mut under_way: FuturesUnordered<_> = self
            .peers
            .iter()
            .enumerate()
            .map(|(index, peer)| {
                let (peer, question) = (Arc::clone(peer), question(Arc::clone(peer)));
                async move { (index, peer.answer(question).await) }.boxed()
            })
            .collect();
        loop {
            match settle(&answers, self.agree) {
                Verdict::Agreed(index) => {
                    if let Answer::Said(agreed) = answers[index].clone() {
                        self.watch(what, agreed.clone(), &answers, under_way);
                        return Ok(agreed);
                    }
                    unreachable!("only an answer is agreed on");
                }
                Verdict::Wait => match under_way.next().await {
                    Some((index, answer)) => answers[index] = answer.map_or_else(Answer::Failed, Answer::Said),
                    None => return Err(self.too_few(what, &answers)),
                },
                Verdict::Contradiction => {
                    let said = answers.iter().map(|answer| match answer {
                        Answer::Said(value) => Some(format!("{value:?}")),
                        _ => None,
                    });
                    return Err(blame::contradiction(what.to_owned(), &self.hosts(), &said.collect::<Vec<_>>()));
                }
                Verdict::NoState => return Err(Error::NoState { what, reason: self.reasons(&answers) }),
                Verdict::TooFew => return Err(self.too_few(what, &answers)),
            }
        }
    }

    /// The nodes that have lately contradicted what enough others agreed on, by host.
    pub(super) fn dissenters(&self) -> Vec<String> {
        self.peers.iter().filter(|peer| peer.is_dissenter()).map(|peer| peer.host().to_owned()).collect()
    }

    /// Names who says otherwise, also those who answer only after the others have agreed.
    fn watch<T, F>(&self, what: &'static str, agreed: T, answers: &[Answer<T>], mut late: FuturesUnordered<F>)
    where
        T: PartialEq + Send + Sync + 'static,
        F: Future<Output = (usize, Result<T, Error>)> + Send + 'static,
    {
        for (peer, answer) in self.peers.iter().zip(answers) {
            if matches!(answer, Answer::Said(said) if *said != agreed) {
                peer.dissents(what);
            }
        }
        if late.is_empty() {
            return;
        }
        let peers = self.peers.clone();
        // Ends by itself: every call has a time limit, and every node a limit of calls.
        tokio::spawn(async move {
            while let Some((index, answer)) = late.next().await {
                if answer.is_ok_and(|said| said != agreed) {
                    peers[index].dissents(what);
                }
            }
        });
    }

    fn hosts(&self) -> Vec<&str> {
        self.peers.iter().map(|peer| peer.host()).collect()
    }

    fn reasons<T>(&self, answers: &[Answer<T>]) -> String {
        blame::reasons(&self.hosts(), answers)
    }

    fn too_few<T>(&self, what: &'static str, answers: &[Answer<T>]) -> Error {
        blame::too_few(what, self.agree, &self.hosts(), answers)
    }
}
