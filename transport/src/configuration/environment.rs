//! Settings in environment variables, by one rule for members and clients.
//!
//! A setting is the prefix and its key in capitals, `_` (or `__`) between table and key: `HOLDFAST_MEMBER_LISTEN`,
//! `HOLDFAST_MEMBER_L1_RPC_URL`. A variable that is no setting is remarked on and changes nothing: an environment has
//! other authors than the operator, such as Kubernetes, which sets `HOLDFAST_MEMBER_PORT` where a service has that name.

use std::fmt;

use figment::value::Value;

use super::known::nearest;

/// What the variables with one prefix say.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// Settings, by key with its table: `l1.rpc_url`.
    pub settings: Vec<(String, Value)>,
    /// Variables that are no settings.
    pub remarks: Vec<Remark>,
}

/// A variable that is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The variable's name.
    pub name: String,
    /// Why.
    pub why: PassedOver,
}

/// Why a variable is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassedOver {
    /// Kubernetes sets it for a service (`kubernetes.io/docs/concepts/services-networking/service`, "Environment variables").
    Kubernetes,
    /// No setting has that name.
    Unknown {
        /// The variable of the setting that is most like it.
        nearest: Option<String>,
    },
    /// It is not UTF-8.
    NotText,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why } = self;
        match why {
            PassedOver::Kubernetes => {
                write!(f, "the variable {name} is one that Kubernetes sets for a service, and no setting: passed over")
            }
            PassedOver::Unknown { nearest: Some(nearest) } => {
                write!(f, "no setting is called {name}: passed over; did you mean {nearest}?")
            }
            PassedOver::Unknown { nearest: None } => write!(f, "no setting is called {name}: passed over"),
            PassedOver::NotText => write!(f, "the variable {name} is not UTF-8 text: passed over"),
        }
    }
}

/// Reads the process's variables that begin with `prefix`, as settings with these keys.
#[must_use]
pub fn variables(prefix: &str, keys: &[&str]) -> Variables {
    let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value));
    read(prefix, keys, std::env::vars_os().filter_map(named))
}

/// The variable of a setting.
#[must_use]
pub fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// What is wrong with a setting, by the name of its variable where it came from one.
#[must_use]
pub fn explain(prefix: &str, set: &[(String, Value)], error: &figment::Error) -> String {
    let key = error.path.join(".");
    match set.iter().any(|(known, _)| *known == key) {
        true => format!("the variable {}: {}", variable(prefix, &key), error.kind),
        false => error.to_string(),
    }
}

fn read(prefix: &str, keys: &[&str], variables: impl Iterator<Item = (String, std::ffi::OsString)>) -> Variables {
    let mut found = Variables::default();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let rest = rest.to_ascii_lowercase().replace("__", "_");
        let key = keys.iter().find(|key| key.replace('.', "_") == rest);
        let why = match (key, value.into_string()) {
            (Some(key), Ok(value)) => {
                let value = value.parse::<Value>().unwrap_or_else(|infallible| match infallible {});
                found.settings.push(((*key).to_owned(), value));
                continue;
            }
            (Some(_), Err(_)) => PassedOver::NotText,
            (None, value) if is_of_kubernetes(&name, value.as_deref().unwrap_or_default()) => PassedOver::Kubernetes,
            (None, _) => {
                let flat: Vec<String> = keys.iter().map(|key| key.replace('.', "_")).collect();
                let near = nearest(&rest, flat.iter().map(String::as_str));
                PassedOver::Unknown { nearest: near.map(|near| variable(prefix, near)) }
            }
        };
        found.remarks.push(Remark { name, why });
    }
    found
}

/// `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT=tcp://...`, `X_PORT_7400_TCP`, `X_PORT_7400_TCP_ADDR`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_protocol = |text: &str| matches!(text, "TCP" | "UDP" | "SCTP");
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme)) {
        return true;
    }
    let Some((_, rest)) = name.rsplit_once("_PORT_").filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        // The last part may itself be PORT: X_PORT_7400_TCP_PORT.
        return name.strip_suffix("_PORT").is_some_and(|rest| rest.rsplit('_').next().is_some_and(is_protocol));
    };
    rest.split('_').nth(1).is_some_and(is_protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 3] = ["listen", "l1.rpc_url", "policy.max_retention"];

    fn said(variables: &[(&str, &str)]) -> Variables {
        read("HOLDFAST_MEMBER_", &KEYS, variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())))
    }

    #[test]
    fn one_underscore_or_two_stand_between_table_and_key() {
        let found = said(&[
            ("HOLDFAST_MEMBER_LISTEN", "127.0.0.1:1"),
            ("HOLDFAST_MEMBER_L1_RPC_URL", "http://a"),
            ("HOLDFAST_MEMBER_POLICY__MAX_RETENTION", "30d"),
            ("HOLDFAST_NAMESPACE", "0x"),
            ("PATH", "/bin"),
        ]);
        let keys: Vec<&str> = found.settings.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["listen", "l1.rpc_url", "policy.max_retention"]);
        assert_eq!(found.remarks, []);
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_is_named_and_passed_over() {
        let set = [
            ("HOLDFAST_MEMBER_PORT", "tcp://10.0.0.7:7400"),
            ("HOLDFAST_MEMBER_SERVICE_HOST", "10.0.0.7"),
            ("HOLDFAST_MEMBER_SERVICE_PORT", "7400"),
            ("HOLDFAST_MEMBER_SERVICE_PORT_GRPC", "7400"),
            ("HOLDFAST_MEMBER_PORT_7400_TCP", "tcp://10.0.0.7:7400"),
            ("HOLDFAST_MEMBER_PORT_7400_TCP_PROTO", "tcp"),
            ("HOLDFAST_MEMBER_PORT_7400_TCP_PORT", "7400"),
            ("HOLDFAST_MEMBER_PORT_7400_TCP_ADDR", "10.0.0.7"),
        ];
        let found = said(&set);
        assert!(found.settings.is_empty());
        assert_eq!(found.remarks.len(), set.len());
        for remark in &found.remarks {
            assert_eq!(remark.why, PassedOver::Kubernetes, "{}", remark.name);
            assert!(remark.to_string().contains(&remark.name));
        }
    }

    #[test]
    fn a_misspelt_variable_is_answered_with_the_nearest() {
        let found =
            said(&[("HOLDFAST_MEMBER_LISTN", "x"), ("HOLDFAST_MEMBER_PORT", "7400"), ("HOLDFAST_MEMBER_L1_URL", "x")]);
        let nearest: Vec<_> = found.remarks.iter().map(|remark| remark.why.clone()).collect();
        let of = |name: &str| PassedOver::Unknown { nearest: Some(name.to_owned()) };
        assert_eq!(nearest[0], of("HOLDFAST_MEMBER_LISTEN"));
        assert_eq!(nearest[1], PassedOver::Unknown { nearest: None });
        assert_eq!(nearest[2], of("HOLDFAST_MEMBER_L1_RPC_URL"));
    }
}
