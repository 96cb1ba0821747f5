//! Files that the settings name; and small ones of the member's own, of which after a power cut the old or the new is there.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use crate::error::Error;

/// A text file; `what` says which, should it fail.
pub(crate) fn read(what: &'static str, file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(|e| Error::File { what, file: file.into(), reason: e.to_string() })
}

/// Writes a file, and puts it in the place of the old one by way of `new`, beside it. On success that is durable.
pub(crate) fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes durable which files are in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
