//! After a result: what members that have not signed yet still get.

use std::time::Duration;

use holdfast_client::Client;

use crate::output::progress;

/// How long it goes on without a word.
const QUIET: Duration = Duration::from_secs(1);

/// Members that have not signed yet still get their part, and every member the certificate, within the client's bound. What is
/// certified needs nobody to wait for it.
pub(crate) async fn feed(client: &Client) {
    if tokio::time::timeout(QUIET, client.close()).await.is_ok() {
        return;
    }
    progress("giving slow members their part; an interrupt ends this, and loses nothing that is certified");
    tokio::select! {
        () = client.close() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
