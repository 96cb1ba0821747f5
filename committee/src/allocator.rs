//! What is asked of glibc's allocator. Elsewhere nothing is.
#![allow(unsafe_code, reason = "glibc's own functions")]

/// Arenas at most. glibc makes eight for each core, each of which keeps what was freed in it; bodies are few and large, so
/// threads hardly wait for each other.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 4;

/// Bounds what the allocator keeps for itself; to be called before there are many threads.
pub(crate) fn bound() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two numbers, may be called at any time and from any thread, and changes only what is allocated
    // from then on.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives back to the system what was freed and is still kept. Blocking for some milliseconds.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes a number and the allocator's own locks; memory that is in use is not touched.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_in_small_pieces_is_given_back() {
        bound();
        // Every other of many small pieces is kept, so that nothing is given back by itself.
        let mut pieces: Vec<Vec<u8>> = (0..400_000u32).map(|number| vec![number.to_le_bytes()[0]; 400]).collect();
        let full = crate::process::resident().expect("Linux says");
        let last = pieces.pop();
        drop(pieces);
        trim();
        let after = crate::process::resident().expect("Linux says");
        assert!(after + (64 << 20) < full, "{full} bytes before and {after} after");
        drop(last);
    }
}
