//! Large buffers that are used again: for a new one the system makes thousands of pages, and fills them with zeros that are
//! overwritten at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The least that is kept: below it allocators keep memory by themselves.
const LEAST: usize = 256 << 10;
/// Bytes that are kept in all.
const MOST: usize = 32 << 20;

/// Buffers that nobody uses, the latest last.
static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer of exactly so many bytes, with anything in them: the caller overwrites all.
pub(crate) fn take(length: usize) -> Vec<u8> {
    let found = {
        let mut kept = kept();
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= length && buffer.capacity() / 2 <= length;
        kept.iter().rposition(fits).map(|at| kept.remove(at))
    };
    let mut buffer = found.unwrap_or_default();
    buffer.resize(length, 0);
    buffer
}

/// The same buffer to be shared, which comes back when its last user lets go of it.
pub(crate) fn share(buffer: Vec<u8>) -> Bytes {
    if buffer.capacity() < LEAST { buffer.into() } else { Bytes::from_owner(Shared(buffer)) }
}

struct Shared(Vec<u8>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        let mut kept = kept();
        let mut bytes = kept.iter().map(Vec::capacity).sum::<usize>() + buffer.capacity();
        if buffer.capacity() > MOST {
            return;
        }
        kept.push(buffer);
        while bytes > MOST {
            bytes -= kept.remove(0).capacity();
        }
    }
}

fn kept() -> MutexGuard<'static, Vec<Vec<u8>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since what is kept is one for the process.
    #[test]
    fn a_buffer_comes_back_when_its_last_user_lets_go_and_no_more_is_kept_than_the_bound() {
        let mut buffer = take(5 << 20);
        buffer.fill(7);
        let place = buffer.as_ptr();
        let shared = share(buffer);
        let part = shared.slice(100..200);
        drop(shared);
        let another = take(5 << 20);
        assert_ne!(another.as_ptr(), place, "a part of it is still read");
        assert!(part.iter().all(|byte| *byte == 7));
        drop(part);
        let again = take((5 << 20) - 4096);
        assert_eq!((again.as_ptr(), again.len()), (place, (5 << 20) - 4096));
        drop(share(again));
        assert!(take(1 << 20).capacity() < 5 << 20, "a small one takes no large one");
        for length in [MOST, MOST + 1, 20 << 20, 20 << 20, 1 << 10] {
            drop(share(take(length)));
            assert!(kept().iter().map(Vec::capacity).sum::<usize>() <= MOST);
        }
    }
}
