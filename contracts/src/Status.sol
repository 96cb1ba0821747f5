// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What the registry says of a certificate or checkpoint. The rules are judged in the order of this list, and the first
/// one that fails is the answer; those after BAD_SIGNATURE stand last so that the numbers before them never move:
/// UNKNOWN_NAMESPACE is judged between WRONG_PARAMETERS and RETENTION_TOO_SHORT, UNKNOWN_CHECKPOINT after MALFORMED.
enum Status {
    /// Genuine, and acceptable at the time asked for.
    OK,
    /// Not a certificate, checkpoint or proof: wrong length or version, a time off the hourly grid, `wholeUntil` not zero exactly when the
    /// payload digest is, `wholeUntil` past `retainUntil`, an empty payload, a signer at or past `n`, or a signature
    /// that is the point at infinity or has a coordinate outside the field.
    MALFORMED,
    /// The registry has no epoch of this number.
    UNKNOWN_EPOCH,
    /// The epoch is not active yet, or was cancelled and never will be. Of a blob in a checkpoint: the checkpoint was
    /// published after the time asked for.
    NOT_YET,
    /// A successor of the epoch is active.
    EPOCH_CLOSED,
    /// The guardian has revoked the epoch.
    REVOKED,
    /// `k` or `n` is not the epoch's, the payload is longer than the epoch allows, or a signer of a checkpoint is at or
    /// past `n`.
    WRONG_PARAMETERS,
    /// The members may drop the data sooner than the namespace accepts.
    RETENTION_TOO_SHORT,
    /// Fewer signers than the epoch's threshold.
    BELOW_THRESHOLD,
    /// The signature is not that of these signers on this statement, or is no point of the right subgroup.
    BAD_SIGNATURE,
    /// The namespace does not exist at this time.
    UNKNOWN_NAMESPACE,
    /// Nobody has published this checkpoint.
    UNKNOWN_CHECKPOINT,
    /// The path does not lead from this blob to the checkpoint's root.
    NOT_INCLUDED
}
