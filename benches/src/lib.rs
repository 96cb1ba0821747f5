//! What the benches share.

mod table;

use std::time::Duration;

use bytes::Bytes;

pub use table::Table;

/// Another payload each time: storing the same one again would be answered from what is held.
pub fn payload(length: usize, number: &mut u64) -> Bytes {
    *number += 1;
    let mut state = *number;
    (0..length.div_ceil(8))
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()
        })
        .take(length)
        .collect::<Vec<u8>>()
        .into()
}

/// The time below which this part of them is, in milliseconds; zero where there are none.
pub fn percentile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let at = (times.len() as f64 * part).ceil().max(1.0) - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a slice")]
    let time = times.get(at as usize).or(times.last());
    time.map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// What this process has used of its processors (proc(5)), threads that have ended included.
pub fn processor() -> Duration {
    /// A tick of `/proc/PID/stat`: a hundredth of a second on every machine that this is built for.
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may itself hold spaces and parentheses.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let ticks: u32 = fields.take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let at = [0.0, 0.5, 0.99, 1.0].map(|part| percentile(&mut times, part));
        assert_eq!(at, [1.0, 50.0, 99.0, 100.0]);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
