//! How a function in place of one of the C library's answers.

use std::ffi::c_int;

/// 0, or -1 and the number of the error where C looks for it.
pub(crate) fn answer(result: rustix::io::Result<()>) -> c_int {
    unsafe extern "C" {
        fn __errno_location() -> *mut c_int;
    }
    match result {
        Ok(()) => 0,
        Err(errno) => {
            // SAFETY: the C library gives every thread an `errno` of its own, for as long as the thread lives.
            unsafe { *__errno_location() = errno.raw_os_error() };
            -1
        }
    }
}
