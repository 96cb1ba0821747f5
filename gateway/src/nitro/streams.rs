//! Payloads that come in chunks (`data_streaming` of nitro): started, sent in any order and several at once, committed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use holdfast_erasure::keccak256;

use super::errors::RpcError;
use crate::{budget::Held, clock::unix_now, failure::Failure};

/// Streams that are open at once.
const MAX_OPEN: usize = 10;
/// Chunks of one stream: each has a place in memory before it has come. Clients send some hundred kilobytes in each.
const MAX_CHUNKS: u64 = 1 << 14;
/// How long a stream may go without a new chunk.
const IDLE: Duration = Duration::from_secs(60);
/// How far a start's time may be off, seconds, and for how long a start is remembered so that it is not taken twice.
const VALIDITY: u64 = 300;
/// Starts that are remembered: far more than can be opened in their time.
const MAX_SEEN: usize = 10_000;

/// What a start says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// When it was made, unix seconds.
    pub(super) timestamp: u64,
    pub(super) chunks: u64,
    pub(super) chunk_size: u64,
    pub(super) total_size: u64,
    /// Until when the payload is wanted, unix seconds.
    pub(super) timeout: u64,
}

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Streams {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Stream>,
    /// The first 32 bytes of each start's commitment, and its time.
    seen: HashMap<[u8; 32], u64>,
}

#[derive(Debug)]
struct Stream {
    start: Start,
    chunks: Vec<Option<Bytes>>,
    missing: usize,
    touched: Instant,
    /// Memory for all of it, and its place among the PUTs.
    held: Held,
}

impl Streams {
    /// Refuses a start that cannot be taken, before anything is held for it.
    pub(super) fn check(start: &Start, signature: &[u8], limit: usize) -> Result<(), RpcError> {
        let Start { timestamp, chunks, chunk_size, total_size, timeout } = *start;
        signed(signature, &[], &[timestamp, chunks, chunk_size, total_size, timeout])?;
        if unix_now().abs_diff(timestamp) > VALIDITY {
            return Err(RpcError::failed("too much time has elapsed since request was signed"));
        }
        if chunk_size == 0 || total_size == 0 || total_size.div_ceil(chunk_size) != chunks {
            let text = format!("{total_size} bytes in chunks of {chunk_size} are not {chunks} chunks");
            return Err(RpcError::failed(text));
        }
        if chunks > MAX_CHUNKS {
            let text = format!("a payload in {chunks} chunks, expected at most {MAX_CHUNKS}");
            return Err(RpcError::failed(text));
        }
        if total_size > limit as u64 {
            return Err(RpcError::of_store(&Failure::TooLarge { limit: limit as u64 }));
        }
        Ok(())
    }

