//! Files that the settings name; and small ones of the member's own, of which after a power cut the old or the new is there.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use holdfast_certificate::{Keystore, SecretKey};
use holdfast_transport::configuration::password::password;

use crate::error::Error;

/// A text file; `what` says which, should it fail.
pub(crate) fn read(what: &'static str, file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(|e| Error::File { what, file: file.into(), reason: e.to_string() })
}

/// The key in a keystore.
pub(crate) fn open_key(keystore: &Path, password_file: &Path) -> Result<SecretKey, Error> {
    let text = read("keystore", keystore)?;
    let parsed: Keystore = serde_json::from_str(&text).map_err(|e| Error::File {
        what: "keystore",
        file: keystore.into(),
        reason: e.to_string(),
    })?;
    let password = password(password_file).map_err(|error| Error::File {
        what: "password",
        file: password_file.into(),
        reason: error.to_string(),
    })?;
    parsed.decrypt(&password).map_err(|source| Error::Keystore { file: keystore.into(), source })
}

/// Writes a file, and puts it in the place of the old one by way of `new`, beside it. On success that is durable.
pub(crate) fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    write_synced(new, bytes)?;
    fs::rename(new, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Writes a file. On success its bytes are durable, and its name is after [`sync_folder`].
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes durable which files are in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
