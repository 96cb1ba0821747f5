//! What a program asks its machine for and nobody can foresee, answered from a seed: random bytes and the time.
//!
//! The C library's functions are replaced in this program, so that all of it is covered, whoever asks: hash maps, Tokio's choice
//! among branches, nonces, ids of stores, `SystemTime::now`. Threads on which nothing was begun get the machine's answers.

#![allow(unsafe_code, reason = "functions of the C library are replaced")]

use std::{
    cell::Cell,
    ffi::{c_int, c_uint, c_void},
    time::Duration,
};

/// Unix seconds at which every world begins.
pub const BEGINNING: u64 = 1_800_000_000;
/// What the steady clock of the system says then, in seconds: none of what a program subtracts from it is below zero.
const STEADY: u64 = 10_000_000;

thread_local! {
    /// The state from which random bytes are drawn; `None` where nothing was begun.
    static CHANCE: Cell<Option<u64>> = const { Cell::new(None) };
    /// Nanoseconds since the beginning.
    static ELAPSED: Cell<u64> = const { Cell::new(0) };
    /// Seconds by which calendars are ahead of what has elapsed: days that were passed over.
    static SKIPPED: Cell<u64> = const { Cell::new(0) };
}

/// From now on this thread is in the world of `seed`.
pub fn begin(seed: u64) {
    CHANCE.set(Some(seed ^ 0x9e37_79b9_7f4a_7c15));
    ELAPSED.set(0);
    SKIPPED.set(0);
}

/// Sets what has elapsed.
pub fn set_elapsed(elapsed: Duration) {
    ELAPSED.set(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
}

/// Passes over so many seconds, in which nobody does anything.
pub fn skip(seconds: u64) {
    SKIPPED.set(SKIPPED.get() + seconds);
}

/// What has elapsed, without what was passed over.
#[must_use]
pub fn elapsed() -> Duration {
    Duration::from_nanos(ELAPSED.get())
}

/// The true time, unix seconds.
#[must_use]
pub fn unix() -> u64 {
    BEGINNING + elapsed().as_secs() + SKIPPED.get()
}

/// What a clock that nobody sets says.
#[must_use]
pub fn steady() -> Duration {
    elapsed() + Duration::from_secs(SKIPPED.get())
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// getrandom(2).
///
/// # Safety
///
/// As in the C library: `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    let Some(mut state) = CHANCE.get() else {
        // SAFETY: the caller's arguments are passed on to the system call of this name.
        let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return isize::try_from(got).unwrap_or(-1);
    };
    // SAFETY: by contract there is room for `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next(&mut state).to_le_bytes()[..chunk.len()]);
    }
    CHANCE.set(Some(state));
    isize::try_from(length).unwrap_or(isize::MAX)
}

/// clock_gettime(2).
///
/// # Safety
///
/// As in the C library: `time` points to a `timespec` that can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if CHANCE.get().is_none() {
        // SAFETY: the caller's arguments are passed on to the system call of this name.
        let done = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return c_int::try_from(done).unwrap_or(-1);
    }
    let base = if clock == libc::CLOCK_REALTIME { BEGINNING + SKIPPED.get() } else { STEADY };
    let now = Duration::from_secs(base) + elapsed();
    let said = libc::timespec {
        tv_sec: libc::time_t::try_from(now.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: now.subsec_nanos().into(),
    };
    // SAFETY: by contract it can be written.
    unsafe { time.write(said) };
    0
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        thread,
        time::{Instant, SystemTime, UNIX_EPOCH},
    };

    use super::*;

    /// Order in a hash map, random bytes, and both clocks, as a thread of its own sees them.
    fn seen(seed: Option<u64>) -> (Vec<u32>, [u8; 32], u64) {
        let look = move || {
            if let Some(seed) = seed {
                begin(seed);
                set_elapsed(Duration::from_secs(7));
            }
            let map: HashMap<u32, ()> = (0..100).map(|number| (number, ())).collect();
            let bytes = *holdfast_certificate::SecretKey::generate().to_bytes();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            (map.into_keys().collect(), bytes, now)
        };
        thread::spawn(look).join().expect("joined")
    }

    #[test]
    fn one_seed_gives_one_world_and_without_a_seed_the_machine_answers() {
        assert_eq!(seen(Some(1)), seen(Some(1)));
        assert_eq!(seen(Some(1)).2, BEGINNING + 7);
        let (one, two) = (seen(Some(1)), seen(Some(2)));
        assert!(one.0 != two.0 && one.1 != two.1);
        let (this, that) = (seen(None), seen(None));
        assert!(this.0 != that.0 && this.1 != that.1 && this.2 != BEGINNING + 7);
        let before = Instant::now();
        while before.elapsed() < Duration::from_millis(2) {}
    }
}
