//! The connection to an L1 node: every call has a time limit and every revert is decoded.

pub(crate) mod answers;
mod http;
mod proxy;
mod refusal;
mod rest;
mod safe_text;
pub(crate) mod url;
pub(crate) mod urls;

use std::{
    borrow::Cow,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy::{
    eips::{BlockId, BlockNumberOrTag, RpcBlockHash},
    primitives::{B256, Bytes},
    providers::{Provider as _, RootProvider},
    rpc::{
        client::RpcClient,
        json_rpc::{RpcRecv, RpcSend},
        types::TransactionRequest,
    },
    sol_types::SolCall,
    transports::{RpcError, TransportError},
};
use holdfast_certificate::Address;
use holdfast_contracts::{address_out, function_name};

pub use self::urls::RpcUrls;
use self::{
    answers::Header,
    http::Transport,
    safe_text::SafeText,
    url::{host_of, parse},
};
use crate::error::Error;

/// A node's JSON-RPC endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    provider: RootProvider,
    limit: Duration,
    host: Arc<str>,
    safe: Arc<SafeText>,
    /// Whether it does not take a block's hash where a block is named (EIP-1898).
    by_number: Arc<AtomicBool>,
}

/// A block of the chain, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPoint {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) timestamp: u64,
}

/// Which block a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// This very block.
    Block(BlockPoint),
    /// Whichever block has this name now.
    Name(BlockNumberOrTag),
}

impl BlockPoint {
    /// How calls name it: by its hash, so that a node on another fork cannot take it for its own block of that number.
    pub(crate) fn id(&self) -> At {
        At::Block(*self)
    }
}

impl From<Header> for BlockPoint {
    fn from(header: Header) -> Self {
        Self { number: header.number.to(), hash: header.hash, timestamp: header.timestamp.to() }
    }
}

impl Node {
    /// Only parses the URL; `limit` holds for each call.
    pub(crate) fn new(url: &str, limit: Duration) -> Result<Self, Error> {
        let url = parse(url)?;
        let (host, safe) = (host_of(&url).into(), SafeText::new(&url));
        let transport = Transport::new(url, safe.clone(), limit)?;
        let provider = RootProvider::new(RpcClient::new(transport, false));
        Ok(Self { provider, limit, host, safe: Arc::new(safe), by_number: Arc::default() })
    }

    /// How errors and the log name the node: host and port only, since the rest of its URL may hold an API key.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn provider(&self) -> &RootProvider {
        &self.provider
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, Error> {
        self.limited("eth_chainId", async { self.provider.get_chain_id().await }).await
    }

    pub(crate) async fn block(&self, tag: BlockNumberOrTag) -> Result<BlockPoint, Error> {
        Ok(self.header(tag).await?.into())
    }

    /// A block's header; that there is none is an error, and one of its own where it is the finalized one.
    pub(crate) async fn header(&self, tag: BlockNumberOrTag) -> Result<Header, Error> {
        const WHAT: &str = "eth_getBlockByNumber";
        let header: Header = match self.ask::<_, Option<Header>>(WHAT, (tag, false)).await {
            Ok(Some(header)) => header,
            // Never as a state that is gone: whoever is asked for a block and has none says nothing of any state.
            Ok(None) if tag.is_finalized() => return Err(Error::NoFinality { reason: "null".to_owned() }),
            Ok(None) => return Err(Error::BadAnswer { what: WHAT, reason: format!("no {tag} block") }),
            Err(Error::NoState { reason, .. } | Error::Unsupported { reason, .. }) if tag.is_finalized() => {
                return Err(Error::NoFinality { reason });
            }
            Err(Error::Rpc { reason, .. }) if tag.is_finalized() && reason.contains("finalized") => {
                return Err(Error::NoFinality { reason });
            }
            Err(Error::NoState { reason, .. }) => return Err(Error::BadAnswer { what: WHAT, reason }),
            Err(error) => return Err(error),
        };
        if let BlockNumberOrTag::Number(number) = tag
            && header.number.to::<u64>() != number
        {
            let reason = format!("asked for block {number}, got {}", header.number.to::<u64>());
            return Err(Error::BadAnswer { what: WHAT, reason });
        }
        Ok(header)
    }

