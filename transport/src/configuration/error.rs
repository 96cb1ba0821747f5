use std::path::PathBuf;

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key that the daemon does not have.
    #[error("unknown key `{key}` in {origin}{}", nearest.as_ref().map_or_else(String::new, |n| format!(", did you mean `{n}`?")))]
    UnknownKey {
        /// The key, with its table.
        key: String,
        /// The file.
        origin: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A missing key, a value of the wrong type, or no TOML at all.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A value that cannot work.
    #[error("`{key}` {reason}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is expected, and what it is.
        reason: String,
    },
    /// The file, or one that it names, cannot be read or written.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the file system says.
        reason: String,
    },
}
