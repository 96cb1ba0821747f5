//! Bodies of known length in chunks: cut, and joined again.

use bytes::{Bytes, BytesMut};
use holdfast_proto::MAX_CHUNK_BYTES;

/// The first memory for a body whose length was only announced, as a multiple of its first chunk.
const HEAD_START: usize = 4;

/// Cuts a body into the largest chunks that a peer takes, without copying it.
pub fn chunks(body: Bytes) -> impl Iterator<Item = Bytes> + Send + 'static {
    chunks_of(body, MAX_CHUNK_BYTES)
}

/// Cuts a body into chunks of at most `size` bytes, at least 1 and at most [`MAX_CHUNK_BYTES`], without copying it.
pub fn chunks_of(body: Bytes, size: usize) -> impl Iterator<Item = Bytes> + Send + 'static {
    let (mut rest, size) = (body, size.clamp(1, MAX_CHUNK_BYTES));
    std::iter::from_fn(move || (!rest.is_empty()).then(|| rest.split_to(rest.len().min(size))))
}

/// Why a chunk or an end does not belong to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A chunk without bytes, or with more than a chunk may have.
    #[error("expected chunks of 1 to {MAX_CHUNK_BYTES} bytes, got one of {got}")]
    Chunk {
        /// Its length.
        got: usize,
    },
    /// More bytes than the body has.
    #[error("expected {expected} bytes, got {got} and maybe more")]
    Long {
        /// The body's length.
        expected: usize,
        /// With the chunk that is too much.
        got: usize,
    },
    /// The end before the body's.
    #[error("expected {expected} bytes, got {got}")]
    Short {
        /// The body's length.
        expected: usize,
        /// What came.
        got: usize,
    },
}

/// A body on its way in.
///
/// One that comes in a single chunk is taken as it is; otherwise the chunks are joined, since code and store want them in
/// one piece.
#[derive(Debug)]
pub struct Body {
    expected: usize,
    reserve: bool,
    only: Bytes,
    joined: BytesMut,
}

impl Body {
    /// A body whose length we know ourselves: memory for all of it is taken with the second chunk.
    #[must_use]
    pub fn known(expected: usize) -> Self {
        Self { expected, reserve: true, only: Bytes::new(), joined: BytesMut::new() }
    }

    /// A body whose length a peer has announced: its memory grows with what has come.
    #[must_use]
    pub fn announced(expected: usize) -> Self {
        Self { reserve: false, ..Self::known(expected) }
    }

    /// The bytes that have come.
    #[must_use]
    pub fn received(&self) -> usize {
        self.only.len() + self.joined.len()
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`Misfit::Chunk`] or [`Misfit::Long`]; nothing of that chunk is kept.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Misfit> {
        if chunk.is_empty() || chunk.len() > MAX_CHUNK_BYTES {
            return Err(Misfit::Chunk { got: chunk.len() });
        }
        let got = self.received() + chunk.len();
        if got > self.expected {
            return Err(Misfit::Long { expected: self.expected, got });
        }
        if self.received() == 0 {
            self.only = chunk;
            return Ok(());
        }
        if self.joined.is_empty() {
            let first = std::mem::take(&mut self.only);
            let head_start = first.len().saturating_mul(HEAD_START);
            self.joined.reserve(if self.reserve { self.expected } else { self.expected.min(head_start) });
            self.joined.extend_from_slice(&first);
        }
        self.joined.extend_from_slice(&chunk);
        Ok(())
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`Misfit::Short`].
    pub fn finish(self) -> Result<Bytes, Misfit> {
        let (expected, got) = (self.expected, self.received());
        if got < expected {
            return Err(Misfit::Short { expected, got });
        }
        Ok(if self.joined.is_empty() { self.only } else { self.joined.freeze() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [usize; 6] =
        [0, 1, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 3 * MAX_CHUNK_BYTES + 7];

    #[test]
    fn chunks_share_the_bodys_memory_and_join_to_it() {
        for length in LENGTHS {
            let body: Bytes = (0..length).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
            for size in [100 << 10, MAX_CHUNK_BYTES, usize::MAX] {
                let mut offset = 0;
                let mut parts = [Body::known(length), Body::announced(length)];
                for chunk in chunks_of(body.clone(), size) {
                    assert!(!chunk.is_empty() && chunk.len() <= MAX_CHUNK_BYTES);
                    assert_eq!(chunk.as_ptr(), body[offset..].as_ptr());
                    offset += chunk.len();
                    parts.iter_mut().for_each(|part| part.push(chunk.clone()).expect("fits"));
                }
                assert_eq!(offset, length);
                for part in parts {
                    assert_eq!(part.finish().expect("whole"), body);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_kept() {
        let mut body = Body::announced(10);
        assert_eq!(body.push(Bytes::new()), Err(Misfit::Chunk { got: 0 }));
        let huge = Bytes::from(vec![0; MAX_CHUNK_BYTES + 1]);
        assert_eq!(body.push(huge), Err(Misfit::Chunk { got: MAX_CHUNK_BYTES + 1 }));
        body.push(Bytes::from_static(b"123456")).expect("fits");
        assert_eq!(body.push(Bytes::from_static(b"78901")), Err(Misfit::Long { expected: 10, got: 11 }));
        assert_eq!(body.received(), 6);
        assert_eq!(body.finish(), Err(Misfit::Short { expected: 10, got: 6 }));
    }

    /// `kind | length 2` for each chunk: whatever comes, what is taken is what fits, in its order.
    #[test]
    fn fuzz_chunks_of_a_body() {
        let seeds = [vec![0, 0, 5, 0, 0, 5], vec![0, 255, 255, 0, 0, 0, 1, 0, 0], vec![1, 0, 1, 0, 0, 9]];
        holdfast_fuzz::Target::new("chunks of a body", seeds).memory(1 << 20, 1 << 16).run(|script| {
            for expected in [0, 10, 70_000] {
                for mut body in [Body::known(expected), Body::announced(expected)] {
                    let mut taken = Vec::new();
                    for step in script.as_chunks::<3>().0 {
                        let length = usize::from(u16::from_be_bytes([step[1], step[2]]));
                        let length = if step[0] == 1 { length + MAX_CHUNK_BYTES } else { length };
                        let before = body.received();
                        match body.push(vec![step[0]; length].into()) {
                            Ok(()) => taken.extend(std::iter::repeat_n(step[0], length)),
                            Err(_) => assert_eq!(body.received(), before, "nothing of a chunk that does not fit"),
                        }
                        assert_eq!(body.received(), taken.len());
                        assert!(taken.len() <= expected);
                    }
                    match body.finish() {
                        Ok(whole) => assert!(whole == taken && taken.len() == expected),
                        Err(misfit) => assert_eq!(misfit, Misfit::Short { expected, got: taken.len() }),
                    }
                }
            }
        });
    }

    #[test]
    fn a_length_that_is_only_announced_takes_no_memory() {
        let mut body = Body::announced(1 << 30);
        body.push(Bytes::from_static(b"12")).expect("fits");
        body.push(Bytes::from_static(b"3")).expect("fits");
        assert!(body.joined.capacity() < 1 << 10, "{}", body.joined.capacity());
    }
}
