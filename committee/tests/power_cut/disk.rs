//! A disk from which the power can be taken: what of a folder would be left.
//!
//! This test defines `fsync`, `fdatasync`, `rename` and `unlink` itself, so RocksDB and the standard library in this process
//! call these and not the system's. They write down what is durable from then on. A cut takes that,
//! and of everything else (bytes behind the synced length, names that no sync of their folder has covered) a random part:
//! nothing, all, a prefix, single pages, zeros, garbage, or what another file had there.

#[path = "disk/hazard.rs"]
mod hazard;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{CStr, c_char, c_int},
    fs,
    io::ErrorKind,
    os::{
        fd::BorrowedFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    errno::answer,
    lie::{Lie, kind},
    random::Random,
};

const PAGE: usize = 4096;
/// The smallest piece that a disk writes whole.
const SECTOR: usize = 512;
/// Files up to this length may be written in place, and are kept whole; longer ones are only ever appended to.
const IN_PLACE: u64 = 64 << 10;

/// Calls that are told of when something is missed.
const TOLD: usize = 400;
/// How long a sync takes.
const TAKES: Duration = Duration::from_micros(500);

static DISK: Mutex<Option<Disk>> = Mutex::new(None);

/// The folder under test, and what of it is durable.
struct Disk {
    root: PathBuf,
    /// Where files live on that were deleted and may come back.
    graves: PathBuf,
    lie: Option<Lie>,
    /// The sync that fails: of this kind of file, after so many.
    fails: Option<(Lie, usize)>,
    /// Files of which a sync has failed. The system calls their pages clean from then on, and says that all is well; nothing of
    /// them that was not on the disk before ever comes there.
    poisoned: BTreeSet<u64>,
    /// Contents by inode.
    durable: BTreeMap<u64, Durable>,
    /// Names, relative to the root, by what is durable of their folders.
    names: BTreeMap<PathBuf, u64>,
    /// What was asked of the disk last, for who reads of something that was missed.
    story: VecDeque<String>,
    /// What a cut at some moment could have taken away, the first time, and the story up to it.
    hazard: Option<String>,
}

#[derive(Clone)]
enum Durable {
    Whole(Vec<u8>),
    Length(u64),
}

/// From now on `root` is watched; all that is in it is durable.
pub(crate) fn watch(root: &Path, graves: &Path, lie: Option<Lie>) {
    let (root, graves) = (root.canonicalize().expect("there"), graves.canonicalize().expect("there"));
    let (fails, poisoned, durable) = (None, BTreeSet::new(), BTreeMap::new());
    let (story, hazard) = (VecDeque::new(), None);
    let mut disk = Disk { names: names(&root), root, graves, lie, fails, poisoned, durable, story, hazard };
    for name in disk.names.keys() {
        let path = disk.root.join(name);
        let metadata = path.metadata().expect("there");
        disk.durable.insert(metadata.ino(), content(&path, metadata.len()));
    }
    *lock() = Some(disk);
}

/// The sync of a file of this kind that comes after `others` of that kind fails; with `None`, none does.
pub(crate) fn fail(next: Option<(Lie, usize)>) {
    if let Some(disk) = lock().as_mut() {
        disk.fails = next;
    }
}

/// Nothing is watched any more; gives what a cut at some moment could have taken away.
pub(crate) fn forget() -> Option<String> {
    lock().take()?.hazard
}

/// Takes the power at this moment and puts into `image` what is left; gives what was asked of the disk before, and what is left.
pub(crate) fn cut(image: &Path, random: &mut Random) -> String {
    let guard = lock();
    let disk = guard.as_ref().expect("watched");
    let current = names(&disk.root);
    // What an older file had on the disk, to be found behind the end of a younger one.
    let stale = current.iter().find(|(name, _)| name.extension().is_some_and(|extension| extension == "log"));
    let stale = stale.and_then(|(name, _)| fs::read(disk.root.join(name)).ok()).unwrap_or_default();
    let mut story: Vec<String> = disk.story.iter().cloned().collect();
    let all: BTreeSet<&PathBuf> = current.keys().chain(disk.names.keys()).collect();
    for name in all {
        let (now, then) = (current.get(name), disk.names.get(name));
        let taken = if now == then || random.coin() { now } else { then };
        if now != then {
            story.push(format!("{}: {now:?} by name, {then:?} on the disk, {taken:?} left", name.display()));
        }
        let Some(inode) = taken else { continue };
        let grave = disk.graves.join(inode.to_string());
        let path = if now == Some(inode) { disk.root.join(name) } else { grave };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // A file that was deleted before it was ever synced has no grave.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let left = match disk.durable.get(inode) {
            Some(Durable::Whole(whole)) if bytes.len() == whole.len() => overwritten(whole, &bytes, random),
            Some(Durable::Whole(whole)) => appended(&bytes, whole.len(), &stale, random),
            Some(Durable::Length(length)) => appended(&bytes, usize::try_from(*length).expect("small"), &stale, random),
            None => appended(&bytes, 0, &stale, random),
        };
        let place = image.join(name);
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        story.push(format!(
            "{}: {inode}, {} of {} bytes, {:?} synced",
            name.display(),
            left.len(),
            bytes.len(),
            disk.length(*inode)
        ));
        fs::write(place, left).expect("written");
    }
    story.join("\n")
}

