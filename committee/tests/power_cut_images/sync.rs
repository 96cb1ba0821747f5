//! Syncs that do not reach the file system although the caller is told so.

use std::{
    ffi::c_int,
    os::fd::{AsRawFd, BorrowedFd},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{
    errno::answer,
    lie::{Lie, kind},
};

/// The kind of file whose syncs are not honoured.
static LIE: Mutex<Option<Lie>> = Mutex::new(None);

/// From now on the syncs of these files do nothing.
pub(crate) fn lie(of: Option<Lie>) {
    *LIE.lock().unwrap_or_else(PoisonError::into_inner) = of;
}

fn is_honoured(fd: BorrowedFd<'_>) -> bool {
    let lie = *LIE.lock().unwrap_or_else(PoisonError::into_inner);
    lie.is_none() || {
        let name = rustix::fs::readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new());
        let path = name.map(|name| PathBuf::from(name.to_string_lossy().into_owned())).unwrap_or_default();
        kind(&path) != lie
    }
}

/// In place of the C library's.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: whoever calls this keeps the descriptor open for as long as the call lasts.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    if is_honoured(fd) { answer(rustix::fs::fsync(fd)) } else { 0 }
}

/// In place of the C library's.
// SAFETY: it has the C library's signature, and does what that one does.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: whoever calls this keeps the descriptor open for as long as the call lasts.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    if is_honoured(fd) { answer(rustix::fs::fdatasync(fd)) } else { 0 }
}
