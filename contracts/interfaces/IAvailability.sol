// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

import {Blob} from "./Blob.sol";
import {Status} from "./Status.sol";

/// What a rollup contract needs of the registry: is this data available, and which data is it?
///
/// # Three shapes
///
/// - `require...` for a commit: it reverts unless all is well, and returns what was certified. A rollup compares that with
///   its proof's public input; examples/ExampleRollup.sol is a whole one.
/// - `judge...` for a contract that goes on after a bad certificate: it returns the status, and what was certified if
///   that is OK and zeros if not.
/// - `verify...` for replay and fraud proofs: it judges as of a time that has passed, the timestamp of the block that
///   carried the certificate. An answer other than UNKNOWN_EPOCH, UNKNOWN_NAMESPACE, UNKNOWN_CHECKPOINT and NOT_YET
///   never changes. A time to come is NOT_YET: nobody knows yet what will be good then.
///
/// # A call that fails is no verdict
///
/// No bytes of a certificate, checkpoint or proof make a `judge...` or `verify...` revert. Too little gas always does
/// (`InsufficientGas`, `HashFailed`, or without a reason), and so does a chain whose precompiles fail or have become
/// dearer than the registry pays for (`PrecompileFailed`). It must fail the caller too. 400,000 gas is enough for any
/// certificate of the largest committee, in a namespace whose retention has changed hundreds of times; a good one by
/// shard, signed by all, needs less than 250,000 and uses half of that.
///
/// # Events
///
/// Anybody publishes whatever is good, and as often as they like: an event says that a certificate was good in its
/// block, not that anybody relies on it.
interface IAvailability {
    /// A certificate was good in the block of this event.
    /// @param blobId The blob's id.
    /// @param namespace The namespace that it is certified for.
    /// @param payloadDigest keccak256 of the payload; zero if it was dispersed by shard.
    /// @param publisher Who called.
    /// @param statementDigest The EIP-712 digest that the members signed; one statement has many certificates.
    /// @param epoch The committee's epoch.
    /// @param retainUntil Second until which the signers hold the blob.
    event Published(
        bytes32 indexed blobId,
        bytes32 indexed namespace,
        bytes32 indexed payloadDigest,
        address publisher,
        bytes32 statementDigest,
        uint64 epoch,
        uint64 retainUntil
    );
    /// A checkpoint was good in the block of this event.
    /// @param checkpointId The EIP-712 digest that the members signed.
    /// @param namespace The namespace of all its blobs.
    /// @param blobsRoot Root of the tree over the blobs' ids.
    /// @param publisher Who called.
    /// @param epoch The committee's epoch.
    /// @param count How many blobs it is over.
    /// @param retainUntil Second until which the signers hold every one of them.
    event CheckpointPublished(
        bytes32 indexed checkpointId,
        bytes32 indexed namespace,
        bytes32 indexed blobsRoot,
        address publisher,
        uint64 epoch,
        uint32 count,
        uint64 retainUntil
    );

    /// The certificate, checkpoint or proof is not good in this block.
    error NotAvailable(Status status);
    /// It is good, in another namespace than the one asked for.
    error WrongNamespace(bytes32 namespace);
    /// Too little gas was sent to let the signature be judged.
    error InsufficientGas();
    /// SHA-256 failed, for which lack of gas is the only reason.
    error HashFailed();
    /// A precompile failed on valid input: this chain does not have EIP-2537, or asks more gas for it than the registry
    /// pays.
    error PrecompileFailed();

    /// Whether a certificate is good in this block, and what it certifies.
    /// Reverts for lack of gas alone.
    /// @param certificate A certificate in the L1 encoding.
    /// @return status OK, or the first rule that it breaks.
    /// @return namespace The namespace that it is certified for; zero unless the status is OK, as all that follows.
    /// @return blobId The blob's id.
    /// @return payloadDigest keccak256 of the payload; zero if it was dispersed by shard.
    function judge(bytes calldata certificate)
        external
        view
        returns (Status status, bytes32 namespace, bytes32 blobId, bytes32 payloadDigest);

    /// What a certificate certifies that is good in this block.
    /// Reverts with NotAvailable if it is not good, with WrongNamespace if it is for another namespace, and for lack of
    /// gas.
    /// @param certificate A certificate in the L1 encoding.
    /// @param namespace The caller's own namespace.
    /// @return blobId The blob's id.
    /// @return payloadDigest keccak256 of the payload; zero if it was dispersed by shard.
    function requireAvailable(bytes calldata certificate, bytes32 namespace)
        external
        view
        returns (bytes32 blobId, bytes32 payloadDigest);

