//! The checkpoints that were made, and which blobs are in them: what a bridge needs to prove a blob on L1.
//!
//! ```text
//! checkpoints/ID.checkpoint   the checkpoint in its compact encoding
//! checkpoints/ID.ids          its blob ids, one a line, ascending, as `holdfast cert prove` takes them
//! checkpoints/ID.final        there once L1 has it for good
//! ```

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use holdfast_certificate::{Checkpoint, CheckpointProof};
use holdfast_erasure::{BlobId, Digest};

use super::files::write;

const CHECKPOINT: &str = "checkpoint";
const IDS: &str = "ids";
const FINAL: &str = "final";
/// The most blobs that are found, those of the oldest checkpoints given up first. Their files stay.
const MAX_INDEXED: usize = 1 << 20;
/// The longest file of ids that is read: 4096 lines of 67 bytes.
const MAX_IDS_BYTES: u64 = 4096 * 67;

/// The folder.
#[derive(Debug)]
pub(super) struct Checkpoints {
    folder: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    of_blob: HashMap<BlobId, Digest>,
    checkpoints: HashMap<Digest, Kept>,
    /// The order in which they are given up: by what members promise, then by id.
    order: BTreeSet<(u64, Digest)>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    checkpoint: Checkpoint,
    is_final: bool,
}

/// That a blob is in a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Inclusion {
    /// The checkpoint's id: its EIP-712 digest.
    pub(crate) id: Digest,
    /// The way from the blob to the checkpoint's root.
    pub(crate) proof: CheckpointProof,
    /// Whether L1 has the checkpoint in a final block.
    pub(crate) is_final: bool,
}

impl Checkpoints {
    /// Opens the folder with what is in it and still promised at `now`, unix seconds. A file that makes no sense is left where it
    /// is and passed over.
    pub(super) fn open(dir: &Path, now: u64) -> io::Result<Self> {
        let folder = dir.join("checkpoints");
        fs::create_dir_all(&folder)?;
        let this = Self { folder, known: Mutex::default() };
        let mut found = Vec::new();
        for entry in fs::read_dir(&this.folder)? {
            let path = entry?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<Digest>().ok());
            if let Some(id) = id
                && path.extension().is_some_and(|extension| extension == CHECKPOINT)
            {
                match Checkpoint::peek(&fs::read(&path)?) {
                    Ok(checkpoint) if checkpoint.retain_until <= now => {}
                    Ok(checkpoint) => found.push((id, checkpoint)),
                    Err(error) => tracing::error!(%error, file = %path.display(), "no checkpoint: passed over"),
                }
            }
        }
        for (id, checkpoint) in found {
            match this.ids(&id) {
                Ok(ids) => {
                    let is_final = this.file(&id, FINAL).exists();
                    this.lock().take_in(id, Kept { checkpoint, is_final }, &ids);
                }
                Err(error) => tracing::error!(%error, checkpoint = %id, "its blobs are not known: passed over"),
            }
        }
        Ok(this)
    }

    /// Keeps a checkpoint with its ids, which are on disk then: without them it proves nothing, and nobody else keeps them.
    pub(super) fn keep(&self, id: Digest, checkpoint: &Checkpoint, encoded: &[u8], ids: &[BlobId]) -> io::Result<()> {
        let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
        write(&self.folder, &name(&id, IDS), text.as_bytes())?;
        write(&self.folder, &name(&id, CHECKPOINT), encoded)?;
        self.lock().take_in(id, Kept { checkpoint: *checkpoint, is_final: false }, ids);
        Ok(())
    }

    /// L1 has a checkpoint for good. What is no checkpoint of this folder is none of its business.
    pub(super) fn finalized(&self, id: &Digest) -> io::Result<()> {
        if !self.lock().checkpoints.contains_key(id) {
            return Ok(());
        }
        write(&self.folder, &name(id, FINAL), &[])?;
        if let Some(kept) = self.lock().checkpoints.get_mut(id) {
            kept.is_final = true;
        }
        Ok(())
    }

    /// Checkpoints that L1 is not known to have for good.
    pub(super) fn unfinished(&self) -> Vec<Digest> {
        let known = self.lock();
        known.checkpoints.iter().filter(|(_, kept)| !kept.is_final).map(|(id, _)| *id).collect()
    }

    /// Whether a blob is in a checkpoint that is known.
    pub(super) fn has(&self, blob: &BlobId) -> bool {
        self.lock().of_blob.contains_key(blob)
    }

    /// Proves that a blob is in a checkpoint; `None` where it is in none that is known. Reads the checkpoint's ids and hashes
    /// them: a millisecond or two.
    pub(super) fn prove(&self, blob: &BlobId) -> io::Result<Option<Inclusion>> {
        let found = {
            let known = self.lock();
            let id = known.of_blob.get(blob).copied();
            id.and_then(|id| Some((id, *known.checkpoints.get(&id)?)))
        };
        let Some((id, kept)) = found else { return Ok(None) };
        let ids = self.ids(&id)?;
        let proof = CheckpointProof::build(kept.checkpoint, &ids, blob)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("checkpoint {id}: {error}")))?;
        Ok(Some(Inclusion { id, proof, is_final: kept.is_final }))
    }

    fn ids(&self, id: &Digest) -> io::Result<Vec<BlobId>> {
        let path = self.file(id, IDS);
        let bad = |reason: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", path.display()));
        let length = fs::metadata(&path)?.len();
        if length > MAX_IDS_BYTES {
            return Err(bad(format!("expected at most {MAX_IDS_BYTES} bytes, got {length}")));
        }
        let text = fs::read_to_string(&path)?;
        text.lines().map(|line| line.parse().map_err(|error| bad(format!("{line:?}: {error}")))).collect()
    }

    fn file(&self, id: &Digest, suffix: &str) -> PathBuf {
        self.folder.join(name(id, suffix))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn take_in(&mut self, id: Digest, kept: Kept, ids: &[BlobId]) {
        self.order.insert((kept.checkpoint.retain_until, id));
        self.checkpoints.insert(id, kept);
        for blob in ids {
            let slot = self.of_blob.entry(*blob).or_insert(id);
            // Of two checkpoints with the same blob the one that is promised longer proves more.
            let until = |id: &Digest, of: &HashMap<Digest, Kept>| of.get(id).map_or(0, |it| it.checkpoint.retain_until);
            if until(slot, &self.checkpoints) < kept.checkpoint.retain_until {
                *slot = id;
            }
        }
        while self.of_blob.len() > MAX_INDEXED {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.checkpoints.remove(&oldest);
            self.of_blob.retain(|_, of| *of != oldest);
        }
    }
}

