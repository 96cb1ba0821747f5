// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// What the registry says of a certificate, a checkpoint or a proof. The rules are judged in the order of this list, and
/// the first one that fails is the answer.
///
/// NONE is never returned: what was not judged, a variable that nobody has set and the zeros of a failed call are no
/// verdict. Only OK is good.
enum Status {
    /// No verdict.
    NONE,
    /// Genuine, and acceptable at the time asked for.
    OK,
    /// Not a certificate, checkpoint or proof: wrong length or version, a time off the hourly grid, `wholeUntil` not
    /// zero exactly when the payload digest is, `wholeUntil` past `retainUntil`, an empty payload, a signer at or past
    /// `n`, a count of blobs that is 0 or more than 4096, an index at or past it, or a signature that is the point at
    /// infinity or has a coordinate outside the field.
    MALFORMED,
    /// The registry has no epoch of this number.
    UNKNOWN_EPOCH,
    /// Nobody has published this checkpoint.
    UNKNOWN_CHECKPOINT,
    /// The epoch was cancelled before it was active, which it will never be.
    EPOCH_CANCELLED,
    /// The epoch is not active yet at this time, or the checkpoint was published after it, or the time itself is still
    /// to come.
    NOT_YET,
    /// A successor of the epoch is active, for longer than the registry's overlap.
    EPOCH_CLOSED,
    /// The guardian has revoked the epoch.
    REVOKED,
    /// `k` or `n` is not the epoch's, the payload is longer than the epoch allows, or a signer of a checkpoint is at or
    /// past `n`.
    WRONG_PARAMETERS,
    /// The namespace does not exist at this time.
    UNKNOWN_NAMESPACE,
    /// The members may drop the data sooner than the namespace accepts.
    RETENTION_TOO_SHORT,
    /// Fewer signers than the epoch's threshold.
    BELOW_THRESHOLD,
    /// The signature is not that of these signers on this statement, or is no point of the right subgroup.
    BAD_SIGNATURE,
    /// The path does not lead from this blob to the checkpoint's root.
    NOT_INCLUDED
}
