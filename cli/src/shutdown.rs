//! When a command is asked to stop.

use std::io::Read;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Whether this process was asked to stop. A request that comes while nobody waits for it is not lost.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens from now on for SIGINT, SIGTERM and SIGHUP (the terminal's end) and, `until_stdin_closes`, for the end of standard input (the parent's
    /// death). Once asked to stop, a second signal ends the process at once.
    pub(crate) fn listen(until_stdin_closes: bool) -> anyhow::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let (ask, asked) = watch::channel(false);
        if until_stdin_closes {
            let ask = ask.clone();
            // The reading blocks a thread of its own, which ends with the process.
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
                ask.send_replace(true);
            });
        }
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                if ask.send_replace(true) {
                    std::process::exit(130);
                }
            }
        });
        Ok(Self(asked))
    }

    /// Waits until the process is asked to stop.
    pub(crate) async fn requested(&self) {
        // The sender lives in the task above, as long as the process.
        let _ = self.0.clone().wait_for(|asked| *asked).await;
    }
}