fn name(id: &Digest, suffix: &str) -> String {
    format!("{id}.{suffix}")
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::Namespace;

    use super::*;

    fn blob(number: u8) -> BlobId {
        BlobId::from([number; 32])
    }

    fn keep(checkpoints: &Checkpoints, id: u8, ids: &[BlobId], retain_until: u64) -> Digest {
        let checkpoint = Checkpoint::over(Namespace::from([7; 32]), 3, ids, retain_until).expect("good");
        let id = Digest::from([id; 32]);
        // Of the certificate only the head is read back; what follows it says who signed.
        let head = CheckpointProof::build(checkpoint, ids, &ids[0]).expect("in it").encode();
        checkpoints.keep(id, &checkpoint, &head, ids).expect("kept");
        id
    }

    #[test]
    fn a_blob_is_proven_in_its_checkpoint_also_after_a_restart_and_no_other_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let checkpoints = Checkpoints::open(dir.path(), 0).expect("opens");
        let (first, ended) = ([blob(1), blob(2), blob(3)], [blob(9)]);
        let id = keep(&checkpoints, 0xaa, &first, 7200);
        keep(&checkpoints, 0xbb, &ended, 3600);
        checkpoints.finalized(&id).expect("noted");
        checkpoints.finalized(&Digest::from([0xcc; 32])).expect("nothing to note");
        fs::write(dir.path().join("checkpoints").join("notes.txt"), "mine").expect("written");
        let bad = format!("{}.checkpoint", Digest::from([0xdd; 32]));
        fs::write(dir.path().join("checkpoints").join(&bad), "bad").expect("written");
        for again in [checkpoints, Checkpoints::open(dir.path(), 3600).expect("opens")] {
            for blob in &first {
                assert!(again.has(blob));
                let inclusion = again.prove(blob).expect("readable").expect("in it");
                assert!(inclusion.id == id && inclusion.is_final);
                inclusion.proof.verify(blob).expect("leads to the root");
                inclusion.proof.verify(&BlobId::from([0xee; 32])).expect_err("of another blob");
            }
            assert!(again.prove(&blob(4)).expect("readable").is_none());
        }
        let later = Checkpoints::open(dir.path(), 3600).expect("opens");
        assert!(!later.has(&blob(9)), "what nobody promises any more is not looked for");
        assert!(dir.path().join("checkpoints").join(bad).exists(), "what is not understood is not deleted");
    }

    #[test]
    fn of_two_checkpoints_with_a_blob_the_longer_promise_is_proven_and_a_damaged_list_proves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let checkpoints = Checkpoints::open(dir.path(), 0).expect("opens");
        let long = keep(&checkpoints, 0xaa, &[blob(1), blob(2)], 7200);
        keep(&checkpoints, 0xbb, &[blob(2), blob(3)], 3600);
        let inclusion = checkpoints.prove(&blob(2)).expect("readable").expect("in it");
        assert!(inclusion.id == long && !inclusion.is_final);
        fs::write(checkpoints.file(&long, IDS), format!("{}\n", blob(2))).expect("damaged");
        checkpoints.prove(&blob(2)).expect_err("not the ids of this checkpoint");
    }
}
