//! How much memory one check takes, in programs that count it.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// Bytes taken by this thread since the count began, and the most that they were at once.
    static COUNT: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, with a count for each thread: `#[global_allocator] static COUNTING: Counting = Counting;` in a test
/// program lets its targets check how much memory an input takes. Without it nothing is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the counting beside it does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn count(bytes: isize) {
    // A thread that ends has no count any more.
    let _gone = COUNT.try_with(|cell| {
        let (taken, most) = cell.get();
        let taken = taken.saturating_add(bytes);
        cell.set((taken, most.max(taken)));
    });
}

/// Does something, and says how many bytes more than before this thread had at once; 0 where nothing is counted.
pub(crate) fn most(work: impl FnOnce()) -> usize {
    COUNT.set((0, 0));
    work();
    COUNT.get().1.unsigned_abs()
}
