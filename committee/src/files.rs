//! Files that the settings name.

use std::path::Path;

use crate::error::Error;

/// A text file; `what` says which, should it fail.
pub(crate) fn read(what: &'static str, file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|e| Error::File { what, file: file.into(), reason: e.to_string() })
}
