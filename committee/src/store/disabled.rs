//! Why nothing is written, while nothing is.

use std::{fmt, sync::Arc};

use super::Error;

/// The kind of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// What is held is yet to be counted, since the store was opened: until then nobody knows what more may be promised.
    Counting,
    /// The disk is full.
    Full,
    /// The file system is mounted read-only.
    ReadOnly,
    /// A write or a sync has failed in another way.
    Failed,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Its kind.
    pub why: Why,
    /// What the disk or the database said. It may name paths of the host.
    pub reason: Arc<str>,
    /// Whether and when the member tries by itself to write again; empty where nobody has said so yet.
    pub outlook: Arc<str>,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Counting, Self::Full, Self::ReadOnly, Self::Failed];

    /// The name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Counting => "counting",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Failed => "failed",
        }
    }
}

impl Disabled {
    pub(super) fn counting() -> Self {
        Self { why: Why::Counting, reason: "what is held is being counted".into(), outlook: "".into() }
    }

    /// Whether it is only until what is held has been counted.
    #[must_use]
    pub fn is_counting(&self) -> bool {
        self.why == Why::Counting
    }

    /// After a failure, or a start that found nothing to write on: by the system's own words, which RocksDB repeats.
    pub(super) fn by(reason: &str) -> Self {
        let words = reason.to_lowercase();
        let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        let why = if says(&["no space left", "disk is full", "quota exceeded"]) {
            Why::Full
        } else if says(&["read-only"]) {
            Why::ReadOnly
        } else {
            Why::Failed
        };
        Self { why, reason: reason.into(), outlook: "".into() }
    }

    /// What a caller is told who wants to write.
    pub(super) fn error(&self) -> Error {
        match self.why {
            Why::Counting => Error::Counting,
            Why::Full | Why::ReadOnly | Why::Failed => Error::WritesDisabled { reason: self.reason.to_string() },
        }
    }
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_tell_a_full_disk_and_a_read_only_one_from_a_broken_one() {
        for (reason, why) in [
            ("IO error: No space left on device: While appending to file: /d/db/000004.log: No space left", Why::Full),
            ("the disk is full: a start needs 16777216 bytes, 4096 are free", Why::Full),
            ("IO error: Disk quota exceeded: While appending", Why::Full),
            ("data/mark: the file system is read-only", Why::ReadOnly),
            ("IO error: While open a file for appending: /d/db/000009.log: Read-only file system", Why::ReadOnly),
            ("IO error: While fdatasync: /d/db/000004.log: Input/output error", Why::Failed),
        ] {
            assert_eq!(Disabled::by(reason).why, why, "{reason}");
        }
        assert!(matches!(Disabled::counting().error(), Error::Counting));
        assert!(matches!(Disabled::by("x").error(), Error::WritesDisabled { reason } if reason == "x"));
    }
}
