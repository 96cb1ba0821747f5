//! A signer's settings: a TOML file, and `HOLDFAST_SIGNER_*` in the environment over it.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use holdfast_certificate::{Address, Domain, Endorsement, Namespace, PublicKey};
use holdfast_transport::{
    Pin,
    configuration::{self, Error, Log, password},
    human,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{config::Tls, error::Error as StartError, loopback::is_plain_loopback};

/// What every variable of a signer begins with.
pub const ENVIRONMENT: &str = "HOLDFAST_SIGNER_";

const KEYS: [&str; 15] = [
    "listen",
    "tls.certificate",
    "tls.key",
    "token_file",
    "keystore",
    "password_file",
    "chain_id",
    "registry",
    "max_retention",
    "max_whole",
    "max_endorsement",
    "namespaces",
    "signatures_per_second",
    "log.format",
    "log.otlp",
];

const DAY: Duration = Duration::from_secs(86_400);
/// A token must not be guessed.
const LEAST_TOKEN: usize = 16;
/// The longest that a signature may be waited for: who asked for it waits no longer.
const LONGEST_DEADLINE: Duration = Duration::from_secs(10);

/// Where a signer listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On an address.
    Tcp(SocketAddr),
    /// On a Unix socket, which only its own user and root can use.
    Unix(PathBuf),
}

/// The settings of a signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `127.0.0.1:7410`, or `unix:signer.sock`.
    pub listen: Listen,
    /// The certificate and key with which it speaks TLS; an address that is not loopback needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The file with the token that the member shows; `credential:NAME` and `env:NAME` as for passwords. Needed on an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The ERC-2335 keystore of the BLS key.
    pub keystore: PathBuf,
    /// The file with its password, `credential:NAME` or `env:NAME`.
    pub password_file: PathBuf,
    /// The chain for whose registry it signs; 0 for a committee file.
    pub chain_id: u64,
    /// The registry, as the member's check prints it; of a committee file one that follows from the file.
    pub registry: Address,
    /// The longest retention that it signs, from its own clock, such as `90d`.
    #[serde(default = "max_retention", with = "human")]
    pub max_retention: Duration,
    /// The longest time whole, such as `30d`.
    #[serde(default = "max_whole", with = "human")]
    pub max_whole: Duration,
    /// The longest time for which it endorses a TLS key, such as `90d`; none at all if it is zero, as it is by default: who has
    /// the member's machine could pass for the member elsewhere for as long.
    #[serde(default, with = "human")]
    pub max_endorsement: Duration,
    /// The namespaces that it signs for; all if empty.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
    /// Signatures a second at most.
    #[serde(default = "signatures_per_second")]
    pub signatures_per_second: u32,
    /// How its log is written.
    #[serde(default)]
    pub log: Log,
}

fn max_retention() -> Duration {
    90 * DAY
}

fn max_whole() -> Duration {
    30 * DAY
}

fn signatures_per_second() -> u32 {
    500
}

impl Config {
    /// Reads `file` and the environment, and checks the result.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the first thing that is wrong.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let (mut config, folder): (Self, _) = configuration::load(file, ENVIRONMENT, &KEYS)?;
        config.password_file = password::place(&folder, &config.password_file);
        config.token_file = config.token_file.map(|token| password::place(&folder, &token));
        config.keystore = folder.join(&config.keystore);
        for path in config.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]) {
            *path = folder.join(&*path);
        }
        if let Listen::Unix(path) = &mut config.listen {
            *path = folder.join(&*path);
        }
        config.check()?;
        Ok(config)
    }

    /// The chain and registry that it signs for.
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, registry: self.registry }
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: &str| Err(Error::Invalid { key, reason: reason.to_owned() });
        match &self.listen {
            Listen::Tcp(address) if self.tls.is_none() && !address.ip().is_loopback() => {
                return invalid("listen", "is not loopback, and there is no `tls`: the token would go in the clear");
            }
            Listen::Tcp(_) if self.token_file.is_none() => {
                return invalid("token_file", "is missing: on an address whoever can connect could have things signed");
            }
            Listen::Unix(_) if self.tls.is_some() => return invalid("tls", "is for an address, and this is a socket"),
            Listen::Tcp(_) | Listen::Unix(_) => {}
        }
        if self.signatures_per_second == 0 {
            return invalid("signatures_per_second", "must be at least 1, got 0");
        }
        if self.max_endorsement.as_secs() > Endorsement::LONGEST {
            return invalid("max_endorsement", "must be at most 400d");
        }
        if self.max_retention < self.max_whole {
            return invalid("max_whole", "must be at most max_retention");
        }
        Ok(())
    }
}

/// How a member reaches its signer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `https://host:port`, `http://127.0.0.1:port`, or `unix:/path`.
    pub url: String,
    /// The public key that it holds: the member's.
    pub public_key: PublicKey,
    /// The pin of its TLS key, as `holdfast signer check` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "pin")]
    pub tls_pin: Option<Pin>,
    /// The file with the token, `credential:NAME` or `env:NAME`; not needed on a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How long one signature may take, such as `3s`.
    #[serde(default = "deadline", with = "human")]
    pub deadline: Duration,
}

