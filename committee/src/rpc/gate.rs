//! What every call passes through, on its way in and on its way out.
//!
//! In this order: all headers but those that mean something, the rates of its origin, a place, memory for its answer, its
//! time; and its body is charged and timed as it comes ([`super::incoming`]), its answer as it goes ([`super::outgoing`]).

use std::{convert::Infallible, pin::Pin, sync::Arc};

use http::{HeaderMap, Request, Response, header};
use tonic::{Status, service::Routes};
use tower_service::Service as _;
use tracing::Instrument as _;

use super::{
    budget::{Bill, Holder, Share},
    calls::{self, Call, Kind},
    incoming::Incoming,
    outcome::Outcome,
    outgoing::Outgoing,
    places::Place,
    shared::Shared,
    status::{Error, blame},
};
use crate::{line::Line, origin::Origin};

/// The headers of a call that mean something here; there may be hundreds of others, which would stay for as long as it does.
static HEADERS: [header::HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::TE,
    header::HeaderName::from_static("grpc-encoding"),
    header::HeaderName::from_static("grpc-accept-encoding"),
    header::HeaderName::from_static("grpc-timeout"),
];

/// The gate of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
    routes: Routes,
    line: Arc<Line>,
}

impl Gate {
    pub(crate) fn new(shared: Arc<Shared>, routes: Routes, line: Arc<Line>) -> Self {
        Self { shared, routes, line }
    }

    async fn pass(self, request: Request<hyper::body::Incoming>) -> Response<Outgoing> {
        let shared = &self.shared;
        let call = calls::find(request.uri().path());
        let open = self.line.open(call.kind == Kind::Watches);
        let place = self.place(call);
        let mut outcome = Outcome::begin(Arc::clone(shared), call.path);
        let holders = vec![Holder::Origin(self.line.origin())];
        let empty = shared.sending.open(holders.clone());
        let (asked, place) = match place {
            Ok(place) => {
                let span = tracing::debug_span!("rpc.call", call = call.path);
                (self.ask(call, request, holders).instrument(span).await, Some(place))
            }
            Err(error) => (Err(error), None),
        };
        let (response, share) = match asked {
            Ok((response, share)) => (blame(response), share),
            Err(error) => (Status::from(error).into_http(), empty),
        };
        // A refusal stands in the headers alone.
        outcome.finish(response.headers());
        let answer = self.line.answer(shared.pace());
        response.map(|body| Outgoing::new(body, answer, outcome, (share, open, place)))
    }

    /// A place for one more call.
    fn place(&self, call: Call) -> Result<Place, Error> {
        let (shared, origin) = (&self.shared, self.line.origin());
        let known = shared.known.has(origin);
        // Health and `GetInfo` are answered in any case: who runs the member has to see what is wrong.
        if shared.is_full() && !known && !call.vital {
            return Err(Error::Full);
        }
        shared.places.enter(origin, known, call.kind == Kind::Watches)
    }

    async fn ask(
        &self,
        call: Call,
        request: Request<hyper::body::Incoming>,
        holders: Vec<Holder>,
    ) -> Result<(Response<tonic::body::Body>, Share), Error> {
        let shared = &self.shared;
        shared.rates.check(self.line.origin(), call.costly)?;
        self.line.earn();
        let share = shared.sending.take(holders.clone(), call.answer).await?;
        let bill = Bill::new(shared.receiving.open(holders));
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(bill.clone());
        let body = tonic::body::Body::new(Incoming::new(body, call.request, shared.pace(), bill));
        let answer = self.routes.clone().call(Request::from_parts(parts, body));
        let limit = match call.kind {
            Kind::Short => shared.limits.call_deadline,
            Kind::Sends => shared.before_first_byte(),
            Kind::Long => calls::LONG,
            Kind::Receives | Kind::Watches => {
                let Ok(response) = answer.await;
                return Ok((response, share));
            }
        };
        let Ok(response) = tokio::time::timeout(limit, answer).await.map_err(|_| Error::Late { limit })?;
        Ok((response, share))
    }
}

impl hyper::service::Service<Request<hyper::body::Incoming>> for Gate {
    type Response = Response<Outgoing>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<hyper::body::Incoming>) -> Self::Future {
        slim(request.headers_mut());
        let gate = self.clone();
        let origin = gate.line.origin();
        Box::pin(Origin::scope(Some(origin), async move { Ok(gate.pass(request).await) }))
    }
}

/// Leaves the headers that mean something.
fn slim(headers: &mut HeaderMap) {
    let mut kept = HeaderMap::with_capacity(HEADERS.len());
    for name in &HEADERS {
        if let Some(value) = headers.remove(name) {
            kept.insert(name, value);
        }
    }
    *headers = kept;
}
