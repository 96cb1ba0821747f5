// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// A blob, whose EIP-712 `hashStruct` is the blob id.
struct Blob {
    /// Bytes of the payload.
    uint32 payloadLength;
    /// keccak256 of the payload if it was dispersed by payload; zero if by shard.
    bytes32 payloadDigest;
    /// `k`: shards that the payload is cut into.
    uint16 originalShards;
    /// `n`: shards with those that were added.
    uint16 totalShards;
    /// Root of the tree over the shards' roots.
    bytes32 shardsRoot;
    /// SHA-256 of the original shards' fingerprints.
    bytes32 fingerprintsHash;
}
