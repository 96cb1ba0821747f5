//! How a daemon's log is written.

use serde::{Deserialize, Serialize};

/// The settings of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// The collector of spans, by OTLP over gRPC; none if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Collector>,
}

/// Where a collector of spans is: an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Collector(String);

impl TryFrom<String> for Collector {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        match host {
            Some(host) if !host.is_empty() && url.parse::<http::Uri>().is_ok() => Ok(Self(url)),
            _ => Err(format!("expected http:// or https:// and a host, got {url:?}")),
        }
    }
}

impl From<Collector> for String {
    fn from(collector: Collector) -> Self {
        collector.0
    }
}

/// How the lines of a log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// Each line is one JSON object.
    Json,
}
