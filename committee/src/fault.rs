//! Ways to damage a stopped member's data on purpose, for demonstrations and drills.
//!
//! Both work on the files of a member that is **not running** (its folder's lock is checked) and do to one blob what a
//! lying operator or a bad disk would do. Nothing in a running member calls them.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use holdfast_erasure::BlobId;

use crate::store::{self, Store};

/// Bytes read at a time when a file is searched.
const WINDOW: usize = 8 << 20;

/// A byte in which one bit was flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The file.
    pub file: PathBuf,
    /// The place of the byte in it.
    pub at: u64,
    /// What the byte was before.
    pub was: u8,
}

/// Why the data could not be damaged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is in use, or holds no such blob.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The member holds no shard of the blob.
    #[error("no shard of blob {0} is held here")]
    NoShard(BlobId),
    /// The shard's bytes are in none of the database's files.
    #[error("the bytes of shard {index} of blob {id} are in no file of {}", folder.display())]
    NotOnDisk {
        /// The blob.
        id: BlobId,
        /// The shard.
        index: u16,
        /// The database's folder.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// The blobs of which shards are held, each once.
///
/// # Errors
///
/// See [`Error`].
pub async fn blobs(data_dir: &Path) -> Result<Vec<BlobId>, Error> {
    let store = Store::open_any(data_dir)?;
    let mut blobs = Vec::new();
    let listed = store.each_promise(|promise| blobs.push(promise.statement.blob.id()));
    store.close().await?;
    listed?;
    blobs.sort_unstable();
    blobs.dedup();
    Ok(blobs)
}

/// Makes the member lie about its shards of a blob: it will give out other bytes of the right length, which pass its own
/// check, since the root recorded for them is changed too. Only readers who check against the blob id notice.
///
/// Returns the indices of the shards that were replaced.
///
/// # Errors
///
/// See [`Error`]; nothing has been changed then.
pub async fn replace_shard(data_dir: &Path, id: &BlobId) -> Result<Vec<u16>, Error> {
    let store = Store::open_any(data_dir)?;
    let replaced = store.replace_shards(id);
    store.close().await?;
    let replaced = replaced?;
    if replaced.is_empty() { Err(Error::NoShard(*id)) } else { Ok(replaced) }
}

/// Flips one bit of a blob's shard inside the database's files, as a bad disk would. The member finds it when it next
/// reads the shard, and answers `DATA_LOSS`.
///
/// Returns what was changed, which [`flip_back`] undoes.
///
/// # Errors
///
/// See [`Error`].
pub async fn flip_bit(data_dir: &Path, id: &BlobId) -> Result<Vec<Flip>, Error> {
    let store = Store::open_any(data_dir)?;
    let found = first_shard(&store, id);
    let folder = store.folder();
    // Closing flushes: afterwards the bytes are in data files, not in the log.
    store.close().await?;
    let (index, bytes) = found?;
    let length = bytes.len();
    // A blob file has the key right before the value: the same bytes held for another blob are left alone.
    let record = [store::held_key(id, index).as_slice(), &bytes].concat();
    let mut changed = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|e| failed(&folder, &e))? {
        let file = entry.map_err(|e| failed(&folder, &e))?.path();
        if !file.extension().is_some_and(|extension| extension == "blob" || extension == "sst") {
            continue;
        }
        for offset in find(&file, &record).map_err(|e| failed(&file, &e))? {
            let at = offset + (record.len() - length / 2) as u64;
            let was = flip(&file, at).map_err(|e| failed(&file, &e))?;
            changed.push(Flip { file: file.clone(), at, was });
        }
    }
    if changed.is_empty() { Err(Error::NotOnDisk { id: *id, index, folder }) } else { Ok(changed) }
}

/// Undoes [`replace_shard`] where the other bytes are still there; what was stored anew since is left alone.
///
/// Returns the indices of the shards that are again what they were.
///
/// # Errors
///
/// See [`Error`].
pub async fn restore_shard(data_dir: &Path, id: &BlobId) -> Result<Vec<u16>, Error> {
    let store = Store::open_any(data_dir)?;
    let restored = store.restore_shards(id);
    store.close().await?;
    Ok(restored?)
}

/// Undoes [`flip_bit`] where the flipped byte is still there; files that are gone are passed over.
///
/// Returns how many bytes are again what they were.
///
/// # Errors
///
/// See [`Error`].
pub async fn flip_back(data_dir: &Path, flips: &[Flip]) -> Result<usize, Error> {
    // Whoever has the folder must not be surprised.
    Store::open_any(data_dir)?.close().await?;
    let mut back = 0;
    for Flip { file, at, was } in flips {
        match byte(file, *at) {
            Ok(byte) if byte == was ^ 1 => {
                flip(file, *at).map_err(|e| failed(file, &e))?;
                back += 1;
            }
            Ok(_) => {}
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof) => {}
            Err(e) => return Err(failed(file, &e)),
        }
    }
    Ok(back)
}

fn first_shard(store: &Store, id: &BlobId) -> Result<(u16, Vec<u8>), Error> {
    let (indices, _) = store.indices(id)?;
    let index = *indices.first().ok_or(Error::NoShard(*id))?;
    Ok((index, store.shard(id, index)?.to_vec()))
}

/// Where `needle` begins in `file`.
fn find(file: &Path, needle: &[u8]) -> std::io::Result<Vec<u64>> {
    let mut reader = File::open(file)?;
    let (mut buffer, mut base, mut found) = (Vec::new(), 0u64, Vec::new());
    loop {
        let read = Read::by_ref(&mut reader).take(WINDOW as u64).read_to_end(&mut buffer)?;
        let mut from = 0;
        while let Some(at) = position(&buffer[from..], needle) {
            found.push(base + (from + at) as u64);
            from += at + needle.len();
        }
        if read == 0 {
            return Ok(found);
        }
        // What could still be the beginning of a match stays.
        let keep = buffer.len().saturating_sub(from).min(needle.len() - 1);
        let gone = buffer.len() - keep;
        buffer.drain(..gone);
        base += gone as u64;
    }
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|byte| *byte == first) {
        let start = from + at;
        if haystack.len() - start < needle.len() {
            return None;
        }
        if haystack[start..].starts_with(needle) {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// Flips the lowest bit of a byte; gives what it was.
fn flip(file: &Path, at: u64) -> std::io::Result<u8> {
    let was = byte(file, at)?;
    let mut file = OpenOptions::new().write(true).open(file)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[was ^ 1])?;
    file.sync_all()?;
    Ok(was)
}

fn byte(file: &Path, at: u64) -> std::io::Result<u8> {
    let mut file = File::open(file)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn failed(file: &Path, error: &std::io::Error) -> Error {
    Error::File { file: file.into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_across_windows_and_as_often_as_it_is_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("000001.blob");
        let needle = [1, 1, 2, 3, 5, 8];
        let mut bytes = vec![1u8; 2 * WINDOW + 100];
        for at in [0, WINDOW - 3, 2 * WINDOW + 94] {
            bytes[at..at + 6].copy_from_slice(&needle);
        }
        fs::write(&file, &bytes).expect("written");
        let found = find(&file, &needle).expect("read");
        assert_eq!(found, [0, WINDOW as u64 - 3, 2 * WINDOW as u64 + 94]);
        assert_eq!(flip(&file, 1).expect("flipped"), 1);
        assert_eq!(find(&file, &needle).expect("read"), found[1..]);
    }
}
