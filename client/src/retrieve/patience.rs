//! Asking one member again as long as it says that this helps.

use tokio::time::{Instant, sleep};

use crate::failure::FailureReason;

/// Asks until the answer is one that no other follows, or there is no time to come back by `until`.
pub(crate) async fn patiently<T, F>(until: Instant, mut ask: impl FnMut() -> F) -> Result<T, FailureReason>
where
    F: Future<Output = Result<T, FailureReason>>,
{
    loop {
        let reason = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(reason) => reason,
        };
        match reason.again_after() {
            Some(pause) if Instant::now() + pause < until => sleep(pause).await,
            _ => return Err(reason),
        }
    }
}
