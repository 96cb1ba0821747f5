//! Where what a member keeps goes when it outgrows its disk.

use std::{fmt, path::PathBuf, time::Duration};

use holdfast_transport::configuration::Error;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, value::MapAccessDeserializer},
};

use crate::loopback::is_plain_loopback;

const S3: &str = "s3://";
const FILE: &str = "file://";

/// The archive: a bucket with an S3 API, or a folder. In the settings `archive = "s3://bucket/prefix"` stands for a table that has
/// only `url`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// `s3://bucket/prefix` or `file:///folder`. Each member has a prefix of its own.
    pub url: String,
    /// Where the bucket's API is, for one that is not Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The bucket's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The key's name. Without it the credentials are those of the environment (`AWS_ACCESS_KEY_ID` and the like) or of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Where the key itself is: a file, `credential:NAME` or `env:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_file: Option<PathBuf>,
    /// Whether the bucket is told to keep each object until the last promise of it ends.
    #[serde(default)]
    pub lock: Lock,
    /// How long what is archived stays on the disk as well; as long as there is room if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "span")]
    pub keep_local: Option<Duration>,
}

/// S3's Object Lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// Objects are as safe as the bucket's credentials.
    #[default]
    None,
    /// Whoever has a special right can delete an object before its time.
    Governance,
    /// Nobody can, not even the account's owner.
    Compliance,
}

impl Lock {
    /// As S3 calls it; `None` without a lock.
    #[must_use]
    pub fn mode(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Governance => Some("GOVERNANCE"),
            Self::Compliance => Some("COMPLIANCE"),
        }
    }
}

/// What the URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Bucket { name: String, prefix: String },
    Folder(PathBuf),
}

impl Archive {
    /// The archive at this URL, with all else as it is by default.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_key_file: None,
            lock: Lock::None,
            keep_local: None,
        }
    }

    /// What the URL names.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        let invalid = |reason: String| Error::Invalid { key: "archive.url", reason };
        if let Some(path) = self.url.strip_prefix(FILE) {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Place::Folder(path))
            } else {
                Err(invalid(format!("must be file:///an/absolute/folder, got {:?}", self.url)))
            };
        }
        let Some(rest) = self.url.strip_prefix(S3) else {
            return Err(invalid(format!("must begin with s3:// or file://, got {:?}", self.url)));
        };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let of_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if !(3..=63).contains(&name.len()) || !name.chars().all(of_bucket) {
            return Err(invalid(format!("names no bucket: {:?}", self.url)));
        }
        let prefix = prefix.trim_end_matches('/');
        let of_prefix = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let parts_good = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if prefix.len() > 512 || !prefix.chars().all(of_prefix) || !parts_good {
            return Err(invalid(format!(
                "has a prefix that is not made of letters, digits, -, _, . and /: {:?}",
                self.url
            )));
        }
        Ok(Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
    }

    /// Checks what the types do not.
    pub(super) fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: String| Err(Error::Invalid { key, reason });
        let is_folder = matches!(self.place()?, Place::Folder(_));
        if is_folder && self.lock != Lock::None {
            return invalid("archive.lock", "is for buckets: a folder has no Object Lock".into());
        }
        if is_folder && (self.endpoint.is_some() || self.region.is_some() || self.access_key_id.is_some()) {
            return invalid("archive.url", "is a folder, which has no endpoint, region or key".into());
        }
        if self.access_key_id.is_some() != self.secret_key_file.is_some() {
            return invalid("archive.access_key_id", "and archive.secret_key_file go together".into());
        }
        if let Some(endpoint) = &self.endpoint
            && !endpoint.starts_with("https://")
            && !is_plain_loopback(endpoint)
        {
            let reason =
                format!("must begin with https://, since what is archived is readable on the way, got {endpoint:?}");
            return invalid("archive.endpoint", reason);
        }
        Ok(())
    }
}

/// Reads the URL alone, or the whole table.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Archive>, D::Error> {
    struct Either;
    impl<'de> de::Visitor<'de> for Either {
        type Value = Archive;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a URL such as \"s3://bucket/prefix\", or a table with `url`")
        }

        fn visit_str<E: de::Error>(self, url: &str) -> Result<Archive, E> {
            Ok(Archive::at(url))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Archive, A::Error> {
            Archive::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_any(Either).map(Some)
}

/// A duration that may be left out.
mod span {
    use std::time::Duration;

    use holdfast_transport::human;
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => human::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        human::deserialize(deserializer).map(Some)
    }
}
