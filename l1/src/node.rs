//! The connection to an L1 node: every call has a time limit and every revert is decoded.

mod http;
mod safe_text;
pub(crate) mod url;
pub(crate) mod urls;

use std::{future::Future, sync::Arc, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{B256, Bytes},
    providers::{Provider as _, RootProvider},
    rpc::{client::RpcClient, types::TransactionRequest},
    sol_types::{SolCall, SolInterface as _},
    transports::{RpcError, TransportError},
};
use holdfast_certificate::Address;
use holdfast_contracts::{
    address_out,
    bindings::CommitteeRegistry::{CommitteeRegistryErrors, NotAvailable, UnknownEpoch},
    function_name,
};
use holdfast_registry::{self as registry, Status};

pub use self::urls::RpcUrls;
use self::{
    http::Transport,
    safe_text::SafeText,
    url::{host_of, invalid_url, parse},
};
use crate::error::Error;

/// A node's JSON-RPC endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    provider: RootProvider,
    limit: Duration,
    host: Arc<str>,
    safe: Arc<SafeText>,
}

/// A block of the chain, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPoint {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) timestamp: u64,
}

impl BlockPoint {
    /// How calls name it: by its hash, so that a node on another fork cannot take it for its own block of that number.
    pub(crate) fn id(&self) -> BlockId {
        BlockId::hash(self.hash)
    }
}

impl Node {
    /// Only parses the URL; `limit` holds for each call.
    pub(crate) fn new(url: &str, limit: Duration) -> Result<Self, Error> {
        let url = parse(url)?;
        let (host, safe) = (host_of(&url).into(), SafeText::new(&url));
        let transport = Transport::new(url, safe.clone(), limit).map_err(|error| invalid_url(error.to_string()))?;
        let provider = RootProvider::new(RpcClient::new(transport, false));
        Ok(Self { provider, limit, host, safe: Arc::new(safe) })
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
        const WHAT: &str = "eth_getBlockByNumber";
        let block = self.limited(WHAT, async { self.provider.get_block_by_number(tag).await }).await?;
        let block = block.ok_or_else(|| Error::BadAnswer { what: WHAT, reason: format!("no {tag} block") })?;
        let header = block.header;
        if let BlockNumberOrTag::Number(number) = tag
            && header.number != number
        {
            let reason = format!("asked for block {number}, got {}", header.number);
            return Err(Error::BadAnswer { what: WHAT, reason });
        }
        Ok(BlockPoint { number: header.number, hash: header.hash, timestamp: header.timestamp })
    }

    pub(crate) async fn code(&self, address: Address, block: BlockId) -> Result<Bytes, Error> {
        let call = async { self.provider.get_code_at(address_out(address)).block_id(block).await };
        self.limited("eth_getCode", call).await
    }

    pub(crate) async fn client_version(&self) -> Result<String, Error> {
        let version = self.limited("web3_clientVersion", async { self.provider.get_client_version().await }).await?;
        Ok(self.safe.shown(&version))
    }

    /// `eth_call` of something that is no contract of ours: bytes in, bytes out.
    pub(crate) async fn call_raw(
        &self,
        what: &'static str,
        to: Address,
        input: Bytes,
        block: BlockId,
    ) -> Result<Bytes, Error> {
        let request = TransactionRequest::default().to(address_out(to)).input(input.into());
        self.limited(what, async { self.provider.call(request).block(block).await }).await
    }

    /// `eth_call` of one contract function, with its revert decoded.
    pub(crate) async fn call<C: SolCall>(&self, to: Address, call: &C, block: BlockId) -> Result<C::Return, Error> {
        let request = TransactionRequest::default().to(address_out(to)).input(call.abi_encode().into());
        self.call_request::<C>(request, block).await
    }

    /// [`Node::call`] with a request that names more, such as the sender.
    pub(crate) async fn call_request<C: SolCall>(
        &self,
        request: TransactionRequest,
        block: BlockId,
    ) -> Result<C::Return, Error> {
        let what = function_name(C::SIGNATURE);
        let data = self.limited(what, async { self.provider.call(request).block(block).await }).await?;
        C::abi_decode_returns(&data)
            .map_err(|error| Error::BadAnswer { what, reason: self.safe.shown(&error.to_string()) })
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
                refused(what, payload.code, &payload.message, payload.as_revert_data().as_ref(), shown)
            }
            RpcError::DeserError { err, .. } => Error::BadAnswer { what, reason: shown(&err.to_string()) },
            RpcError::NullResp => Error::BadAnswer { what, reason: "null".to_owned() },
            other => Error::Rpc { what, reason: shown(&other.to_string()) },
        }
    }
}

/// What a node's error object means: a revert if it carries revert data, else the node's message.
fn refused(
    what: &'static str,
    code: i64,
    message: &str,
    data: Option<&Bytes>,
    shown: impl Fn(&str) -> String,
) -> Error {
    let Some(data) = data else {
        let reason = format!("{} (code {code})", shown(message));
        return if message.contains("execution reverted") {
            Error::Reverted { what, reason }
        } else if lacks_state(message) {
            Error::NoState { what, reason }
        } else {
            Error::Rpc { what, reason }
        };
    };
    match CommitteeRegistryErrors::abi_decode(data) {
        Ok(CommitteeRegistryErrors::NotAvailable(NotAvailable { status })) => match Status::try_from(status) {
            Ok(status) => Error::NotAvailable { status },
            Err(error) => Error::BadAnswer { what, reason: error.to_string() },
        },
        Ok(CommitteeRegistryErrors::UnknownEpoch(UnknownEpoch { epoch })) => {
            registry::Error::UnknownEpoch { epoch }.into()
        }
        Ok(known) => Error::Reverted { what, reason: shown(&inner_debug(&format!("{known:?}"))) },
        Err(_) => {
            let text = alloy::sol_types::decode_revert_reason(data);
            Error::Reverted { what, reason: shown(&text.unwrap_or_else(|| data.to_string())) }
        }
    }
}

/// Whether a node's message says that it no longer has a block's state, or never had the block. Every client has words
/// of its own for it.
fn lacks_state(message: &str) -> bool {
    const WORDS: [&str; 13] = [
        "missing trie node",
        "historical state",
        "header not found",
        "block not found",
        "unknown block",
        "block does not exist",
        "state not available",
        "state is not available",
        "no state available",
        "state unavailable",
        "old data not available",
        "is pruned",
        "has been pruned",
    ];
    let message = message.to_ascii_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

/// `Name(Name { field: value })` without the repetition.
fn inner_debug(debug: &str) -> String {
    let inner = debug.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(debug).to_owned()
}
