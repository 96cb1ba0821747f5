//! Connections to members for what the SDK has no call for.

use std::time::Duration;

use holdfast_certificate::{Scheme, check_endpoint};
use holdfast_registry::Endpoint;
use holdfast_transport::settings;
use tonic::transport::{self, Channel};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A connection to a member, or why there is none. Where TLS is asked for nothing is sent: this version speaks none.
pub(crate) async fn connect(endpoint: &Endpoint) -> Result<Channel, String> {
    if endpoint.url.is_empty() {
        return Err("it has no endpoint".to_owned());
    }
    match (check_endpoint(&endpoint.url), endpoint.tls_pin) {
        (Err(error), _) => return Err(format!("its endpoint cannot be used: {error}")),
        (Ok(Scheme::Https), _) | (_, Some(_)) => {
            return Err("its endpoint wants TLS, which this version does not speak".to_owned());
        }
        (Ok(Scheme::Http), None) => {}
    }
    let target = transport::Endpoint::from_shared(endpoint.url.clone()).map_err(|error| error.to_string())?;
    settings::channel(target, CONNECT_LIMIT).connect().await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        format!("unreachable: {cause}")
    })
}
