//! JSON-RPC over HTTP to a node that is not trusted: nothing it does costs much memory, and its URL goes nowhere else.

use std::{
    error::Error as _,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload},
    transports::{
        RpcError, TransportError, TransportErrorKind, TransportFut, TransportResult,
        http::reqwest::{self, Client, Url, header::CONTENT_TYPE, redirect},
    },
};
use tower_service::Service;

use super::{safe_text::SafeText, url::is_local};

/// The longest answer that is read: a block's list of transactions has less than a hundredth of it.
const MAX_ANSWER: usize = 4 << 20;

/// The most characters of an error message that are kept, for those who look for words in it.
const MAX_MESSAGE: usize = 1000;

/// A node's URL and the way to it.
///
/// # The key stays here
///
/// The URL, which may hold an API key, is sent to its own host only: redirects are not followed, as with a 307 the key
/// would go to another host. It is in no log line, no span and no error, whatever the node answers.
///
/// # Bounded
///
/// An answer is read up to 4 MiB, and each request has a time limit.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client,
    shared: Arc<Shared>,
}

struct Shared {
    url: Url,
    safe: SafeText,
}

impl Transport {
    pub(crate) fn new(url: Url, safe: SafeText, limit: Duration) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder().timeout(limit).redirect(redirect::Policy::none()).referer(false);
        // A proxy from the environment must not take the calls to a node on this machine.
        if url.host_str().is_some_and(is_local) {
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, shared: Arc::new(Shared { url, safe }) })
    }

    async fn send(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let body = serde_json::to_vec(&request).map_err(RpcError::SerError)?;
        let request = self.client.post(self.shared.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut answer = request.send().await.map_err(|error| self.broken(error))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(TransportErrorKind::custom_str(&format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let shown = || self.shared.safe.shown(&String::from_utf8_lossy(&body));
        let answer = serde_json::from_slice::<ResponsePacket>(&body);
        match answer {
            // Some nodes put their error objects under a status of failure.
            Ok(answer) if status.is_success() || answer.is_error() => Ok(self.cleaned(answer)),
            Err(error) if status.is_success() => Err(RpcError::DeserError { err: error, text: shown() }),
            _ => Err(TransportErrorKind::http_error(status.as_u16(), shown())),
        }
    }

    /// Why there is no answer: the client's own message names the URL.
    fn broken(&self, error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        TransportErrorKind::custom_str(&self.shared.safe.shown(&text))
    }

    /// The answer with messages that can be shown.
    fn cleaned(&self, mut answer: ResponsePacket) -> ResponsePacket {
        let clean = |response: &mut Response| {
            if let ResponsePayload::Failure(error) = &mut response.payload {
                error.message = self.shared.safe.cut(&error.message, MAX_MESSAGE).into();
            }
        };
        match &mut answer {
            ResponsePacket::Single(response) => clean(response),
            ResponsePacket::Batch(responses) => responses.iter_mut().for_each(clean),
        }
        answer
    }
}

impl Service<RequestPacket> for Transport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("host", &self.shared.url.host_str()).finish_non_exhaustive()
    }
}
