//! File systems in image files, and clones of them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::ioctl_ficlone;
use tempfile::TempDir;

/// Bytes of the outer and of an inner image, both mostly holes. xfs is not made on less than 300 MiB.
const OUTER: u64 = 8 << 30;
const INNER: u64 = 1 << 30;
/// How long a mount may stay busy after its last user was dropped.
const BUSY: Duration = Duration::from_secs(60);

/// The file system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inner {
    Ext4,
    Xfs,
}

/// A file system that can clone files.
#[derive(Debug)]
pub(crate) struct Cloning {
    kind: &'static str,
    mounted: Mounted,
    _folder: TempDir,
}

/// A file system under test, as a disk of its own.
#[derive(Debug)]
pub(crate) struct Disk {
    inner: Inner,
    image: PathBuf,
    mounts: TempDir,
}

/// A file system that is mounted until this is dropped.
#[derive(Debug)]
pub(crate) struct Mounted(PathBuf);

/// What this machine lacks for all of it.
pub(crate) fn lacking() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("it needs root, to mount");
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("there are no loop devices");
    }
    let works = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !works {
        return Some("no mount name space can be made");
    }
    None
}

impl Cloning {
    /// An outer file system; `None`, said aloud, where none can be made.
    pub(crate) fn make() -> Option<Self> {
        for (kind, make) in
            [("xfs", ["mkfs.xfs", "-q", "-m", "reflink=1"].as_slice()), ("btrfs", &["mkfs.btrfs", "-q"])]
        {
            let folder = super::place();
            let image = folder.path().join("outer.img");
            sparse(&image, OUTER);
            if !succeeds(Command::new(make[0]).args(&make[1..]).arg(&image)) {
                continue;
            }
            let Some(mounted) = Mounted::of(&image, folder.path().join("outer"), &[]) else { continue };
            return Some(Self { kind, mounted, _folder: folder });
        }
        println!(
            "NOT tested: no file system can be made that clones files: mkfs.xfs (xfsprogs) and mkfs.btrfs are missing or fail"
        );
        None
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// A new disk with an empty file system.
    pub(crate) fn disk(&self, inner: Inner) -> Disk {
        let mounts = tempfile::tempdir_in(self.mounted.path()).expect("a folder");
        let image = mounts.path().join("disk.img");
        sparse(&image, INNER);
        let make = match inner {
            Inner::Ext4 => ["mkfs.ext4", "-q"],
            Inner::Xfs => ["mkfs.xfs", "-q"],
        };
        assert!(succeeds(Command::new(make[0]).arg(make[1]).arg(&image)), "{make:?} fails");
        Disk { inner, image, mounts }
    }
}

impl Disk {
    pub(crate) fn mount(&self) -> Mounted {
        let place = self.image.with_extension("mounted");
        // A clone has the same name as what it is a clone of, which is mounted too.
        let options: &[&str] = if self.inner == Inner::Xfs { &["nouuid"] } else { &[] };
        Mounted::of(&self.image, place, options).expect("it is mounted, its journal replayed")
    }

    /// What the disk has at this moment.
    pub(crate) fn clone_now(&self) -> Self {
        let mounts = tempfile::tempdir_in(self.mounts.path()).expect("a folder");
        let image = mounts.path().join("clone.img");
        let (to, from) = (File::create(&image).expect("made"), File::open(&self.image).expect("there"));
        ioctl_ficlone(to, from).expect("cloned");
        Self { inner: self.inner, image, mounts }
    }
}

impl Mounted {
    /// Mounts an image by a loop device, which goes with the mount.
    fn of(image: &Path, place: PathBuf, options: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(&place).expect("made");
        let options = [&["loop"], options].concat().join(",");
        succeeds(Command::new("mount").args(["-o", &options]).arg(image).arg(&place)).then_some(Self(place))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// All that was written is on the disk.
    pub(crate) fn sync(&self) {
        rustix::fs::syncfs(File::open(&self.0).expect("there")).expect("synced");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A store that was dropped lets go of its files a moment later.
        let deadline = Instant::now() + BUSY;
        while !succeeds(Command::new("umount").arg(&self.0)) {
            if Instant::now() > deadline || std::thread::panicking() {
                // Lazily: it goes when its last user does, with this process at the latest.
                let _left_to_the_end = Command::new("umount").arg("-l").arg(&self.0).status();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn sparse(path: &Path, bytes: u64) {
    File::create(path).and_then(|file| file.set_len(bytes)).expect("an image");
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
