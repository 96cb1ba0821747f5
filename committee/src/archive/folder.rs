//! A folder as an archive: on another disk, or on a file system that others look after. Every file is synced before it has its name.
//!
//! # A disk that goes away while it is in use
//!
//! The folder is kept open, so that its disk is not unmounted by mistake; by force it can be. Then another folder stands under the
//! path, the mount point: nothing is written there, and what is not in there is not missing.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::files::{sync_folder, write_synced};

/// What a file is called until it is whole.
const UNFINISHED: &str = "unfinished";

/// A folder. All of its calls block.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    opened: Arc<File>,
}

impl Folder {
    /// The folder, which must be there: a disk that is not mounted must not look like an archive in which there is nothing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = File::open(path)?;
        if !folder.metadata()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { path: path.into(), opened: Arc::new(folder) })
    }

    /// Whether the folder that was opened is the one at the path.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        match fs::metadata(&self.path) {
            Ok(found) => Ok(same(&found, &self.opened.metadata()?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The path, as long as the folder is there.
    fn path(&self) -> io::Result<&Path> {
        let gone = || io::Error::other("another folder is in its place: is its disk mounted?");
        if self.is_there()? { Ok(&self.path) } else { Err(gone()) }
    }

    /// Writes a file, in the place of one that is there unless it is to be `new`.
    pub(super) fn put(&self, name: &str, bytes: &[u8], new: bool) -> io::Result<()> {
        let target = self.path()?.join(name);
        let parent = target.parent().unwrap_or(&self.path).to_owned();
        fs::create_dir_all(&parent)?;
        let unfinished = target.with_extension(UNFINISHED);
        write_synced(&unfinished, bytes)?;
        if new {
            // Fails where there is one.
            fs::hard_link(&unfinished, &target)?;
            fs::remove_file(&unfinished)?;
        } else {
            fs::rename(&unfinished, &target)?;
        }
        let mut folder = Some(parent.as_path());
        while let Some(path) = folder.filter(|path| path.starts_with(&self.path)) {
            sync_folder(path)?;
            folder = path.parent();
        }
        Ok(())
    }

    /// The first bytes of a file, `most` at most, and its length.
    pub(super) fn get(&self, name: &str, most: u64) -> io::Result<(Bytes, u64)> {
        let file = File::open(self.path()?.join(name))?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or_default());
        file.take(most).read_to_end(&mut bytes)?;
        Ok((bytes.into(), length))
    }

    /// A file's length.
    pub(super) fn length(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path()?.join(name))?.len())
    }

    /// Removes a file.
    pub(super) fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path()?.join(name))
    }

    /// Names and lengths of the files in one of its folders.
    pub(super) fn files(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for (entry, name) in entries(&self.path()?.join(folder), folder)? {
            let about = entry.metadata()?;
            if about.is_file() && !name.ends_with(UNFINISHED) {
                files.push((name, about.len()));
            }
        }
        Ok(files)
    }

    /// Names of the folders in one of its folders.
    pub(super) fn folders(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut folders = Vec::new();
        for (entry, name) in entries(&self.path()?.join(folder), folder)? {
            if entry.file_type()?.is_dir() {
                folders.push(name);
            }
        }
        Ok(folders)
    }
}

fn entries(path: &Path, folder: &str) -> io::Result<Vec<(fs::DirEntry, String)>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut named = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            named.push((entry, format!("{folder}/{name}")));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_there_whole_and_what_is_new_replaces_nothing() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(place.path()).expect("there");
        folder.put("blobs/ab/one", b"first", true).expect("written");
        let again = folder.put("blobs/ab/one", b"second", true).expect_err("there is one");
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(folder.get("blobs/ab/one", 100).expect("read"), (Bytes::from_static(b"first"), 5));
        folder.put("blobs/ab/one", b"third!", false).expect("written");
        assert_eq!(folder.get("blobs/ab/one", 3).expect("read"), (Bytes::from_static(b"thi"), 6));
        assert_eq!(folder.folders("blobs").expect("listed"), ["blobs/ab"]);
        assert_eq!(folder.files("blobs/ab").expect("listed"), [("blobs/ab/one".to_owned(), 6)]);
        folder.delete("blobs/ab/one").expect("removed");
        assert_eq!(folder.length("blobs/ab/one").expect_err("gone").kind(), ErrorKind::NotFound);
        assert!(folder.folders("nothing").expect("none").is_empty());
        Folder::open(&place.path().join("nowhere")).expect_err("it is not made");
    }
}
