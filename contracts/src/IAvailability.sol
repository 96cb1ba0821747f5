// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "./Openings.sol";
import {Status} from "./Status.sol";

/// What a rollup contract needs of the registry.
///
/// A rollup that calls `verify` in its own commit transaction must also check that the registry is the one it was
/// deployed with, that the certificate's namespace is its own, and that the blob id (or a payload digest that is not
/// zero) is its proof's public input. The same with `verifyInCheckpoint`, where the namespace is bytes 1 to 32 of the
/// proof. A call that *fails* is no verdict: it means that the sender gave too little gas, and must fail the commit too.
interface IAvailability {
    /// Judges a certificate, in the L1 encoding, as of `atTime`: the timestamp of the block that carries it.
    /// For an `atTime` that is not in the future, an answer other than UNKNOWN_EPOCH and UNKNOWN_NAMESPACE never changes.
    /// No certificate makes it revert; too little gas always does. 450,000 is enough for any
    /// certificate of the largest committee, in a namespace whose retention has changed hundreds of times; most need less
    /// than 350,000, and use half of that.
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status);

    /// The part of `verify` that knows no time and no namespace: is this certificate genuine? The answer never changes
    /// once the epoch exists.
    function verifySignature(bytes calldata certificate) external view returns (Status);

    /// Judges a checkpoint, in the L1 encoding, by the rules of `verify`.
    function verifyCheckpoint(bytes calldata checkpoint, uint64 atTime) external view returns (Status);

    /// Judges whether a blob is in a checkpoint that was published, and is still kept for as long as the namespace wants
    /// after `atTime`. That the epoch has closed since does not matter: it was active when the checkpoint was published,
    /// and the members hold what they signed. For an `atTime` that is not in the future, an answer other than
    /// UNKNOWN_CHECKPOINT never changes. No proof makes it revert; too little gas always does.
    function verifyInCheckpoint(bytes32 blobId, bytes calldata proof, uint64 atTime) external view returns (Status);

    /// Whether `leaf` is the leaf of an original shard that begins at payload byte `offset` of the blob with this id.
    ///
    /// A leaf opened by its path alone was *committed*. It counts as payload only if the blob was dispersed by payload
    /// (its payload digest is not zero), whose signers recomputed every root: by shard, a disperser can commit to a root
    /// that no shard of the blob has. In a shard's last leaf, bytes at or past the payload's length are padding.
    ///
    /// `offset` is shard * S + 4096 * number, below the payload's length, where S is the shards' length. `path` is the
    /// leaf's path to the shard's root and then that root's path to `shardsRoot`, each from below. Reverts only for lack
    /// of gas.
    function openPayload(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (bool);
}
