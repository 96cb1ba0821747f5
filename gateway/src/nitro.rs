//! Arbitrum Nitro's DA provider: JSON-RPC in the namespace `daprovider`, as the clients of nitro v3.8 to v3.10 call it
//! (`daprovider/daclient`, `daprovider/data_streaming` of the nitro repository). Over HTTP; batches are not taken, since no
//! client of it sends them.

mod certificate;
mod errors;
mod methods;
mod opening;
mod parameters;
mod rpc;
mod streams;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::post,
};

use crate::{app::App, jwt::Secret, reply::named};
use methods::Provider;

/// JSON-RPC at `/`.
pub(crate) fn routes(app: &App, secret: Option<Secret>) -> Router<App> {
    let provider = Arc::new(Provider::new(app.clone()));
    let call = move |State(app): State<App>, request: Request| {
        let (provider, secret) = (Arc::clone(&provider), secret.clone());
        async move {
            let (method, answer) = rpc::answer(&app, &provider, secret.as_ref(), request).await;
            let response: Response = named(method, answer);
            response
        }
    };
    Router::new().route("/", post(call))
}
