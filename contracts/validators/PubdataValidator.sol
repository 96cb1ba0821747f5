// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {IPubdataValidator, L1DAValidatorOutput} from "./IPubdataValidator.sol";

/// Holdfast as the data availability of one chain of the ZK Stack, for its commitment scheme `PubdataKeccak256`: a batch is
/// committed only with a certificate of its pubdata, or with a proof that the pubdata is in a published checkpoint.
///
/// `operatorDAInput` is `stateDiffHash 32 | kind 1 |` and by kind
///
/// - `01`: a certificate in the L1 encoding.
/// - `02`: `payloadLength 4 | payloadDigest 32 | originalShards 2 | totalShards 2 | shardsRoot 32 | fingerprintsHash 32`,
///   the blob, and a proof that it is in a checkpoint (protocol section 4).
///
/// # What is available is what was executed
///
/// The chain's own side commits to `keccak256(stateDiffHash | keccak256(pubdata))`. That digest must be the one that the
/// members have hashed themselves, so only blobs by payload count: by shard it is zero, and nobody's keccak256.
///
/// # Judged once
///
/// In the block that commits the batch, with the namespace's minimum retention: what expires later does not undo it.
contract PubdataValidator is IPubdataValidator {
    uint8 private constant CERTIFIED = 1;
    uint8 private constant IN_CHECKPOINT = 2;
    /// Where the kind stands.
    uint256 private constant KIND = 32;
    /// The bytes of a blob.
    uint256 private constant BLOB_BYTES = 104;

    bytes32 private constant BLOB_TYPEHASH = keccak256(
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );

    /// Whose certificates these are.
    IAvailability public immutable registry;
    /// The chain's namespace.
    bytes32 public immutable namespace;

    /// The input is too short, or of an unknown kind.
    error BadInput();
    /// What is available is not what the chain has committed to.
    error OtherPubdata(bytes32 payloadDigest);

    constructor(IAvailability registry_, bytes32 namespace_) {
        registry = registry_;
        namespace = namespace_;
    }

    /// Reverts with BadInput, OtherPubdata, and as `requireAvailable` and `requireInCheckpoint` of the registry do.
    /// @inheritdoc IPubdataValidator
    function checkDA(
        uint256,
        uint256,
        bytes32 l2DAValidatorOutputHash,
        bytes calldata operatorDAInput,
        uint256 maxBlobsSupported
    ) external view returns (L1DAValidatorOutput memory output) {
        if (operatorDAInput.length <= KIND) revert BadInput();
        output.stateDiffHash = bytes32(operatorDAInput[0:32]);
        bytes32 digest = _available(uint8(operatorDAInput[KIND]), operatorDAInput[KIND + 1:]);
        // A digest of zero is a blob by shard. That zero could be some keccak256 is no matter then.
        bool same = l2DAValidatorOutputHash == keccak256(abi.encodePacked(output.stateDiffHash, digest));
        if (digest == 0 || !same) revert OtherPubdata(digest);
        // Nothing of this batch is in blobs.
        output.blobsLinearHashes = new bytes32[](maxBlobsSupported);
        output.blobsOpeningCommitments = new bytes32[](maxBlobsSupported);
    }

    /// The digest of a payload that is available in this block.
    function _available(uint8 kind, bytes calldata given) private view returns (bytes32 digest) {
        if (kind == CERTIFIED) {
            (, digest) = registry.requireAvailable(given, namespace);
        } else if (kind == IN_CHECKPOINT && given.length >= BLOB_BYTES) {
            Blob memory blob = Blob({
                payloadLength: uint32(bytes4(given[0:4])),
                payloadDigest: bytes32(given[4:36]),
                originalShards: uint16(bytes2(given[36:38])),
                totalShards: uint16(bytes2(given[38:40])),
                shardsRoot: bytes32(given[40:72]),
                fingerprintsHash: bytes32(given[72:104])
            });
            registry.requireInCheckpoint(keccak256(abi.encode(BLOB_TYPEHASH, blob)), given[BLOB_BYTES:], namespace);
            digest = blob.payloadDigest;
        } else {
            revert BadInput();
        }
    }
}
