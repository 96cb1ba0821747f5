//! The files of a crate, as modules.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// One file of a crate's sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it stands below the crate's root file's folder.
    pub path: PathBuf,
    /// The module that it is, from the crate's root: empty for the root itself.
    pub module: Vec<String>,
    /// Its text.
    pub text: String,
}

/// Every file under `folder`, the folder of a `lib.rs` or `main.rs`, that is part of what the crate builds: tests that
/// stand in files of their own (`tests.rs`) are not.
///
/// # Errors
/// What the file system says.
pub fn sources(folder: &Path) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let below = path.strip_prefix(folder).expect("found below it").to_path_buf();
                let mut module: Vec<String> =
                    below.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if module == ["lib"] || module == ["main"] {
                    module.clear();
                }
                found.push(Source { text: fs::read_to_string(&path)?, path: below, module });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
