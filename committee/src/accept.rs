//! Taking the connections of a listener that is not the committee's: so many at once, until told to stop.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// After a failure to accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Has each connection served in a task of its own, which ends at the latest when all is to stop; beyond `places` at once they wait.
pub(crate) async fn each<C, S: Future<Output = ()> + Send + 'static>(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<C>>,
    places: usize,
    stop: CancellationToken,
    serve: impl Fn(C) -> S,
) {
    let places = Arc::new(Semaphore::new(places));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, poll_fn(&mut accept).await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        // The semaphore is never closed.
        let Ok(place) = place else { return };
        let Ok(connection) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (served, stop) = (serve(connection), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                () = served => {}
            }
        });
    }
}
