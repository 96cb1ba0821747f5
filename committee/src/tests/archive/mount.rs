//! A folder of another file system, as far as whoever runs the tests may mount one; else one that another takes the place of.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What is mounted at a place, and may not be.
pub(super) struct Mount {
    folder: tempfile::TempDir,
    mounts: bool,
    mounted: bool,
}

impl Mount {
    /// It is mounted.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("at")).expect("made");
        fs::create_dir(folder.path().join("disk")).expect("made");
        let mut mount = Self { folder, mounts: true, mounted: false };
        mount.mounts = mount.binds();
        if mount.mounts {
            mount.mounted = true;
        } else {
            mount.mount();
        }
        mount
    }

    /// Where.
    pub(super) fn at(&self) -> PathBuf {
        self.folder.path().join("at")
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    pub(super) fn mount(&mut self) {
        assert!(!self.mounted);
        if self.mounts {
            assert!(self.binds());
        } else {
            fs::remove_dir(self.at()).expect("an empty mount point");
            fs::rename(self.disk(), self.at()).expect("moved");
        }
        self.mounted = true;
    }

    /// By force, whoever has something open there.
    pub(super) fn unmount(&mut self) {
        assert!(self.mounted);
        if self.mounts {
            assert!(run("umount", &["--lazy".as_ref(), &self.at()]));
        } else {
            fs::rename(self.at(), self.disk()).expect("moved");
            fs::create_dir(self.at()).expect("made");
        }
        self.mounted = false;
    }

    fn binds(&self) -> bool {
        run("mount", &["--bind".as_ref(), &self.disk(), &self.at()])
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted && self.mounts {
            run("umount", &["--lazy".as_ref(), &self.at()]);
        }
    }
}

fn run(program: &str, arguments: &[&Path]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
