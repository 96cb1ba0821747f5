//! The check of one shard, as its bytes come in.

use bytes::Bytes;

use crate::fingerprint::Fingerprinter;
use crate::{
    commitment::{AcceptedShard, Commitment},
    digest::Digest,
    digest::sha256,
    error::Error,
    merkle,
    parameters::LEAF_BYTES,
    parameters::ShardIndex,
};

/// Checks a shard that comes in chunks of any size: [`push`](Self::push) each, then [`finish`](Self::finish).
///
/// Memory is one leaf, and 32 bytes for each leaf that has come; nothing is allocated for what was only announced.
#[derive(Debug)]
pub struct Acceptor {
    commitment: Commitment,
    index: ShardIndex,
    received: usize,
    /// Bytes of a leaf that is not whole yet.
    partial: Vec<u8>,
    leaf_hashes: Vec<Digest>,
    fingerprinter: Fingerprinter,
}

impl Commitment {
    /// Accepts `shard` as the shard at `index`.
    ///
    /// # Errors
    /// [`Error::ShardIndex`], [`Error::ShardLength`], [`Error::ShardRoot`], or [`Error::Fingerprint`], the last of which only
    /// a lying disperser brings about.
    pub fn accept(&self, index: ShardIndex, shard: Bytes) -> Result<AcceptedShard, Error> {
        let mut acceptor = self.acceptor(index);
        acceptor.push(&shard)?;
        acceptor.finish()?;
        Ok(self.accepted(index, shard))
    }

    /// Accepts a shard that comes in chunks; the caller keeps the chunks.
    pub fn acceptor(&self, index: ShardIndex) -> Acceptor {
        Acceptor::new(self.clone(), index)
    }
}

impl Acceptor {
    pub(crate) fn new(commitment: Commitment, index: ShardIndex) -> Self {
        let fingerprinter = Fingerprinter::new(commitment.points_of_shards());
        Self { commitment, index, received: 0, partial: Vec::new(), leaf_hashes: Vec::new(), fingerprinter }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Error::ShardIndex`] when the commitment has no such shard; [`Error::ShardLength`] as soon as there are more bytes than
    /// the shard has.
    pub fn push(&mut self, mut chunk: &[u8]) -> Result<(), Error> {
        self.commitment.check_index(self.index)?;
        let (expected, got) = (self.commitment.shard_length(), self.received.saturating_add(chunk.len()));
        if got > expected {
            return Err(Error::ShardLength { index: self.index.get(), expected, got });
        }
        self.received = got;
        if !self.partial.is_empty() {
            let (head, rest) = chunk.split_at(chunk.len().min(LEAF_BYTES - self.partial.len()));
            self.partial.extend_from_slice(head);
            chunk = rest;
            if self.partial.len() == LEAF_BYTES {
                let mut leaf = std::mem::take(&mut self.partial);
                self.take(&leaf);
                leaf.clear();
                self.partial = leaf;
            }
        }
        let (leaves, rest) = chunk.split_at(chunk.len() - chunk.len() % LEAF_BYTES);
        self.take(leaves);
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Says whether the bytes pushed are the shard.
    ///
    /// # Errors
    /// [`Error::ShardIndex`], [`Error::ShardLength`] when bytes are missing, [`Error::ShardRoot`], [`Error::Fingerprint`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.commitment.check_index(self.index)?;
        let (index, expected) = (self.index.get(), self.commitment.shard_length());
        if self.received != expected {
            return Err(Error::ShardLength { index, expected, got: self.received });
        }
        let last = std::mem::take(&mut self.partial);
        self.take(&last);
        let (expected, got) = (self.commitment.shard_roots()[self.index.as_usize()], merkle::root(self.leaf_hashes));
        if got != expected {
            return Err(Error::ShardRoot { index, expected, got });
        }
        let (expected, got) = (self.commitment.fingerprints_at(self.index), self.fingerprinter.finish());
        if got != expected {
            return Err(Error::Fingerprint { index, expected: sha256(expected), got: sha256(&got) });
        }
        Ok(())
    }

    /// Hashes and fingerprints whole leaves, or the shard's short last one.
    fn take(&mut self, leaves: &[u8]) {
        // Two leaves at a time, so that the second pass finds the bytes in the first-level cache.
        for two in leaves.chunks(2 * LEAF_BYTES) {
            merkle::push_leaf_hashes(two, &mut self.leaf_hashes);
            self.fingerprinter.update(two);
        }
    }
}
