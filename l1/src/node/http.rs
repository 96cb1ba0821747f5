//! JSON-RPC over HTTP to a node that is not trusted: nothing it does costs much memory, and its URL goes nowhere else.

use std::{
    error::Error as _,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use alloy::{
    rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload},
    transports::{
        RpcError, TransportError, TransportErrorKind, TransportFut, TransportResult,
        http::reqwest::{
            self, Client, StatusCode, Url,
            header::{CONTENT_TYPE, RETRY_AFTER},
            redirect,
        },
    },
};
use tower_service::Service;

use super::{
    proxy::Way,
    rest::{self, Rest},
    safe_text::SafeText,
    url::invalid_url,
};
use crate::error::Error;

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
///
/// # Asked again
///
/// Connections are kept, and nodes drop them when they like, also with a question on its way. Such a question is asked
/// once more, on a new connection. That is harmless: whatever is asked here changes nothing, but for a signed transaction,
/// and a node takes that once.
///
/// # Left alone
///
/// A node that says that it is asked too much (HTTP 429, or an error object of that meaning) is not asked for as long as
/// it says in `Retry-After`, up to 5 min, or else for 1 s, 2 s and so on up to 32 s.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
}

struct Shared {
    url: Url,
    safe: SafeText,
    way: Way,
    limit: Duration,
    rest: Rest,
    /// Keeps its connections.
    kept: Client,
    /// Opens a new connection for each request.
    fresh: Client,
}

/// What came over HTTP.
struct Came {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Why nothing came.
enum Broken {
    Http(reqwest::Error),
    TooLong,
}

impl Transport {
    pub(crate) fn new(url: Url, safe: SafeText, limit: Duration) -> Result<Self, Error> {
        let way = Way::to(&url)?;
        let client = |kept: bool| {
            // HTTP/1.1 alone, whatever else the library can do: what is said below of connections is so of these.
            let mut client =
                Client::builder().http1_only().timeout(limit).redirect(redirect::Policy::none()).referer(false);
            if !kept {
                client = client.pool_max_idle_per_host(0);
            }
            // A connection that some machine in between has forgotten swallows questions: that must show in time for another try.
            #[cfg(target_os = "linux")]
            {
                client = client.tcp_user_timeout(limit / 2);
            }
            way.take(client).and_then(reqwest::ClientBuilder::build).map_err(|error| invalid_url(error.to_string()))
        };
        let (kept, fresh) = (client(true)?, client(false)?);
        Ok(Self { shared: Arc::new(Shared { url, safe, way, limit, rest: Rest::default(), kept, fresh }) })
    }

    async fn send(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let shared = &*self.shared;
        if let Some(left) = shared.rest.left(Instant::now()) {
            return Err(custom(&format!("the node limits its callers; it is asked again in {} s", left.as_secs() + 1)));
        }
        let body = serde_json::to_vec(&request).map_err(RpcError::SerError)?;
        let asked = Instant::now();
        let came = match shared.exchange(&shared.kept, &body).await {
            Err(Broken::Http(error)) if was_dropped(&error, asked.elapsed() < shared.limit / 4 * 3) => {
                shared.exchange(&shared.fresh, &body).await
            }
            came => came,
        };
        let came = came.map_err(|broken| shared.broken(broken))?;
        let answer = serde_json::from_slice::<ResponsePacket>(&came.body);
        if shared.wants_rest(&came, answer.as_ref().ok()) {
            let rest = shared.rest.begin(came.retry_after, Instant::now());
            tracing::debug!(host = shared.url.host_str(), seconds = rest.as_secs(), "this L1 node limits its callers");
        } else {
            shared.rest.served();
        }
        let (status, shown) = (came.status, || shared.safe.shown(&String::from_utf8_lossy(&came.body)));
        match answer {
            // Some nodes put their error objects under a status of failure.
            Ok(answer) if status.is_success() || answer.is_error() => Ok(shared.cleaned(answer)),
            Err(error) if status.is_success() => Err(RpcError::DeserError { err: error, text: shown() }),
            _ => Err(TransportErrorKind::http_error(status.as_u16(), format!("{}{}", shown(), shared.way.note()))),
        }
    }
}

impl Shared {
    async fn exchange(&self, client: &Client, body: &[u8]) -> Result<Came, Broken> {
        let request = client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body.to_vec());
        let mut answer = request.send().await.map_err(Broken::Http)?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| rest::retry_after(value, SystemTime::now()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(Broken::Http)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Broken::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Came { status, retry_after, body })
    }

    fn wants_rest(&self, came: &Came, answer: Option<&ResponsePacket>) -> bool {
        let is_limit = |response: &Response| match &response.payload {
            ResponsePayload::Failure(error) => rest::is_limit(error.code, &error.message),
            ResponsePayload::Success(_) => false,
        };
        match came.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => came.retry_after.is_some(),
            _ => match answer {
                Some(ResponsePacket::Single(response)) => is_limit(response),
                Some(ResponsePacket::Batch(responses)) => responses.iter().any(is_limit),
                None => false,
            },
        }
    }

    /// Why there is no answer: the client's own message names the URL.
    fn broken(&self, broken: Broken) -> TransportError {
        let error = match broken {
            Broken::TooLong => return custom(&format!("the answer is longer than {MAX_ANSWER} bytes")),
            Broken::Http(error) => error.without_url(),
        };
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        custom(&format!("{}{}", self.safe.shown(&text), self.way.note()))
    }

    /// The answer with messages that can be shown.
    fn cleaned(&self, mut answer: ResponsePacket) -> ResponsePacket {
        let clean = |response: &mut Response| {
            if let ResponsePayload::Failure(error) = &mut response.payload {
                error.message = self.safe.cut(&error.message, MAX_MESSAGE).into();
            }
        };
        match &mut answer {
            ResponsePacket::Single(response) => clean(response),
            ResponsePacket::Batch(responses) => responses.iter_mut().for_each(clean),
        }
        answer
    }
}

/// Whether the node has dropped a connection on which it was asked, rather than not answered or not been there. Before the
/// request's own time is over, a time-out is that of a connection on which nothing arrives any more.
fn was_dropped(error: &reqwest::Error, has_time: bool) -> bool {
    !error.is_connect() && !error.is_builder() && (has_time || !error.is_timeout())
}

fn custom(text: &str) -> TransportError {
    TransportErrorKind::custom_str(text)
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
