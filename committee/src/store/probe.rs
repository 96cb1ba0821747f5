//! Whether the disk can be written again, found out beside the database.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use rustix::fs::{Advice, fadvise};

use super::Error;
use crate::files::sync_folder;

/// The file that is written, and removed again.
pub(super) const FILE: &str = "probe";
const LENGTH: usize = 1 << 20;

/// Writes a file of random bytes, syncs it and its name, reads it back, from the disk where the system lets go of its copy,
/// and removes it.
///
/// # Errors
///
/// What the system says about the first step that fails; [`Error::File`] also where other bytes come back.
pub(super) fn probe(dir: &Path) -> Result<(), Error> {
    let path = dir.join(FILE);
    let tried = attempt(dir, &path);
    // Also what a probe that failed has left: it would take room.
    let removed = match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    tried.and_then(|()| removed.and_then(|()| sync_folder(dir)).map_err(|e| Error::file(&path, &e)))
}

fn attempt(dir: &Path, path: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::file(path, &e);
    let mut bytes = vec![0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|e| Error::Read(format!("no random numbers: {e}")))?;
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder(dir).map_err(failed)?;
    // Otherwise the system answers from its own copy. Where it does not let go of that, this shows less.
    let _kept = fadvise(&file, 0, None, Advice::DontNeed);
    let mut back = Vec::with_capacity(LENGTH);
    file.rewind().and_then(|()| file.read_to_end(&mut back)).map_err(failed)?;
    if back == bytes {
        Ok(())
    } else {
        Err(Error::File { file: path.into(), reason: "what was written and synced does not come back".into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind_whether_or_not_it_succeeds() {
        let folder = tempfile::tempdir().expect("a folder");
        probe(folder.path()).expect("a disk that can be written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        // What an earlier one left that was cut off is no hindrance.
        fs::write(folder.path().join(FILE), b"half").expect("written");
        probe(folder.path()).expect("a disk that can be written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert!(matches!(probe(&folder.path().join("nowhere")), Err(Error::File { .. })));
    }
}
