//! Kinds of files of a store, by their names.

use std::path::Path;

/// A kind of file whose syncs are not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Log,
    Table,
    Blob,
    Manifest,
}

/// Of which kind a file is, where it is of one.
pub(crate) fn kind(path: &Path) -> Option<Lie> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => Some(Lie::Log),
        Some("sst") => Some(Lie::Table),
        Some("blob") => Some(Lie::Blob),
        _ if name.starts_with("MANIFEST-") => Some(Lie::Manifest),
        _ => None,
    }
}
