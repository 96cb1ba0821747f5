use std::time::Duration;

/// How a member misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Not at all.
    None,
    /// Takes every request and never answers.
    Silent,
    /// Answers after a while.
    Slow(Duration),
    /// Stores nothing, since another epoch is active by its clock.
    OtherEpoch,
    /// Refuses every write, with the reason of a member whose disk failed.
    WritesDisabled,
    /// Signs with a key that is not its own.
    WrongKey,
    /// Signs another statement.
    Equivocate,
    /// Attests for another slot.
    WrongSlot,
    /// Sends bytes that are no signature.
    GarbageSignature,
    /// Answers a write without an attestation.
    NoAttestation,
    /// Changes one bit of what it gives out.
    BitFlip,
    /// Gives out the shard of another position.
    OtherShard,
    /// Never stops sending.
    Endless,
    /// Sends empty chunks for ever.
    EmptyChunks,
    /// Stops in the middle and ends the stream.
    Truncate,
    /// Stops in the middle and keeps the stream open.
    Stall,
    /// Gives the commitment of another blob.
    OtherCommitment,
    /// Gives the blob asked for with shard roots that are not its own.
    WrongRoots,
    /// Says that it never stored anything.
    Denies,
    /// Says that everything has expired.
    SaysExpired,
    /// Gives a blob's metadata, and says that its data has expired: what an honest member says when the time is over.
    DataExpired,
    /// Says that the whole payload has expired, and never answers for its shard.
    WholeExpired,
    /// Sends a byte now and then, and never enough.
    Drip,
    /// Refuses reads with a long text of control characters and letters that turn the direction of writing.
    Shouts,
    /// Refuses reads with a text that is longer than headers may be.
    Giant,
    /// Says that its copy is damaged.
    Damaged,
    /// Says that it keeps every payload whole for ever, and never gives one out.
    KeepsWaiting,
    /// Gives a blob's metadata with hundreds of thousands of empty statements.
    Bloated,
    /// Lists a hundred blobs that nobody has before those that it has.
    ListsNoise,
}
