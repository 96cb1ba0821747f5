//! A daemon's settings: a TOML file, and variables with the daemon's prefix over it (feature `configuration`).
//!
//! # Nothing misspelt
//!
//! A key that the daemon does not have is refused, and the nearest one named. A variable that is no setting is remarked on and
//! changes nothing: an environment has other authors than the operator.

pub mod environment;
mod error;
mod known;
mod log;
pub mod password;

use std::path::{Path, PathBuf};

use figment::{Figment, providers::Serialized};
use serde::de::DeserializeOwned;

pub use error::Error;
pub use log::{Collector, Log, LogFormat};

/// What `file` and the variables with `prefix` say, and the file's folder, to which its relative paths are relative. `keys` are all
/// settings, those of a table with its name before a dot.
///
/// # Errors
///
/// [`Error`], but for [`Error::Invalid`]; the first thing that is wrong.
pub fn load<T: DeserializeOwned>(file: &Path, prefix: &str, keys: &[&str]) -> Result<(T, PathBuf), Error> {
    let failed = |reason: String| Error::File { file: file.into(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let absolute = std::path::absolute(file).map_err(|error| failed(error.to_string()))?;
    let syntax = |reason: String| Error::Syntax { file: file.into(), reason };
    let table: toml::Table = toml::from_str(&text).map_err(|error| syntax(error.to_string()))?;
    known::check(&table, keys, file)?;
    let environment = environment::variables(prefix, keys);
    for remark in &environment.remarks {
        tracing::warn!(%remark, "config.environment");
    }
    let set = &environment.settings;
    let file_alone = Figment::from(Serialized::defaults(table));
    let merged = set.iter().fold(file_alone, |figment, (key, value)| figment.merge((key, value)));
    let settings = merged.extract().map_err(|error| syntax(environment::explain(prefix, set, &error)))?;
    Ok((settings, absolute.parent().unwrap_or(Path::new("/")).to_owned()))
}

/// What a file and the variables say of one text setting, without a word where they are wrong: for what is needed before
/// [`load`] can tell. `None` where it is not set.
#[must_use]
pub fn peek(file: &Path, prefix: &str, key: &str) -> Option<String> {
    let set = environment::variables(prefix, &[key]).settings.pop();
    if let Some((_, value)) = set {
        return value.into_string();
    }
    let table: toml::Table = toml::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    let (outer, inner) = key.split_once('.')?;
    Some(table.get(outer)?.get(inner)?.as_str()?.to_owned())
}
