//! What a cut at this very moment could take away: looked at with every call, for a cut at a random instant meets a window of a few
//! calls only by chance. Whatever is left of what no sync has covered, each file that a manifest needs must be there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use holdfast_committee::store::files_needed;

use super::{Disk, Durable, names};

impl Disk {
    /// Notes the first hazard, with the story up to it.
    pub(super) fn look(&mut self) {
        if self.hazard.is_none() && self.lie.is_none() {
            let story = || self.story.iter().cloned().collect::<Vec<_>>().join("\n");
            self.hazard = self.missing().map(|found| format!("{found}\n{}", story()));
        }
    }

    /// A file that is not there for sure, though one of the manifests that may be in force after a cut needs it: as far as it is
    /// synced, or all that is written.
    fn missing(&self) -> Option<String> {
        let now = names(&self.root);
        let current = Path::new("db/CURRENT");
        let either: BTreeSet<u64> = now.get(current).into_iter().chain(self.names.get(current)).copied().collect();
        // Not one that is watched: nothing asks this disk there.
        let folder = self.graves.join("look");
        fs::create_dir_all(&folder).expect("made");
        for inode in &either {
            let Some(Durable::Whole(text)) = self.durable.get(inode) else {
                return Some("what CURRENT says is not on the disk".into());
            };
            let name = String::from_utf8_lossy(text).trim_end().to_owned();
            let manifest = Path::new("db").join(&name);
            let Some(inode) = self.for_sure(&now, &manifest) else {
                return Some(format!("{name} may be in force, and may be gone"));
            };
            let written = fs::read(self.root.join(&manifest)).expect("there");
            let synced = usize::try_from(self.length(inode).unwrap_or_default()).expect("small").min(written.len());
            fs::write(folder.join("CURRENT"), text).expect("written");
            for left in BTreeSet::from([synced, written.len()]) {
                fs::write(folder.join(&name), &written[..left]).expect("written");
                let needed = match files_needed(&folder) {
                    Ok(needed) => needed,
                    Err(error) => return Some(format!("{left} of {} bytes: {error}", written.len())),
                };
                for (file, bytes) in needed {
                    let inode = self.for_sure(&now, &Path::new("db").join(&file));
                    if inode.and_then(|inode| self.length(inode)).is_none_or(|durable| durable < bytes) {
                        return Some(format!("by {left} bytes of {name} {bytes} bytes of {file} are needed"));
                    }
                }
            }
        }
        None
    }

    /// The file of this name, where a cut cannot take the name away.
    fn for_sure(&self, now: &BTreeMap<PathBuf, u64>, name: &Path) -> Option<u64> {
        let inode = now.get(name)?;
        (self.names.get(name) == Some(inode)).then_some(*inode)
    }
}