    /// Whether a certificate was good at a time that has passed, or is in this block.
    /// Reverts for lack of gas alone.
    /// @param certificate A certificate in the L1 encoding.
    /// @param atTime The timestamp of the block that carried it. Later than this block's: NOT_YET.
    /// @return status OK, or the first rule that it breaks.
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status status);

    /// The part of `verify` that knows no namespace and no end: is this certificate genuine? OK stays OK, whatever
    /// becomes of the epoch.
    /// Reverts for lack of gas alone.
    /// @param certificate A certificate in the L1 encoding.
    /// @return status OK, MALFORMED, UNKNOWN_EPOCH, EPOCH_CANCELLED, NOT_YET before the epoch is active,
    /// WRONG_PARAMETERS, BELOW_THRESHOLD or BAD_SIGNATURE.
    function verifySignature(bytes calldata certificate) external view returns (Status status);

    /// Emits Published if the certificate is good in this block. Nothing is stored.
    /// Reverts with NotAvailable if it is not good, and for lack of gas.
    /// @param certificate A certificate in the L1 encoding.
    /// @return blobId The blob's id.
    function publish(bytes calldata certificate) external returns (bytes32 blobId);

    /// Whether a checkpoint is good in this block, and what it certifies. The rules are those of certificates.
    /// Reverts for lack of gas alone.
    /// @param checkpoint A checkpoint in the L1 encoding.
    /// @return status OK, or the first rule that it breaks.
    /// @return namespace The namespace of all its blobs; zero unless the status is OK, as all that follows.
    /// @return checkpointId The EIP-712 digest that the members signed.
    /// @return blobsRoot Root of the tree over the blobs' ids.
    function judgeCheckpoint(bytes calldata checkpoint)
        external
        view
        returns (Status status, bytes32 namespace, bytes32 checkpointId, bytes32 blobsRoot);

    /// Whether a checkpoint was good at a time that has passed, or is in this block.
    /// Reverts for lack of gas alone.
    /// @param checkpoint A checkpoint in the L1 encoding.
    /// @param atTime The time. Later than this block's: NOT_YET.
    /// @return status OK, or the first rule that it breaks.
    function verifyCheckpoint(bytes calldata checkpoint, uint64 atTime) external view returns (Status status);

    /// Emits CheckpointPublished if the checkpoint is good in this block. From then on proofs that a blob is in it count.
    /// The first publication stays: what was said of the time since must stand.
    /// Reverts with NotAvailable if it is not good, and for lack of gas.
    /// @param checkpoint A checkpoint in the L1 encoding.
    /// @return checkpointId The EIP-712 digest that the members signed.
    function publishCheckpoint(bytes calldata checkpoint) external returns (bytes32 checkpointId);

    /// When a checkpoint was first published.
    /// @param checkpointId The checkpoint's id.
    /// @return time The second; 0 if it never was.
    function checkpointPublishedAt(bytes32 checkpointId) external view returns (uint64 time);

    /// Whether a blob is in a checkpoint that was published, and is still kept for as long as the namespace wants after
    /// this block. That the epoch has closed since does not matter: it was judged when the checkpoint was published, and
    /// the members hold what they signed.
    /// Reverts for lack of gas alone.
    /// @param blobId The blob's id.
    /// @param proof The checkpoint's head, the blob's index and its path.
    /// @return status OK, or the first rule that it breaks.
    /// @return namespace The checkpoint's namespace; zero unless the status is OK.
    function judgeInCheckpoint(bytes32 blobId, bytes calldata proof)
        external
        view
        returns (Status status, bytes32 namespace);

    /// As `judgeInCheckpoint`, or it reverts.
    /// Reverts with NotAvailable if the answer is not OK, with WrongNamespace if the checkpoint is of another namespace,
    /// and for lack of gas.
    /// @param blobId The blob's id.
    /// @param proof The checkpoint's head, the blob's index and its path.
    /// @param namespace The caller's own namespace.
    function requireInCheckpoint(bytes32 blobId, bytes calldata proof, bytes32 namespace) external view;

    /// As `judgeInCheckpoint`, as of a time that has passed or of this block.
    /// Reverts for lack of gas alone.
    /// @param blobId The blob's id.
    /// @param proof The checkpoint's head, the blob's index and its path.
    /// @param atTime The timestamp of the block that carried the proof. Later than this block's: NOT_YET.
    /// @return status OK, or the first rule that it breaks.
    function verifyInCheckpoint(bytes32 blobId, bytes calldata proof, uint64 atTime)
        external
        view
        returns (Status status);

    /// How many bytes of a leaf are payload of a blob that was dispersed by payload: the bytes of the payload from
    /// `offset` on are the leaf's first ones, and what is behind them is padding. Always 0 for a blob by shard, see
    /// `openCommittedLeaf`.
    /// Reverts for lack of gas alone.
    /// @param blobId The blob's id.
    /// @param blob What it is the id of.
    /// @param offset Where in the payload the leaf begins: shard * S + 4096 * number, where S is the shards' length.
    /// @param leaf The leaf: 4096 bytes, or fewer at the end of a shard.
    /// @param path The leaf's path to its shard's root and then that root's path to `shardsRoot`, each from below.
    /// @return payloadBytes At least 1; 0 if the leaf is not that of the blob at this offset.
    function openPayload(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (uint256 payloadBytes);

    /// As `openPayload`, of any blob, and only that the leaf was *committed* at the place where the payload has these
    /// bytes. Of a blob by shard that is no payload: a disperser can commit there to a root that no shard of the blob
    /// has, and all readers get other bytes.
    /// Reverts for lack of gas alone.
    /// @param blobId The blob's id.
    /// @param blob What it is the id of.
    /// @param offset Where in the payload the leaf would begin.
    /// @param leaf The leaf.
    /// @param path The path, as in `openPayload`.
    /// @return payloadBytes How many bytes of the leaf stand before the payload's end; 0 if it was not committed there.
    function openCommittedLeaf(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (uint256 payloadBytes);
}
