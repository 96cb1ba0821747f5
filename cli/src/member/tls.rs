//! `holdfast member new-tls`: another TLS key, endorsed by the member's own key, for a running member to take.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use holdfast_certificate::Endorsement;
use holdfast_committee as committee;
use holdfast_transport::tls::{Endorser, NewKey, generate};
use serde::Serialize;

use super::{load, public_key, registry_of};
use crate::{
    exit::{Exit, fail},
    files, keys,
    output::Output,
    target,
    times::{human_time, now, parse_span},
    tls_pair,
};

/// Clocks of clients may be behind this machine's by so much.
const SKEW: u64 = 3600;

/// For which hosts, and for how long.
#[derive(Debug, Args)]
pub(crate) struct NewTlsArgs {
    /// A name or address under which clients reach the member; it may be given several times.
    #[arg(long)]
    host: Vec<String>,
    /// For how long clients take it, at most 400d. Make another in time.
    #[arg(long, default_value = "90d", value_parser = parse_span)]
    span: Duration,
    /// Also where the slot has a pin on L1: clients take the pinned key and no other.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    certificate: PathBuf,
    key: PathBuf,
    tls_pin: String,
    not_after: u64,
    /// Lines that the configuration lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

pub(super) async fn run(args: &NewTlsArgs, file: &Path, output: Output) -> anyhow::Result<()> {
    let config = load(file)?;
    if args.span.as_secs() == 0 || args.span.as_secs() + SKEW > Endorsement::LONGEST {
        return fail(Exit::Usage, "--span must be more than 0s and, with an hour for clocks, at most 400d");
    }
    let public_key = public_key(&config)?;
    let registry = registry_of(&config).await?;
    if let Ok(record) = registry.active_epoch(now()).await
        && let Some(slot) = record.committee.slot_of(&public_key)
        && let Some(pin) = record.endpoints.get(usize::from(slot)).and_then(|endpoint| endpoint.tls_pin)
        && !args.force
    {
        return fail(
            Exit::Unsafe,
            format!(
                "slot {slot} has the TLS pin 0x{} in the registry, and clients take that key and no other: take the pin away \
                 first (holdfast l1 endpoint set without --tls-pin), wait until that is final, or give --force",
                hex::encode(pin)
            ),
        );
    }
    let hosts = if args.host.is_empty() { vec![config.listen.ip().to_string()] } else { args.host.clone() };
    let from = now().saturating_sub(SKEW);
    let span = args.span + Duration::from_secs(SKEW);
    let pair = match &config.signer {
        Some(signer) => {
            let key = NewKey::generate()?;
            let times = (from, from.saturating_add(span.as_secs()));
            let endorsed = committee::endorse(signer, registry.domain(), key.pin(), times).await;
            let endorsement = endorsed.or_else(|error| fail(Exit::Other, error))?;
            key.certify(hosts, Some(&endorsement))?
        }
        None => {
            let secret = keys::unlock(&config.keystore, &config.password_file)?;
            generate(hosts, Some(Endorser { secret: &secret, domain: registry.domain(), from, span }))?
        }
    };
    let (certificate, key) = match &config.tls {
        Some(tls) => (tls.certificate.clone(), tls.key.clone()),
        None => {
            let folder = file.parent().unwrap_or(Path::new(""));
            (folder.join(tls_pair::CERTIFICATE), folder.join(tls_pair::KEY))
        }
    };
    // The one that works stays in use until both are there.
    replace(&key, pair.key.as_bytes())?;
    replace(&certificate, pair.certificate.as_bytes())?;
    let missing = config.tls.is_none().then(tls_pair::table);
    let made = Made {
        certificate,
        key,
        tls_pin: format!("0x{}", hex::encode(pair.pin)),
        not_after: from.saturating_add(span.as_secs()),
        missing,
    };
    output.print(&made, |made| {
        let mut text = format!(
            "certificate  {}\nTLS pin      {}\nends         {}\nA running member takes it within a minute.\n",
            made.certificate.display(),
            made.tls_pin,
            human_time(made.not_after),
        );
        if let Some(missing) = &made.missing {
            text += &format!("The configuration does not name it yet; add, and restart the member:\n{missing}");
        }
        text
    })
}

/// In place of a file that may be in use; only its owner can read it.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // One that was left behind by a run that was cut off.
    let _gone = fs::remove_file(&new);
    files::write_new_secret(&new, bytes)?;
    let placed = fs::rename(&new, path).and_then(|()| target::sync_folder(target::folder_of(path)));
    placed.with_context(|| format!("cannot write {}", path.display()))
}
