//! Where a result goes: checked before any work is done, and written whole or reported as not written.
//!
//! # One rule for files that exist
//!
//! A file that exists and is not empty is kept, unless `--force` is given. Links are followed. A FIFO or a device is written in
//! place; a regular file is written beside and renamed, with the mode that it had. `-` is standard output.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use crate::{
    exit::{Exit, fail},
    files::STANDARD,
};

/// The mode of a file that is made, before the umask.
const NEW_FILE_MODE: u32 = 0o666;

/// How a command treats a result file that exists.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Replace {
    /// Replace the file that is written where it exists and is not empty.
    #[arg(long)]
    force: bool,
}

/// A place for one result, which could be written when it was checked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    shown: PathBuf,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    StandardOutput,
    /// A regular file, links followed, that is or will be there; with what it was.
    Beside {
        file: PathBuf,
        before: Option<Before>,
    },
    /// What cannot be replaced: a FIFO, a device, a file with further names, or one in a folder that takes no new files.
    Existing {
        file: PathBuf,
        truncate: bool,
    },
}

/// What of a file outlives its replacement.
#[derive(Clone, Copy, Debug)]
struct Before {
    mode: u32,
    owner: (u32, u32),
}

impl Replace {
    /// The place at `path`, or why nothing can be written there. Guards against a slip, and not against another process
    /// that makes the file in between.
    pub(crate) fn target(self, path: &Path) -> anyhow::Result<Target> {
        let place = place(path, self.force)?;
        Ok(Target { shown: path.to_owned(), place })
    }

    /// Refuses a place where nothing can be written.
    pub(crate) fn check(self, path: &Path) -> anyhow::Result<()> {
        self.target(path).map(drop)
    }

    /// The same for a result that may have no place.
    pub(crate) fn optional(self, path: Option<&PathBuf>) -> anyhow::Result<Option<Target>> {
        path.map(|path| self.target(path)).transpose()
    }
}

impl Target {
    pub(crate) fn is_standard_output(&self) -> bool {
        matches!(self.place, Place::StandardOutput)
    }

    /// Whether both are the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::StandardOutput, Place::StandardOutput) => true,
            (Place::Beside { file, .. }, Place::Beside { file: other, .. }) => file == other,
            _ => false,
        }
    }

    /// The path as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.shown
    }

    /// Writes all of `bytes`; a success means that they were taken, and for a regular file that they are on the disk.
    pub(crate) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = match &self.place {
            Place::StandardOutput => return standard_output(bytes).context("cannot write to standard output"),
            // Without the second a power cut can leave the old file, though the new one was said to be on the disk.
            Place::Beside { file, before } => beside(file, *before, bytes).and_then(|()| sync_folder(folder_of(file))),
            Place::Existing { file, truncate } => in_place(file, *truncate, bytes),
        };
        written.with_context(|| format!("cannot write {}", self.shown.display()))
    }
}

/// Replaces a file of this program's own, such as a state file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    Replace { force: true }.target(path)?.write(bytes)
}

/// The same for one of many files in a folder: its bytes are on the disk, and its name is after [`sync_folder`].
pub(crate) fn write_one_of_many(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let target = Replace { force: true }.target(path)?;
    match &target.place {
        Place::Beside { file, before } => {
            beside(file, *before, bytes).with_context(|| format!("cannot write {}", path.display()))
        }
        Place::StandardOutput | Place::Existing { .. } => target.write(bytes),
    }
}

/// Bytes on standard output, all of them. What is left in a buffer when the process ends could be lost without a word.
pub(crate) fn standard_output(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

fn place(path: &Path, force: bool) -> anyhow::Result<Place> {
    if path == Path::new(STANDARD) {
        return Ok(Place::StandardOutput);
    }
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fail(Exit::Usage, format!("cannot write {shown}: it is a folder")),
        Ok(found) if found.is_file() => {
            // What stands under these names is a file that somebody has open, such as a redirected standard output.
            if path.starts_with("/dev") || path.starts_with("/proc") {
                return Ok(Place::Existing { file: path.to_owned(), truncate: false });
            }
            if !force && found.len() > 0 {
                return fail(Exit::Unsafe, format!("{shown} exists and would be overwritten; --force replaces it"));
            }
            let file = fs::canonicalize(path).with_context(|| format!("cannot write {shown}"))?;
            existing(file, &found).or_else(|error| fail(Exit::Usage, format!("cannot write {shown}: {error}")))
        }
        Ok(_) => Ok(Place::Existing { file: path.to_owned(), truncate: false }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = end_of_links(path).with_context(|| format!("cannot write {shown}"))?;
            let folder = folder_of(&file);
            if !folder.is_dir() {
                return fail(Exit::Usage, format!("cannot write {shown}: there is no folder {}", folder.display()));
            }
            match neighbour(&file) {
                Ok(_) => Ok(Place::Beside { file, before: None }),
                Err(error) => fail(Exit::Usage, format!("cannot write {shown}: {error}")),
            }
        }
        Err(error) => fail(Exit::Usage, format!("cannot write {shown}: {error}")),
    }
}

/// A regular file that is there, by its real path.
fn existing(file: PathBuf, found: &Metadata) -> io::Result<Place> {
    // Another name of the same file would keep the old bytes.
    if found.nlink() == 1 && neighbour(&file).is_ok() {
        let before = Before { mode: found.mode() & 0o7777, owner: (found.uid(), found.gid()) };
        return Ok(Place::Beside { file, before: Some(before) });
    }
    OpenOptions::new().write(true).open(&file)?;
    Ok(Place::Existing { file, truncate: true })
}

/// A link that leads nowhere yet is made where it leads.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A new file in the same folder, which goes away again unless it takes the other's place.
fn neighbour(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let permissions = Permissions::from_mode(NEW_FILE_MODE);
    tempfile::Builder::new().prefix(".holdfast-").suffix(".tmp").permissions(permissions).tempfile_in(folder_of(file))
}

fn beside(file: &Path, before: Option<Before>, bytes: &[u8]) -> io::Result<()> {
    let mut neighbour = neighbour(file)?;
    neighbour.write_all(bytes)?;
    if let Some(before) = before {
        let (user, group) = before.owner;
        // Only root can give a file away; for anybody else it was their own already.
        let _ = std::os::unix::fs::fchown(neighbour.as_file(), Some(user), Some(group));
        neighbour.as_file().set_permissions(Permissions::from_mode(before.mode))?;
    }
    neighbour.as_file().sync_all()?;
    neighbour.persist(file).map(drop).map_err(|error| error.error)
}

/// Makes durable which files are in a folder; one whose user may write there and not look around cannot be synced.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

fn in_place(file: &Path, truncate: bool, bytes: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).truncate(truncate).open(file)?;
    opened.write_all(bytes)?;
    opened.flush()?;
    // Only what is on a disk can be synced.
    if truncate { opened.sync_all() } else { Ok(()) }
}