    /// Opens a stream that was checked.
    pub(super) fn open(&self, start: Start, signature: &[u8], held: Held) -> Result<u64, RpcError> {
        let mut state = self.lock();
        state.sweep();
        let request: [u8; 32] = signature.try_into().map_err(|_| RpcError::failed("signature does not match"))?;
        if state.seen.contains_key(&request) {
            return Err(RpcError::failed("we have already seen this request; aborting replayed protocol"));
        }
        if state.open.len() >= MAX_OPEN || state.seen.len() >= MAX_SEEN {
            let open = state.open.len();
            return Err(RpcError::failed(format!("can't start collecting new message: already {open} pending")));
        }
        let count = usize::try_from(start.chunks).map_err(|_| RpcError::failed("too many chunks"))?;
        let id = loop {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|error| RpcError::failed(error.to_string()))?;
            let id = u64::from_be_bytes(bytes);
            if id != 0 && !state.open.contains_key(&id) {
                break id;
            }
        };
        state.seen.insert(request, start.timestamp);
        let stream = Stream { start, chunks: vec![None; count], missing: count, touched: Instant::now(), held };
        state.open.insert(id, stream);
        Ok(id)
    }

    /// Takes a chunk. The same chunk again is well; another one in its place ends the stream.
    pub(super) fn chunk(&self, id: u64, number: u64, chunk: Vec<u8>, signature: &[u8]) -> Result<(), RpcError> {
        signed(signature, &chunk, &[id, number])?;
        let mut state = self.lock();
        state.sweep();
        let stream = state.open.get_mut(&id).ok_or_else(|| unknown(id))?;
        let start = stream.start;
        let place = usize::try_from(number).ok().and_then(|at| stream.chunks.get_mut(at));
        let Some(place) = place else {
            return Err(RpcError::failed(format!(
                "message({id}): chunk({number}) out of range - expected {} chunks",
                start.chunks
            )));
        };
        if let Some(before) = place {
            if *before == chunk {
                return Ok(());
            }
            state.open.remove(&id);
            return Err(RpcError::failed("received different chunk data than previously; aborting protocol"));
        }
        let last = number + 1 == start.chunks;
        let expected = if last { (start.total_size - 1) % start.chunk_size + 1 } else { start.chunk_size };
        if chunk.len() as u64 != expected {
            return Err(RpcError::failed(format!(
                "message({id}): chunk({number}) has incorrect size ({} bytes) - expecting {expected} bytes",
                chunk.len()
            )));
        }
        *place = Some(chunk.into());
        stream.missing -= 1;
        stream.touched = Instant::now();
        Ok(())
    }

    /// Closes a stream and joins its chunks: the payload, its memory, and until when it is wanted.
    pub(super) fn commit(&self, id: u64, signature: &[u8]) -> Result<(Bytes, Held, u64), RpcError> {
        signed(signature, &[], &[id])?;
        let mut state = self.lock();
        state.sweep();
        let stream = state.open.remove(&id).ok_or_else(|| unknown(id))?;
        drop(state);
        if stream.missing > 0 {
            let got = stream.chunks.len() - stream.missing;
            return Err(RpcError::failed(format!(
                "incomplete message({id}): got {got}/{} chunks",
                stream.chunks.len()
            )));
        }
        let mut joined = BytesMut::new();
        for chunk in stream.chunks.into_iter().flatten() {
            joined.extend_from_slice(&chunk);
        }
        Ok((joined.freeze(), stream.held, stream.start.timeout))
    }

    /// Ends streams that nobody feeds, so that their memory is free again even if nobody calls any more: run beside each
    /// stream that was opened.
    pub(super) async fn expire(streams: Weak<Self>, id: u64) {
        loop {
            tokio::time::sleep(IDLE).await;
            let Some(streams) = streams.upgrade() else { return };
            let mut state = streams.lock();
            state.sweep();
            if !state.open.contains_key(&id) {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends streams that nobody feeds, and forgets starts that are too old to be taken again.
    fn sweep(&mut self) {
        let now = unix_now();
        self.open.retain(|_, stream| stream.touched.elapsed() < IDLE);
        self.seen.retain(|_, made| now.abs_diff(*made) <= VALIDITY);
    }
}

/// Nitro's "signature" of a message: keccak256 over its bytes and its numbers, big-endian. It guards against damage, not
/// against anybody.
fn signed(signature: &[u8], bytes: &[u8], numbers: &[u64]) -> Result<(), RpcError> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    let expected = keccak256(&[bytes, &numbers].concat());
    if signature == expected.as_bytes() { Ok(()) } else { Err(RpcError::failed("signature does not match")) }
}

fn unknown(id: u64) -> RpcError {
    RpcError::failed(format!("unknown message({id})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Budget, config::Limits};

    fn sign(bytes: &[u8], numbers: &[u64]) -> Vec<u8> {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        keccak256(&[bytes, &numbers].concat()).as_bytes().to_vec()
    }

    fn start(total_size: u64, chunk_size: u64, salt: u64) -> (Start, Vec<u8>) {
        let start = Start {
            timestamp: unix_now(),
            chunks: total_size.div_ceil(chunk_size),
            chunk_size,
            total_size,
            timeout: 7 + salt,
        };
        (start, sign(&[], &[start.timestamp, start.chunks, chunk_size, total_size, start.timeout]))
    }

    async fn open(streams: &Streams, total: u64, size: u64, salt: u64) -> Result<u64, RpcError> {
        let (start, signature) = start(total, size, salt);
        Streams::check(&start, &signature, 1000)?;
        let held = Budget::new(&Limits::default()).put().await.expect("room");
        streams.open(start, &signature, held)
    }

    fn send(streams: &Streams, id: u64, number: u64, chunk: &[u8]) -> Result<(), RpcError> {
        streams.chunk(id, number, chunk.to_vec(), &sign(chunk, &[id, number]))
    }

    #[tokio::test]
    async fn chunks_in_any_order_and_twice_are_joined_in_theirs() {
        let streams = Streams::default();
        let id = open(&streams, 10, 4, 0).await.expect("opens");
        for (number, chunk) in [(2, b"ij".as_slice()), (0, b"abcd"), (2, b"ij"), (1, b"efgh")] {
            send(&streams, id, number, chunk).expect("taken");
        }
        let (payload, _held, timeout) = streams.commit(id, &sign(&[], &[id])).expect("whole");
        assert_eq!((&payload[..], timeout), (b"abcdefghij".as_slice(), 7));
        assert!(streams.commit(id, &sign(&[], &[id])).expect_err("closed").message.contains("unknown message"));
    }

    #[tokio::test]
    async fn another_chunk_in_the_same_place_ends_the_stream() {
        let streams = Streams::default();
        let id = open(&streams, 8, 4, 0).await.expect("opens");
        send(&streams, id, 0, b"abcd").expect("taken");
        assert!(send(&streams, id, 0, b"abcX").expect_err("conflict").message.contains("different chunk"));
        assert!(send(&streams, id, 1, b"efgh").expect_err("ended").message.contains("unknown message"));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_the_stream_goes_on() {
        let streams = Streams::default();
        let id = open(&streams, 8, 4, 0).await.expect("opens");
        for (number, chunk) in [(0, b"abc".as_slice()), (1, b"abcde"), (2, b"abcd"), (u64::MAX, b"abcd")] {
            send(&streams, id, number, chunk).expect_err("does not fit");
        }
        let bent = streams.chunk(id, 0, b"abcd".to_vec(), &sign(b"abcd", &[id, 1]));
        assert!(bent.expect_err("of another place").message.contains("signature"));
        send(&streams, id, 0, b"abcd").expect("taken");
        send(&streams, id, 1, b"efgh").expect("taken");
        streams.commit(id, &sign(&[], &[id])).expect("whole");
        let id = open(&streams, 8, 4, 1).await.expect("opens");
        send(&streams, id, 1, b"efgh").expect("taken");
        assert!(streams.commit(id, &sign(&[], &[id])).expect_err("half").message.contains("got 1/2 chunks"));
    }

    #[tokio::test]
    async fn starts_are_bounded_checked_and_taken_once() {
        let streams = Streams::default();
        for (total, size) in [(0, 4), (4, 0), (1001, 4)] {
            let made = Start { timestamp: unix_now(), chunks: 1, chunk_size: size, total_size: total, timeout: 0 };
            let signature = sign(&[], &[made.timestamp, 1, size, total, 0]);
            assert!(Streams::check(&made, &signature, 1000).is_err(), "{total} {size}");
        }
        let (good, signature) = start(1000, 1, 0);
        assert_eq!(Streams::check(&good, &signature, 1000), Ok(()));
        // Chunks that nobody could send must not be counted out in memory.
        let many = Start { chunks: u64::MAX, ..good };
        let signature_of_many = sign(&[], &[many.timestamp, many.chunks, 1, 1000, 7]);
        assert!(Streams::check(&many, &signature_of_many, 1000).is_err());
        let old = Start { timestamp: good.timestamp - 301, ..good };
        let signature_of_old = sign(&[], &[old.timestamp, old.chunks, 1, 1000, 7]);
        assert!(Streams::check(&old, &signature_of_old, 1000).expect_err("old").message.contains("too much time"));

        let held = || async { Budget::new(&Limits::default()).put().await.expect("room") };
        streams.open(good, &signature, held().await).expect("opens");
        assert!(streams.open(good, &signature, held().await).expect_err("twice").message.contains("already seen"));
        for salt in 1..MAX_OPEN as u64 {
            open(&streams, 8, 4, salt).await.expect("opens");
        }
        assert!(open(&streams, 8, 4, 99).await.expect_err("one too many").message.contains("already 10 pending"));
    }

    /// `step`: a chunk of a stream of 10 bytes, in its place or another, right, bent or of another length, or the end.
    #[tokio::test]
    async fn fuzz_streams_of_chunks() {
        const PAYLOAD: &[u8] = b"abcdefghij";
        let streams = Streams::default();
        let salt = std::cell::Cell::new(0);
        let seeds = [vec![0, 1, 2, 200], vec![2, 2, 0, 1, 200], vec![0, 16, 1, 2, 200], vec![0, 1, 3, 200]];
        let budget = Budget::new(&Limits { puts: 64, ..Limits::default() });
        holdfast_fuzz::Target::new("streams of chunks", seeds).cases(6000).run(|steps| {
            salt.set(salt.get() + 1);
            let (start, signature) = start(10, 4, salt.get());
            Streams::check(&start, &signature, 1000).expect("a good start");
            let held = futures::executor::block_on(budget.put()).expect("room");
            // As if the start were too long ago to be taken again.
            streams.lock().seen.clear();
            let id = streams.open(start, &signature, held).expect("opens");
            let mut there: [Option<Vec<u8>>; 3] = [None, None, None];
            let mut ended = false;
            for step in steps.iter().take(40) {
                if *step >= 200 {
                    let committed = streams.commit(id, &sign(&[], &[id])).ok().map(|(payload, ..)| payload.to_vec());
                    let whole = there.iter().all(Option::is_some) && !ended;
                    assert_eq!(
                        committed,
                        whole.then(|| there.iter().flatten().flatten().copied().collect()),
                        "{steps:?}"
                    );
                    ended = true;
                    continue;
                }
                let place = usize::from(step & 3);
                let length = PAYLOAD.chunks(4).nth(place).unwrap_or(b"abcd").len();
                let mut chunk = PAYLOAD.chunks(4).nth(place).unwrap_or(b"abcd").to_vec();
                match step & 0x30 {
                    0x10 => chunk[0] ^= 1,
                    0x20 => chunk.push(1),
                    0x30 => drop(chunk.pop()),
                    _ => {}
                }
                let taken = send(&streams, id, place as u64, &chunk).is_ok();
                let may = match there.get(place) {
                    _ if ended => false,
                    None => false,
                    Some(Some(before)) => *before == chunk,
                    Some(None) => chunk.len() == length,
                };
                assert_eq!(taken, may, "{place} of {steps:?}");
                match there.get_mut(place) {
                    Some(Some(_)) => ended |= !taken,
                    Some(empty) if taken => *empty = Some(chunk),
                    _ => {}
                }
            }
            streams.lock().open.remove(&id);
        });
    }

    #[test]
    fn a_payload_in_a_million_chunks_takes_no_memory_for_their_places() {
        let (many, signature) = start(32 << 20, 1, 0);
        let error = Streams::check(&many, &signature, 32 << 20).expect_err("too many chunks");
        assert!(error.message.contains("33554432 chunks"), "{}", error.message);
        let (most, signature) = start(MAX_CHUNKS * 512, 512, 0);
        Streams::check(&most, &signature, 32 << 20).expect("as many as there may be");
    }
}
