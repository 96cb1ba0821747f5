//! Reading and writing the command's own files, with errors that name the file.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
};

use anyhow::Context;
use clap::Args;

use crate::exit::{Exit, fail};

/// A file's bytes.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) => fail(Exit::Usage, format!("cannot read {}: {error}", path.display())),
    }
}

/// A file's text.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    match String::from_utf8(read(path)?) {
        Ok(text) => Ok(text),
        Err(_) => fail(Exit::Usage, format!("{} is not UTF-8 text", path.display())),
    }
}

/// A password: the file's text without the newline at its end.
pub(crate) fn password(path: &Path) -> anyhow::Result<String> {
    Ok(read_text(path)?.trim_end_matches(['\n', '\r']).to_owned())
}

/// The secp256k1 secret key in hex that a file holds.
pub(crate) fn secp256k1_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    parse_secp256k1_key(&read_text(path)?, path)
}

/// The secp256k1 secret key in hex that is the text of the file at `path`.
pub(crate) fn parse_secp256k1_key(text: &str, path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    match hex::decode_to_slice(text.trim().trim_start_matches("0x"), &mut key) {
        Ok(()) => Ok(key),
        Err(error) => fail(Exit::Usage, format!("{} is no secp256k1 key (32 bytes in hex): {error}", path.display())),
    }
}

/// How a command treats a result file that exists.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Replace {
    /// Replace the file that is written where it exists.
    #[arg(long)]
    force: bool,
}

impl Replace {
    /// Refuses a file that exists, unless it may be replaced. Guards against a slip, before any work is done, and not
    /// against another process that makes the file in between.
    pub(crate) fn check(self, path: &Path) -> anyhow::Result<()> {
        if !self.force && path.symlink_metadata().is_ok() {
            return fail(
                Exit::Unsafe,
                format!("{} exists and would be overwritten; --force replaces it", path.display()),
            );
        }
        Ok(())
    }
}

/// Writes a file whole or not at all: to a neighbour first, synced, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let neighbour = path.with_file_name(name);
    let written = fs::File::create(&neighbour)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&neighbour, path));
    if written.is_err() {
        let _ = fs::remove_file(&neighbour);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a secret to a new file that only its owner can read; an existing file is never replaced.
pub(crate) fn write_new_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    if let Err(error) = &opened
        && error.kind() == ErrorKind::AlreadyExists
    {
        return fail(Exit::Unsafe, format!("{} exists and would be overwritten", path.display()));
    }
    opened
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}
