//! Reading the command's own files, with errors that name the file and bounds on what is read.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Read, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use holdfast_transport::configuration::password::{self, PasswordError};

use crate::exit::{Exit, fail};

/// What stands for standard input or output in place of a file.
pub(crate) const STANDARD: &str = "-";

/// The most that is read of a file that is no payload, in bytes: ten times the largest committee file.
const MOST_BYTES: u64 = 4 << 20;

/// The largest payload that any committee takes, in bytes (`maxPayload` is a `uint32`).
pub(crate) const MOST_PAYLOAD_BYTES: u64 = u32::MAX as u64;

/// A file's bytes; `-` is standard input. A payload is read through [`Source`].
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    Source::open(path)?.read(MOST_BYTES)
}

/// A file's text.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    match String::from_utf8(read(path)?) {
        Ok(text) => Ok(text),
        Err(_) => fail(Exit::Usage, format!("{} is not UTF-8 text", name(path))),
    }
}

/// A password: a file's text without the newline at its end, or what `credential:NAME` or `env:NAME` stands for.
pub(crate) fn password(path: &Path) -> anyhow::Result<String> {
    if path == Path::new(STANDARD) {
        return Ok(read_text(path)?.trim_end_matches(['\n', '\r']).to_owned());
    }
    match password::password(path) {
        Ok(password) => Ok(password),
        Err(error @ PasswordError::File { .. }) => {
            fail(Exit::Usage, format!("cannot read {}: {error}", path.display()))
        }
        Err(error) => fail(Exit::Usage, format!("password: {error}")),
    }
}

/// A file as messages call it.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new(STANDARD) { "standard input".to_owned() } else { path.display().to_string() }
}

/// A file, FIFO, device or standard input that is open, of which nothing was read yet.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// `None` is standard input.
    file: Option<fs::File>,
    /// Its size, where it is a regular file.
    size: Option<u64>,
}

impl Source {
    /// Opens `path`, or standard input for `-`; a folder is refused.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new(STANDARD) {
            return Ok(Self { path: path.to_owned(), file: None, size: None });
        }
        let opened = fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, _)) if metadata.is_dir() => {
                fail(Exit::Usage, format!("cannot read {}: it is a folder", path.display()))
            }
            Ok((metadata, file)) => {
                let size = metadata.is_file().then_some(metadata.len());
                Ok(Self { path: path.to_owned(), file: Some(file), size })
            }
            Err(error) => fail(Exit::Usage, format!("cannot read {}: {error}", path.display())),
        }
    }

    /// Refuses a file that is known, before anything is read, to be longer than `most` bytes.
    pub(crate) fn check_size(&self, most: u64) -> anyhow::Result<()> {
        match self.size {
            Some(size) if size > most => {
                fail(Exit::Usage, format!("{} has {size} bytes, expected at most {most}", name(&self.path)))
            }
            _ => Ok(()),
        }
    }

    /// All its bytes, at most `most`. What does not say how long it is, as `/dev/zero`, is read no further than that.
    pub(crate) fn read(self, most: u64) -> anyhow::Result<Vec<u8>> {
        self.check_size(most)?;
        let mut bytes = Vec::new();
        let read = match self.file {
            Some(file) => file.take(most + 1).read_to_end(&mut bytes),
            None => std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes),
        };
        match read {
            Ok(read) if read as u64 > most => {
                fail(Exit::Usage, format!("{} has more than {most} bytes, expected at most that", name(&self.path)))
            }
            Ok(_) => Ok(bytes),
            Err(error) => fail(Exit::Usage, format!("cannot read {}: {error}", name(&self.path))),
        }
    }

    /// A payload: at least one byte and at most `most`.
    pub(crate) fn read_payload(self, most: u64) -> anyhow::Result<Vec<u8>> {
        let shown = name(&self.path);
        let payload = self.read(most)?;
        if payload.is_empty() {
            return fail(Exit::Usage, format!("{shown} is empty, expected a payload of at least 1 byte"));
        }
        Ok(payload)
    }
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
