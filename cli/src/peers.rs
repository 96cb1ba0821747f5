//! Connections to members for what the SDK has no call for.

use std::time::Duration;

use holdfast_certificate::check_endpoint;
use holdfast_registry::Endpoint;
use holdfast_transport::{Fair, MemberKey, Trust};
use tonic::{Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A connection to a member, or why there is none. What TLS is asked for and cannot have is refused before a byte is sent.
pub(crate) async fn connect(endpoint: &Endpoint, member: Option<MemberKey>) -> Result<Channel, String> {
    if endpoint.url.is_empty() {
        return Err("it has no endpoint".to_owned());
    }
    let unusable = |error: &dyn std::error::Error| format!("its endpoint cannot be used: {error}");
    check_endpoint(&endpoint.url).map_err(|error| unusable(&error))?;
    let target = holdfast_transport::endpoint(&endpoint.url, &Trust { pin: endpoint.tls_pin, member }, CONNECT_LIMIT)
        .map_err(|error| unusable(&error))?;
    target.connect().await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        format!("unreachable: {cause}")
    })
}

/// Whether a member says that a service of this name serves.
pub(crate) async fn serves(channel: Channel, service: &str) -> Result<bool, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(Fair::new(channel)).check(request).await?.into_inner();
    Ok(answer.status() == ServingStatus::Serving)
}