fn deadline() -> Duration {
    Duration::from_secs(3)
}

impl Settings {
    /// With paths from `folder`.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        self.token_file = self.token_file.take().map(|token| password::place(folder, &token));
        if let Some(path) = self.url.strip_prefix("unix:") {
            self.url = format!("unix:{}", folder.join(path).display());
        }
    }

    /// Checks what the types do not: the key that is wrong, and why.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_unix = self.url.starts_with("unix:");
        if self.url.starts_with("http://") {
            if !is_plain_loopback(&self.url) {
                return Err((
                    "signer.url",
                    format!("is {}, and the token would go in the clear: expected https", self.url),
                ));
            }
            if self.tls_pin.is_some() {
                return Err(("signer.tls_pin", "is for https".into()));
            }
        } else if !is_unix && !self.url.starts_with("https://") {
            return Err(("signer.url", format!("must be https://, unix:, or http:// on loopback, got {:?}", self.url)));
        }
        if !is_unix && self.token_file.is_none() {
            return Err(("signer.token_file", "is missing".into()));
        }
        if self.deadline.is_zero() || self.deadline > LONGEST_DEADLINE {
            let reason = format!("must be more than 0s and at most {LONGEST_DEADLINE:?}, got {:?}", self.deadline);
            return Err(("signer.deadline", reason));
        }
        Ok(())
    }
}

/// The token in a file, which is long enough.
pub(crate) fn token(file: &Path) -> Result<String, StartError> {
    let failed = |reason: String| StartError::File { what: "token", file: file.into(), reason };
    let token = password::password(file).map_err(|error| failed(error.to_string()))?;
    if token.len() < LEAST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(failed(format!("expected {LEAST_TOKEN} or more printable characters of ASCII without blanks")));
    }
    Ok(token)
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("a path must follow `unix:`".into()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                text.parse().map(Self::Tcp).map_err(|_| format!("expected ADDRESS:PORT or unix:PATH, got {text:?}"))
            }
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A pin in hex.
mod pin {
    use super::{Deserialize, Deserializer, Pin, Serializer, de};

    pub(super) fn serialize<S: Serializer>(pin: &Option<Pin>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&pin.map_or_else(String::new, |pin| format!("0x{}", hex::encode(pin))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pin>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text.trim_start_matches("0x")).ok().and_then(|bytes| Pin::try_from(bytes).ok());
        bytes.map(Some).ok_or_else(|| de::Error::custom("expected 32 bytes in hex"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_that_anybody_could_use_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("signer.toml");
        let load = |text: &str| {
            std::fs::write(&file, text).expect("written");
            Config::load(&file)
        };
        let rest = "keystore = \"k.json\"\npassword_file = \"p\"\nchain_id = 1\nregistry = \"0x0000000000000000000000000000000000000001\"\n";
        let good = load(&format!("listen = \"unix:s.sock\"\n{rest}")).expect("good");
        assert_eq!(good.listen, Listen::Unix(folder.path().join("s.sock")));
        assert_eq!((good.keystore, good.max_retention), (folder.path().join("k.json"), 90 * DAY));
        assert!(load(&format!("listen = \"127.0.0.1:7410\"\ntoken_file = \"t\"\n{rest}")).is_ok());
        for (text, says) in [
            ("listen = \"127.0.0.1:7410\"\n", "`token_file` is missing"),
            ("listen = \"10.0.0.1:7410\"\ntoken_file = \"t\"\n", "in the clear"),
            ("listen = \"unix:\"\n", "a path must follow"),
            ("listen = \"unix:a\"\nsignatures_per_second = 0\n", "signatures_per_second"),
            ("listen = \"unix:a\"\nmax_whole = \"91d\"\n", "max_whole"),
            ("listen = \"unix:a\"\nmax_endorsement = \"401d\"\n", "max_endorsement"),
            ("listen = \"unix:a\"\nmax_retentoin = \"91d\"\n", "did you mean `max_retention`"),
        ] {
            let error = load(&format!("{text}{rest}")).expect_err(says).to_string();
            assert!(error.contains(says), "{error:?} does not say {says:?}");
        }
    }

    #[test]
    fn a_member_tells_its_token_to_nobody_on_the_way() {
        let key = holdfast_certificate::SecretKey::derive_master(&[7; 32]).expect("a key").public_key();
        let with = |url: &str, token: bool| Settings {
            url: url.into(),
            public_key: key,
            tls_pin: None,
            token_file: token.then(|| "t".into()),
            deadline: deadline(),
        };
        for url in ["https://signer.example:7410", "http://127.0.0.1:7410", "http://[::1]:7410", "http://localhost:1"] {
            assert!(with(url, true).check().is_ok(), "{url}");
            assert!(with(url, false).check().is_err(), "{url} without a token");
        }
        assert!(with("unix:/run/signer.sock", false).check().is_ok());
        for url in ["http://10.0.0.1:7410", "http://127.0.0.1.example:7410", "ftp://127.0.0.1", "127.0.0.1:7410"] {
            assert!(with(url, true).check().is_err(), "{url}");
        }
    }
}