/// Each page that was written in place is the old one, the new one, or torn between two sectors.
fn overwritten(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let mut left = old.to_vec();
    for from in (0..new.len()).step_by(PAGE) {
        let to = (from + PAGE).min(new.len());
        let torn = from + (random.below(PAGE / SECTOR + 1) * SECTOR).min(to - from);
        let until = [from, to, torn][random.below(3)];
        left[from..until].copy_from_slice(&new[from..until]);
    }
    left
}

/// Of the bytes behind `synced`: nothing, all of them, or something in between.
fn appended(bytes: &[u8], synced: usize, stale: &[u8], random: &mut Random) -> Vec<u8> {
    let synced = synced.min(bytes.len());
    let mut left = bytes.to_vec();
    let page = synced.next_multiple_of(PAGE).min(bytes.len());
    match random.below(8) {
        0 => left.truncate(synced),
        1 => left.truncate(synced + random.below(bytes.len() - synced + 1)),
        2 => left[synced..].fill(0),
        3 => left[page..].fill(0),
        4 => left[page..].iter_mut().for_each(|byte| *byte = random.next().to_be_bytes()[0]),
        5 => {
            let stale = stale.get(..bytes.len() - page).unwrap_or_default();
            left[page..page + stale.len()].copy_from_slice(stale);
        }
        6 => {
            // Pages are written in any order.
            for from in (synced / PAGE * PAGE..bytes.len()).step_by(PAGE) {
                if random.coin() {
                    left[from.max(synced)..(from + PAGE).min(bytes.len())].fill(0);
                }
            }
        }
        _ => {}
    }
    left
}

/// Names and inodes of all files under `root`, without what a start does not need.
fn names(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut names = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            if metadata.is_dir() {
                folders.push(path);
            } else if entry.file_name() != "reserve" && !entry.file_name().to_string_lossy().starts_with("LOG") {
                names.insert(path.strip_prefix(root).expect("inside").to_owned(), metadata.ino());
            }
        }
    }
    names
}

fn content(path: &Path, length: u64) -> Durable {
    if length > IN_PLACE {
        return Durable::Length(length);
    }
    fs::read(path).map_or(Durable::Length(length), Durable::Whole)
}

impl Disk {
    /// Whether a sync of this file is to be believed.
    fn honours(&self, path: &Path, inode: u64) -> bool {
        let kind = kind(path);
        (kind.is_none() || kind != self.lie) && !self.poisoned.contains(&inode)
    }

    /// Whether the sync of this file is the one that fails.
    fn fails(&mut self, path: &Path, inode: u64) -> bool {
        match &mut self.fails {
            Some((of, left)) if kind(path) == Some(*of) => {
                if *left > 0 {
                    *left -= 1;
                    return false;
                }
                self.fails = None;
                self.poisoned.insert(inode);
                true
            }
            _ => false,
        }
    }

    /// Bytes that are durable.
    fn length(&self, inode: u64) -> Option<u64> {
        self.durable.get(&inode).map(|durable| match durable {
            Durable::Whole(bytes) => bytes.len() as u64,
            Durable::Length(length) => *length,
        })
    }

    fn tell(&mut self, what: String) {
        if self.story.len() >= TOLD {
            self.story.pop_front();
        }
        self.story.push_back(what);
    }

