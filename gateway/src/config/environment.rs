//! Settings in environment variables: the prefix and the key in capitals, `_` (or `__`) between table and key.
//!
//! A variable that is no setting is passed over: an environment has other authors than the operator, such as Kubernetes,
//! which sets `HOLDFAST_GATEWAY_PORT` where a service has that name.

use figment::value::Value;

/// What every variable of a gateway begins with.
pub(super) const PREFIX: &str = "HOLDFAST_GATEWAY_";

/// Every key that is a value.
pub(super) const KEYS: [&str; 48] = [
    "namespace",
    "disperser_key_file",
    "committee_file",
    "l1.rpc_url",
    "l1.registry",
    "l1.code_hash",
    "backend",
    "listen.http",
    "listen.op",
    "listen.nitro",
    "listen.read",
    "listen.metrics",
    "listen.admin",
    "tls.certificate",
    "tls.key",
    "auth.write_file",
    "put.retention",
    "put.whole",
    "put.by",
    "put.reuse_within",
    "publish.mode",
    "publish.interval",
    "publish.dir",
    "publish.key_file",
    "publish.password_file",
    "op.commitment",
    "op.invalid",
    "op.in_order",
    "op.in_order_wait",
    "op.in_order_gap",
    "op.keccak_max",
    "nitro.jwt_file",
    "nitro.max_message",
    "cache.memory_mib",
    "cache.disk_dir",
    "cache.disk_mib",
    "limits.connections",
    "limits.puts",
    "limits.receiving_mib",
    "limits.reads",
    "limits.head_deadline",
    "limits.body_deadline",
    "limits.stall_deadline",
    "limits.queue_deadline",
    "limits.lookup_deadline",
    "limits.disperse_deadline",
    "limits.read_deadline",
    "limits.drain_deadline",
];

/// The settings among these variables, by key with its table; and the names of those that begin like one and are none.
pub(super) fn read(variables: impl Iterator<Item = (String, String)>) -> (Vec<(&'static str, Value)>, Vec<String>) {
    let (mut settings, mut passed_over) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let rest = rest.to_ascii_lowercase().replace("__", "_");
        match KEYS.into_iter().find(|key| key.replace('.', "_") == rest) {
            Some(key) => {
                settings.push((key, value.parse::<Value>().unwrap_or_else(|infallible| match infallible {})));
            }
            None => passed_over.push(name),
        }
    }
    (settings, passed_over)
}
