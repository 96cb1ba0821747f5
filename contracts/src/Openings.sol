// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {Certificates} from "./Certificates.sol";
import {Merkle} from "./Merkle.sol";

/// Single leaves of original shards, proven against a blob id.
library Openings {
    /// Bytes of a leaf; the last one of a shard may be shorter.
    uint256 internal constant LEAF_BYTES = 4096;
    /// A shard is a whole number of groups of this many bytes.
    uint256 internal constant GROUP_BYTES = 128;

    /// The blob's id.
    function id(Blob calldata blob) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                Certificates.BLOB_TYPEHASH,
                blob.payloadLength,
                blob.payloadDigest,
                blob.originalShards,
                blob.totalShards,
                blob.shardsRoot,
                blob.fingerprintsHash
            )
        );
    }

    /// How many bytes of a leaf that begins at payload byte `offset` stand before the payload's end, if it was committed
    /// there; 0 if not. See `IAvailability.openCommittedLeaf`.
    function committedBytes(Blob calldata blob, uint256 offset, bytes calldata leaf, bytes32[] calldata path)
        internal
        view
        returns (uint256)
    {
        (uint256 k, uint256 n) = (blob.originalShards, blob.totalShards);
        if (k == 0 || k >= n || offset >= blob.payloadLength) return 0;
        // The payload is cut into k shards, each padded to whole groups.
        uint256 shardLength = ((blob.payloadLength + k - 1) / k + GROUP_BYTES - 1) / GROUP_BYTES * GROUP_BYTES;
        // Below k, since the offset is in the payload.
        uint256 shard = offset / shardLength;
        uint256 inShard = offset % shardLength;
        if (inShard % LEAF_BYTES != 0) return 0;
        uint256 left = shardLength - inShard;
        if (leaf.length != (left < LEAF_BYTES ? left : LEAF_BYTES)) return 0;

        (uint256 number, uint256 leaves) = (inShard / LEAF_BYTES, (shardLength + LEAF_BYTES - 1) / LEAF_BYTES);
        uint256 toShardRoot = Merkle.pathLength(number, leaves);
        if (path.length != toShardRoot + Merkle.pathLength(shard, n)) return 0;
        uint256 from;
        assembly ("memory-safe") {
            from := path.offset
        }
        bytes32 shardRoot = Merkle.climb(Merkle.leafHash(leaf), number, leaves, from);
        bytes32 root = Merkle.climb(Merkle.leafHash(shardRoot), shard, n, from + 32 * toShardRoot);
        if (root != blob.shardsRoot) return 0;
        left = blob.payloadLength - offset;
        return left < leaf.length ? left : leaf.length;
    }
}