    /// A file that is about to lose its name may come back with it.
    fn bury(&self, path: &Path) {
        let Ok(metadata) = path.metadata() else { return };
        if let Err(error) = fs::hard_link(path, self.graves.join(metadata.ino().to_string())) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{}: {error}", path.display());
        }
    }

    /// All names in a folder are durable as they are.
    fn sync_folder(&mut self, folder: &Path) {
        let Ok(within) = folder.strip_prefix(&self.root) else { return };
        let inside = |name: &PathBuf| name.parent() == Some(within);
        self.names.retain(|name, _| !inside(name));
        self.names.extend(names(&self.root).into_iter().filter(|(name, _)| inside(name)));
    }
}

fn lock() -> MutexGuard<'static, Option<Disk>> {
    DISK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is synced when the call returns: what was there before it. The system itself is not asked to sync anything: what
/// counts is what is written down here.
fn sync(fd: c_int) -> c_int {
    // SAFETY: whoever calls `fsync` or `fdatasync` keeps the descriptor open for as long as the call lasts.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)), Vec::new());
    let path = path.ok().map(|path| PathBuf::from(path.to_string_lossy().into_owned()));
    let watched = path.filter(|path| lock().as_ref().is_some_and(|disk| path.starts_with(&disk.root)));
    let before = watched.as_ref().and_then(|path| {
        let metadata = path.metadata().ok().filter(fs::Metadata::is_file)?;
        let length = metadata.len();
        let whole = (length <= IN_PLACE).then(|| {
            let mut bytes = vec![0; usize::try_from(length).expect("small")];
            fs::File::open(path).and_then(|file| file.read_exact_at(&mut bytes, 0)).ok().map(|()| Durable::Whole(bytes))
        });
        Some((metadata.ino(), whole.flatten().unwrap_or(Durable::Length(length))))
    });
    if let Some(path) = watched {
        // A disk takes its time, and the power may go meanwhile.
        std::thread::sleep(TAKES);
        if let Some(disk) = lock().as_mut() {
            let inode = before.as_ref().map(|(inode, _)| *inode);
            let (honours, fails) = (inode.is_none_or(|inode| disk.honours(&path, inode)), disk.fails.is_some());
            disk.tell(format!("sync {} {inode:?}, believed {honours}, one is to fail {fails}", path.display()));
            match before {
                Some((inode, _)) if disk.fails(&path, inode) => return answer(Err(rustix::io::Errno::IO)),
                Some((inode, durable)) if disk.honours(&path, inode) => {
                    disk.durable.insert(inode, durable);
                    // As ext4 and xfs do, and RocksDB relies on: with the file its name is durable.
                    if let Ok(name) = path.strip_prefix(&disk.root) {
                        disk.names.insert(name.to_owned(), inode);
                    }
                }
                Some(_) => {}
                None => disk.sync_folder(&path),
            }
            disk.look();
        }
    }
    0
}

fn path(text: &CStr) -> PathBuf {
    PathBuf::from(text.to_string_lossy().into_owned())
}

/// In place of the C library's.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd)
}

/// In place of the C library's.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd)
}

/// In place of the C library's.
///
/// # Safety
///
/// As there: `name` points at a string that ends with a zero.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unlink(name: *const c_char) -> c_int {
    // SAFETY: by the contract of this function.
    let name = unsafe { CStr::from_ptr(name) };
    let (mut guard, file) = (lock(), path(name));
    let mut disk = guard.as_mut().filter(|disk| file.starts_with(&disk.root));
    if let Some(disk) = &mut disk {
        disk.bury(&file);
        disk.tell(format!("unlink {}", file.display()));
    }
    let done = answer(rustix::fs::unlink(name));
    if let Some(disk) = disk {
        disk.look();
    }
    done
}

/// In place of the C library's.
///
/// # Safety
///
/// As there: both names point at strings that end with a zero.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rename(old: *const c_char, new: *const c_char) -> c_int {
    // SAFETY: by the contract of this function.
    let (old, new) = unsafe { (CStr::from_ptr(old), CStr::from_ptr(new)) };
    let (mut guard, from, to) = (lock(), path(old), path(new));
    let mut disk = guard.as_mut().filter(|disk| to.starts_with(&disk.root));
    if let Some(disk) = &mut disk {
        disk.tell(format!("rename {} to {}", from.display(), to.display()));
        disk.bury(&to);
        // By its old name it may be found after a cut as well.
        disk.bury(&from);
    }
    let done = answer(rustix::fs::rename(old, new));
    if let Some(disk) = disk {
        disk.look();
    }
    done
}
