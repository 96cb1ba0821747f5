//! Every key there is, so that a misspelt one is refused and the right one named.

use figment::{
    Figment,
    value::{Dict, Value},
};

use super::Error;

pub(super) const KEYS: [&str; 41] = [
    "listen",
    "tls",
    "tls.certificate",
    "tls.key",
    "insecure_plaintext",
    "metrics_listen",
    "data_dir",
    "keystore",
    "password_file",
    "committee_file",
    "l1",
    "l1.rpc_url",
    "l1.registry",
    "l1.code_hash",
    "policy",
    "policy.max_retention",
    "policy.max_whole",
    "policy.namespace_quota_gib_days",
    "policy.namespaces",
    "policy.scrub_period",
    "policy.repair_delay",
    "policy.repair_mib_per_second",
    "policy.deletion_grace",
    "limits",
    "limits.receiving_mib",
    "limits.sending_mib",
    "limits.working_mib",
    "limits.reading_mib",
    "limits.connections",
    "limits.connections_per_address",
    "limits.connections_reserved",
    "limits.streams_per_connection",
    "limits.opening_deadline",
    "limits.idle_deadline",
    "limits.call_deadline",
    "limits.stall_deadline",
    "limits.least_kib_per_second",
    "limits.calls_per_second",
    "limits.costly_calls_per_second",
    "limits.frames_per_second",
    "limits.drain_deadline",
];

/// Refuses the first key that no member has.
pub(super) fn check(figment: &Figment, origin: &str) -> Result<(), Error> {
    let dict: Dict =
        figment.extract().map_err(|e| Error::Syntax { file: std::path::PathBuf::new(), reason: e.to_string() })?;
    walk(&dict, "", origin)
}

fn walk(dict: &Dict, table: &str, origin: &str) -> Result<(), Error> {
    for (key, value) in dict {
        let key = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
        if !KEYS.contains(&key.as_str()) {
            let nearest = nearest(&key, KEYS.into_iter()).map(str::to_owned);
            return Err(Error::UnknownKey { key, origin: origin.into(), nearest });
        }
        if let Value::Dict(_, dict) = value {
            walk(dict, &key, origin)?;
        }
    }
    Ok(())
}

/// The known name that is most like `name`, where one has much in common with it: another would only mislead.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .map(|(_, known)| known)
}
