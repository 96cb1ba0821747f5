use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use holdfast_certificate::Namespace;
use holdfast_erasure::BlobId;

use super::engine::Failure;

/// What can go wrong in the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The folder is in use by another process, or by another member in this one.
    #[error("data folder {} is in use by another process", dir.display())]
    Locked {
        /// The data folder.
        dir: PathBuf,
    },
    /// The folder belongs to another member, chain or registry.
    #[error("data folder {} belongs to another member: its {field} is {got}, expected {expected}", dir.display())]
    WrongIdentity {
        /// The data folder.
        dir: PathBuf,
        /// What differs: `public key`, `chain id` or `registry`.
        field: &'static str,
        /// This member's.
        expected: String,
        /// The folder's.
        got: String,
    },
    /// The folder was written by a version with another layout.
    #[error("data folder {} has format {got}, expected {expected}", dir.display())]
    Format {
        /// The data folder.
        dir: PathBuf,
        /// The format this version writes.
        expected: u8,
        /// The folder's format.
        got: u8,
    },
    /// There is no store in the folder. None is made without a word from the operator: the disk may not be mounted.
    #[error(
        "data folder {} holds no store; is its disk mounted? `holdfast member new-store` makes one for a key that has never \
         signed; `holdfast member run --accept-empty-store` replaces one that is lost",
        dir.display()
    )]
    NoStore {
        /// The data folder.
        dir: PathBuf,
    },
    /// A file is gone without which what was signed is not there.
    #[error("{} is missing, and what was signed needs it; nothing has been changed", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// A file is damaged in a place that what was signed needs.
    #[error("{} is damaged at byte {at}: {reason}; nothing has been changed", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// The first byte that cannot be used.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// RocksDB finds the database damaged.
    #[error("the database in data folder {} is damaged: {reason}", dir.display())]
    Corrupt {
        /// The data folder.
        dir: PathBuf,
        /// What RocksDB says.
        reason: String,
    },
    /// The system does not let this user in.
    #[error("{}: not permitted to this user", path.display())]
    NotPermitted {
        /// The file or folder.
        path: PathBuf,
    },
    /// A write to a file system that is mounted read-only.
    #[error("{}: the file system is read-only", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the file system says.
        reason: String,
    },
    /// The disk has too little room left to take more and still come up again.
    #[error("the disk is full: {needed} bytes are needed, {free} are free: {}", dir.display())]
    NoRoom {
        /// The data folder.
        dir: PathBuf,
        /// Bytes that must be free.
        needed: u64,
        /// Bytes that are.
        free: u64,
    },
    /// The data folder could not be opened or created.
    #[error("data folder {}: {reason}", dir.display())]
    Open {
        /// The data folder.
        dir: PathBuf,
        /// What RocksDB or the file system said.
        reason: String,
    },
    /// This member never stored it.
    #[error("{what} of blob {id} was never stored here")]
    NotFound {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        what: String,
    },
    /// It is not here, and nobody knows whether it was: this store took the place of one that is lost.
    #[error(
        "{what} of blob {id} is not here; the store of this member was lost before {at}, and it may have been in it"
    )]
    Lost {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        what: String,
        /// When this store was made, unix seconds.
        at: u64,
    },
    /// This member stored it, and has dropped it since its time was over.
    #[error("{what} of blob {id} has expired: it was kept until {until}")]
    Expired {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        what: String,
        /// The latest time promised, unix seconds.
        until: u64,
    },
    /// This member stored it, and has not signed for it as asked.
    #[error("blob {id} is not promised for namespace {namespace} in epoch {epoch} until {until}{}", but(*latest))]
    NotPromised {
        /// The blob.
        id: BlobId,
        /// The namespace asked for.
        namespace: Namespace,
        /// The epoch asked for.
        epoch: u64,
        /// The time asked for, unix seconds.
        until: u64,
        /// The latest time promised in that namespace and epoch; zero if there is none.
        latest: u64,
    },
    /// The stored copy is not what was stored. Storing it again repairs it.
    #[error("the stored copy of {what} of blob {id} is damaged: {reason}")]
    Damaged {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        what: String,
        /// What the check found.
        reason: String,
    },
    /// Its bytes are in the archive alone, which has not been asked, or cannot be asked now.
    #[error("{what} of blob {id} is in this member's archive, which cannot be read now")]
    Archived {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        what: String,
        /// The shard's index; `None` for the whole payload.
        index: Option<u16>,
    },
    /// A record cannot be read.
    #[error("record of {what} is damaged: {reason}")]
    Record {
        /// Which record.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The bucket that the data would go into has already been dropped: the clock went back by a day or more.
    #[error("data until day {day} (days since 1970) cannot be kept: buckets before day {dropped_before} are dropped")]
    BucketDropped {
        /// The bucket's day.
        day: u32,
        /// The first day not dropped.
        dropped_before: u32,
    },
    /// So many statements of one blob have been signed for one namespace that no more are.
    #[error("{most} statements of blob {id} are signed already for namespace {namespace}, and no more are")]
    TooManyStatements {
        /// The blob.
        id: BlobId,
        /// The namespace.
        namespace: Namespace,
        /// How many one blob may have for one namespace.
        most: usize,
    },
    /// A write or sync has failed before, so nothing is written until the store has been opened anew and checked.
    #[error("writes are disabled: {reason}")]
    WritesDisabled {
        /// The first failure.
        reason: String,
    },
    /// What is held has not been counted since the store was opened, so nothing new is taken yet.
    #[error("what is held is being counted, and nothing new is taken until that is done")]
    Counting,
    /// After a failed write the store is being opened anew, which takes a moment.
    #[error("the store is being opened anew")]
    Reopening,
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// A read failed for another reason than damage.
    #[error("read failed: {0}")]
    Read(String),
}

impl Error {
    /// What the file system said about a file.
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            ErrorKind::PermissionDenied => Self::NotPermitted { path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => Self::File { file: path, reason: error.to_string() },
        }
    }

    /// What the engine said when the database in `dir` was opened.
    pub(super) fn opening(dir: &Path, failure: &Failure) -> Self {
        let (dir, reason) = (PathBuf::from(dir), failure.to_string());
        match failure {
            Failure::Corrupt(_) => Self::Corrupt { dir, reason },
            // RocksDB ends with the system's own words.
            _ if reason.ends_with("Permission denied") => Self::NotPermitted { path: dir },
            _ if reason.ends_with("Read-only file system") => Self::ReadOnly { path: dir },
            _ if reason.contains("While lock file") => Self::Locked { dir },
            _ => Self::Open { dir, reason },
        }
    }
}

fn but(latest: u64) -> String {
    if latest == 0 { String::new() } else { format!(", only until {latest}") }
}
