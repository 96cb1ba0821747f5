//! A daemon's settings: a TOML file, and variables with the daemon's prefix over it (feature `configuration`).
//!
//! # Nothing misspelt
//!
//! A key that the daemon does not have is refused, and the nearest one named. A variable that is no setting is remarked on and
//! changes nothing: an environment has other authors than the operator.

pub mod environment;
mod error;
mod known;

use std::path::{Path, PathBuf};

use figment::{Figment, providers::Serialized};
use serde::de::DeserializeOwned;

pub use error::Error;

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
