// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls} from "./Bls.sol";
import {Certificates} from "./Certificates.sol";
import {Merkle} from "./Merkle.sol";

/// A checkpoint's fields, as EIP-712 encodes them behind the hash of their type.
struct Checkpoint {
    bytes32 checkpointType;
    bytes32 namespace;
    uint256 epoch;
    bytes32 blobsRoot;
    uint256 count;
    uint256 retainUntil;
}

/// The L1 encoding of checkpoints, and of the proof that a blob is in one.
///
/// Head (big-endian, 85 bytes): 0 kind (c1), 1 namespace 32, 33 epoch 8, 41 blobsRoot 32, 73 count 4, 77 retainUntil 8.
/// Checkpoint: head, 85 signers 32, 117 signature 128.
/// Proof: head, 85 index 4, 89 path, 32 each.
library Checkpoints {
    bytes32 internal constant CHECKPOINT_TYPEHASH =
        keccak256("Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)");
    /// Bytes of a checkpoint.
    uint256 internal constant LENGTH = 245;
    /// The most blobs of a checkpoint.
    uint256 internal constant MAX_BLOBS = 4096;

    uint256 private constant KIND = 0xc1;
    uint256 private constant PATH_OFFSET = 89;

    /// Reads a checkpoint and checks all that can be checked of it alone. `signature` is where in the calldata it stands.
    function decode(bytes calldata encoded)
        internal
        pure
        returns (bool wellFormed, Checkpoint memory c, uint256 signers, uint256 signature)
    {
        if (encoded.length != LENGTH) return (false, c, 0, 0);
        assembly ("memory-safe") {
            signers := calldataload(add(encoded.offset, 85))
            signature := add(encoded.offset, 117)
        }
        (wellFormed, c) = _head(encoded);
        wellFormed = wellFormed && Bls.isCanonical(signature);
    }

    /// Reads a proof and checks all that can be checked of it alone.
    function decodeProof(bytes calldata proof)
        internal
        pure
        returns (bool wellFormed, Checkpoint memory c, uint256 index)
    {
        if (proof.length < PATH_OFFSET) return (false, c, 0);
        (wellFormed, c) = _head(proof);
        assembly ("memory-safe") {
            index := shr(224, calldataload(add(proof.offset, 85)))
        }
        wellFormed = wellFormed && index < c.count
            && proof.length == PATH_OFFSET + 32 * Merkle.pathLength(index, c.count);
    }

    /// Whether the path of a well-formed proof leads from the blob to the checkpoint's root.
    function isIncluded(Checkpoint memory c, bytes32 blobId, uint256 index, bytes calldata proof)
        internal
        view
        returns (bool)
    {
        uint256 path;
        assembly ("memory-safe") {
            path := add(proof.offset, PATH_OFFSET)
        }
        return Merkle.climb(Merkle.leafHash(blobId), index, c.count, path) == c.blobsRoot;
    }

    /// The checkpoint's id: the digest that the members signed, EIP-712 over the Checkpoint.
    function id(Checkpoint memory c, bytes32 separator) internal pure returns (bytes32) {
        bytes32 structHash;
        uint256 free;
        assembly ("memory-safe") {
            structHash := keccak256(c, 0x0c0)
            free := mload(0x40)
        }
        return Certificates.typedDigest(separator, structHash, free);
    }

    function _head(bytes calldata encoded) private pure returns (bool wellFormed, Checkpoint memory c) {
        uint256 kind;
        c.checkpointType = CHECKPOINT_TYPEHASH;
        assembly ("memory-safe") {
            let from := encoded.offset
            kind := byte(0, calldataload(from))
            mstore(add(c, 0x20), calldataload(add(from, 1))) // namespace
            mstore(add(c, 0x40), shr(192, calldataload(add(from, 33)))) // epoch
            mstore(add(c, 0x60), calldataload(add(from, 41))) // blobsRoot
            let word := calldataload(add(from, 73))
            mstore(add(c, 0x80), shr(224, word)) // count
            mstore(add(c, 0xa0), and(shr(160, word), 0xffffffffffffffff)) // retainUntil
        }
        wellFormed =
            kind == KIND && c.count != 0 && c.count <= MAX_BLOBS && c.retainUntil % Certificates.HOUR == 0;
    }
}