    pub(crate) async fn code(&self, address: Address, at: At) -> Result<Bytes, Error> {
        self.about("eth_getCode", at, |block| async move {
            self.provider.get_code_at(address_out(address)).block_id(block).await
        })
        .await
    }

    pub(crate) async fn client_version(&self) -> Result<String, Error> {
        let version = self.limited("web3_clientVersion", async { self.provider.get_client_version().await }).await?;
        Ok(self.safe.shown(&version))
    }

    /// `eth_call` of something that is no contract of ours: bytes out.
    pub(crate) async fn run(&self, what: &'static str, request: &TransactionRequest, at: At) -> Result<Bytes, Error> {
        let run = |block| {
            let request = request.clone();
            async move { self.provider.call(request).block(block).await }
        };
        self.about(what, at, run).await
    }

    /// `eth_call` of one contract function, with its revert decoded.
    pub(crate) async fn call<C: SolCall>(&self, to: Address, call: &C, at: At) -> Result<C::Return, Error> {
        let request = TransactionRequest::default().to(address_out(to)).input(call.abi_encode().into());
        let what = function_name(C::SIGNATURE);
        let data = self.run(what, &request, at).await?;
        C::abi_decode_returns(&data)
            .map_err(|error| Error::BadAnswer { what, reason: self.safe.shown(&error.to_string()) })
    }

    /// Any method.
    pub(crate) async fn ask<P: RpcSend, R: RpcRecv>(&self, method: &'static str, params: P) -> Result<R, Error> {
        self.limited(method, async { self.provider.raw_request(Cow::Borrowed(method), params).await }).await
    }

    /// Asks about a block by its hash. A node that does not take hashes is asked by number, and after that whether the
    /// number is still this block's.
    async fn about<T, F>(&self, what: &'static str, at: At, question: impl Fn(BlockId) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let block = match at {
            At::Block(block) => block,
            At::Name(name) => return self.limited(what, question(name.into())).await,
        };
        // The object of the standard: a bare hash, which is shorter, is not in it.
        let by_hash = BlockId::Hash(RpcBlockHash::from_hash(block.hash, Some(false)));
        let mut refused = None;
        if !self.by_number.load(Ordering::Relaxed) {
            match self.limited(what, question(by_hash)).await {
                Err(Error::Unsupported { reason, .. }) => refused = Some(reason),
                answer => return answer,
            }
        }
        let answer = self.limited(what, question(BlockId::number(block.number))).await?;
        let now = self.block(BlockNumberOrTag::Number(block.number)).await?;
        if now.hash != block.hash {
            let reason = format!("its block {} is {}, not {}", block.number, now.hash, block.hash);
            return Err(Error::BadAnswer { what, reason });
        }
        if let Some(reason) = refused {
            tracing::info!(node = self.host(), %reason, "this L1 node takes no block hashes (EIP-1898): asked by number");
            self.by_number.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Runs one request under the time limit.
    pub(crate) async fn limited<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.limit, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(what, error)),
            Err(_) => Err(Error::Timeout { what, limit: self.limit }),
        }
    }

    /// What a failure means. Errors are logged, and the node says what stands in them: it is shown in safe words only.
    fn failed(&self, what: &'static str, error: TransportError) -> Error {
        let shown = |text: &str| self.safe.shown(text);
        match error {
            RpcError::ErrorResp(payload) => {
                refusal::meaning(what, payload.code, &payload.message, payload.as_revert_data().as_ref(), shown)
            }
            RpcError::DeserError { err, .. } => Error::BadAnswer { what, reason: shown(&err.to_string()) },
            RpcError::NullResp => Error::BadAnswer { what, reason: "null".to_owned() },
            other => Error::Rpc { what, reason: shown(&other.to_string()) },
        }
    }
}
