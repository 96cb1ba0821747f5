//! What a peer may send beside bodies: HTTP/2 frames that cost work and carry nothing are counted as they are read.
//!
//! SETTINGS, PING, PRIORITY, WINDOW_UPDATE and RST_STREAM cost the one who sends them nothing, and HTTP/2 has no flow
//! control for them; nor for headers, of which each byte may name a whole header. Each connection has an allowance that time,
//! bytes of bodies and calls that were let in fill up, and each origin has one for all of its connections; who uses one up is
//! disconnected.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{line::Line, rpc::Rates};

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// So many bytes of headers count as a frame more: the headers of most calls have fewer, once the first was made.
const HEADER_BYTES_PER_FRAME: u64 = 64;
/// A DATA frame with less in it is counted as the others are.
const TINY: usize = 256;
/// One frame more for so many bytes of bodies, in either direction: readers say all the time what they have taken.
const BYTES_PER_FRAME: u64 = 1024;
/// How many seconds' worth may be saved up.
const BURST_SECONDS: u64 = 4;

/// A connection whose frames are counted.
#[derive(Debug)]
pub(super) struct Meter<T> {
    io: T,
    line: Arc<Line>,
    frames: Frames,
    allowance: Allowance,
    rates: Rates,
}

impl<T> Meter<T> {
    pub(super) fn new(io: T, line: Arc<Line>, frames_per_second: u32, rates: Rates) -> Self {
        Self { io, line, frames: Frames::default(), allowance: Allowance::new(frames_per_second), rates }
    }
}

/// Where a stream of bytes stands among frames.
#[derive(Debug)]
struct Frames {
    /// Bytes to pass over.
    skip: usize,
    head: [u8; HEAD],
    have: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { skip: PREFACE, head: [0; HEAD], have: 0 }
    }
}

/// What was among some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    frames: u64,
    body: u64,
}

impl Frames {
    fn see(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.head[self.have] = bytes[0];
            bytes = &bytes[1..];
            self.have += 1;
            if self.have == HEAD {
                self.have = 0;
                let [a, b, c, kind, ..] = self.head;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if kind == DATA && self.skip >= TINY {
                    seen.body += self.skip as u64;
                } else {
                    seen.frames += 1;
                    if matches!(kind, HEADERS | CONTINUATION) {
                        seen.frames += self.skip as u64 / HEADER_BYTES_PER_FRAME;
                    }
                }
            }
        }
        seen
    }
}

#[derive(Debug)]
struct Allowance {
    per_second: u64,
    left: u64,
    filled: Instant,
    /// Bytes of bodies not yet counted towards a frame.
    body: u64,
}

impl Allowance {
    fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        Self { per_second, left: per_second * BURST_SECONDS, filled: Instant::now(), body: 0 }
    }

    /// Counts what was seen, after what bodies and calls have earned; none when it is too much, and else what nothing has earned.
    fn take(&mut self, seen: &Seen, earned: u64, now: impl FnOnce() -> Instant) -> Option<u64> {
        let most = self.per_second * BURST_SECONDS;
        self.body += seen.body;
        let credit = self.body / BYTES_PER_FRAME + earned;
        self.body %= BYTES_PER_FRAME;
        let frames = seen.frames.saturating_sub(credit);
        self.left = self.left.saturating_add(credit.saturating_sub(seen.frames)).min(most);
        if frames > self.left {
            // Only now is it worth looking at the clock.
            let now = now();
            let micros = u64::try_from(now.saturating_duration_since(self.filled).as_micros()).unwrap_or(u64::MAX);
            let filled = micros.saturating_mul(self.per_second) / 1_000_000;
            self.left = self.left.saturating_add(filled).min(most);
            self.filled = now;
        }
        self.left = self.left.checked_sub(frames)?;
        Some(frames)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Meter<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        let seen = this.frames.see(&buffer.filled()[before..]);
        let taken = this.allowance.take(&seen, this.line.spend(), Instant::now);
        if taken.is_some_and(|frames| this.rates.check_frames(this.line.origin(), frames)) {
            return read;
        }
        this.line.flood();
        Poll::Ready(Err(io::Error::other("too many frames")))
    }
}

impl<T> Meter<T> {
    fn wrote<N>(&mut self, written: Poll<io::Result<N>>, bytes: impl FnOnce(&N) -> u64) -> Poll<io::Result<N>> {
        self.line.wrote(written.is_ready());
        if let Poll::Ready(Ok(written)) = &written {
            self.allowance.body += bytes(written);
        }
        written
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Meter<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.wrote(written, |written| *written as u64)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bytes);
        this.wrote(written, |written| *written as u64)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.wrote(flushed, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [.., a, b, c] = length.to_be_bytes();
        [&[a, b, c, kind, 0, 0, 0, 0, 1][..], &vec![0xff; length]].concat()
    }

    #[test]
    fn frames_are_seen_wherever_the_bytes_are_cut() {
        let stream = [&[0; PREFACE][..], &frame(4, 6), &frame(6, 8), &frame(DATA, 70_000), &frame(DATA, 3)].concat();
        for size in [1, 2, 7, 9, 10, 100, 100_000] {
            let mut frames = Frames::default();
            let mut all = Seen::default();
            for part in stream.chunks(size) {
                let seen = frames.see(part);
                all.frames += seen.frames;
                all.body += seen.body;
            }
            assert_eq!(all, Seen { frames: 3, body: 70_000 }, "cut by {size}");
        }
    }

    #[test]
    fn headers_count_by_their_bytes() {
        let stream =
            [&[0; PREFACE][..], &frame(HEADERS, 63), &frame(HEADERS, 6400), &frame(CONTINUATION, 640)].concat();
        assert_eq!(Frames::default().see(&stream), Seen { frames: 3 + 100 + 10, body: 0 });
    }

    #[test]
    fn the_allowance_is_filled_by_time_by_bodies_and_by_calls() {
        let mut allowance = Allowance::new(100);
        let start = allowance.filled;
        let mut take = |frames, second| {
            allowance.take(&Seen { frames, body: 0 }, 0, || start + Duration::from_secs(second)).is_some()
        };
        assert!(take(400, 0) && !take(1, 0));
        assert!(take(100, 1) && !take(1, 1));
        assert!(!take(401, 1000), "what is saved up is bounded");
        assert!(take(400, 1000) && !take(1, 1000));
        let body = Seen { frames: 0, body: 50 * BYTES_PER_FRAME };
        assert_eq!(allowance.take(&body, 0, || start), Some(0));
        let mut take = |frames, earned| allowance.take(&Seen { frames, body: 0 }, earned, || start);
        assert!(take(50, 0).is_some() && take(1, 0).is_none());
        assert_eq!(take(4, 4), Some(0), "calls that were let in");
        assert_eq!(take(1, 0), None);
    }
}
