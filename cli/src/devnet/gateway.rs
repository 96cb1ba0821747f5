//! The gateway of a devnet: `devnet up --gateway op,nitro,http`.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    process::{self, Launch},
    state::{Layout, State},
};
use crate::{
    exit::{Exit, fail},
    output::progress,
    target,
};

/// How long the gateway may take until the committee is ready behind it.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long one question may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(25);
/// How much of an answer is looked at.
const ANSWER_BYTES: usize = 64;

/// Writes the gateway's settings.
pub(crate) fn write_config(layout: &Layout, state: &State) -> anyhow::Result<()> {
    let Some(gateway) = &state.gateway else { return Ok(()) };
    let listens: String =
        gateway.listens.iter().map(|it| format!("{} = \"{}\"\n", it.protocol.key(), it.address)).collect();
    let source = match &state.l1 {
        Some(l1) => format!("[l1]\nrpc_url = \"{}\"\nregistry = \"{}\"\n", l1.url(), l1.registry),
        None => String::new(),
    };
    let file = if state.l1.is_some() { "" } else { "committee_file = \"committee.json\"\n" };
    let text = format!(
        "# The gateway of a devnet.\nnamespace = \"{}\"\ndisperser_key_file = \"disperser.key\"\n{file}\n[listen]\n{listens}\n{source}",
        state.namespace
    );
    target::write(&layout.gateway_config(), text.as_bytes())
}

/// Starts the gateway, if the devnet has one, and waits until the committee is ready behind it.
pub(crate) async fn start(layout: &Layout, state: &mut State, tied: bool) -> anyhow::Result<()> {
    let Some(gateway) = &mut state.gateway else { return Ok(()) };
    progress("starting the gateway");
    let config = layout.gateway_config();
    let config = config.to_str().context("the devnet's path is not UTF-8")?;
    let log = layout.log("gateway");
    let process = process::start(&Launch { tied, ..Launch::new(&["--config", config, "gateway", "run"], &log) })?;
    // Noted at once, so that it is stopped even when the wait is cut short.
    gateway.process = Some(process.clone());
    let deadline = Instant::now() + START_LIMIT;
    for listen in &gateway.listens {
        while !is_ready(&listen.address).await {
            if !process.is_running() || Instant::now() > deadline {
                return fail(
                    Exit::Other,
                    format!("the gateway does not serve; the end of {}:\n{}", log.display(), process::tail(&log)),
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

async fn is_ready(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n").await?;
        let mut answer = vec![0; ANSWER_BYTES];
        let count = stream.read(&mut answer).await?;
        answer.truncate(count);
        std::io::Result::Ok(answer)
    };
    matches!(timeout(ASK_LIMIT, ask).await, Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.1 200"))
}
