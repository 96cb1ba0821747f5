// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";

/// Merkle trees of RFC 6962: SHA-256, leaves prefixed 00 and nodes 01, the leaf count not padded. Paths run from the
/// leaf up.
///
/// Lack of gas reverts here and is never an answer.
library Merkle {
    /// The hash of a leaf.
    function leafHash(bytes calldata leaf) internal view returns (bytes32) {
        return _sha256(abi.encodePacked(bytes1(0x00), leaf));
    }

    /// The hash of a leaf of 32 bytes.
    function leafHash(bytes32 leaf) internal view returns (bytes32) {
        return _sha256(abi.encodePacked(bytes1(0x00), leaf));
    }

    /// The hash of a node.
    function nodeHash(bytes32 left, bytes32 right) internal view returns (bytes32) {
        return _sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// The number of hashes in the path of leaf `index` of `count`, where `index < count`.
    function pathLength(uint256 index, uint256 count) internal pure returns (uint256 length) {
        for (uint256 last = count - 1; last != 0; last >>= 1) {
            if (index & 1 == 1 || index < last) ++length;
            index >>= 1;
        }
    }

    /// The root that leaf `index` of `count` leads to by the path, which begins at `path` in the calldata and must have
    /// its exact length.
    function climb(bytes32 hash, uint256 index, uint256 count, uint256 path) internal view returns (bytes32) {
        for (uint256 last = count - 1; last != 0; last >>= 1) {
            // A node without a right neighbour is the last of an odd level, and moves up as it is.
            if (index & 1 == 1 || index < last) {
                bytes32 sibling;
                assembly ("memory-safe") {
                    sibling := calldataload(path)
                }
                hash = index & 1 == 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
                path += 32;
            }
            index >>= 1;
        }
        return hash;
    }

    function _sha256(bytes memory input) private view returns (bytes32 hash) {
        uint256 ok;
        assembly ("memory-safe") {
            ok := staticcall(gas(), 0x02, add(input, 32), mload(input), 0x00, 32)
            hash := mload(0x00)
            // The input was the last thing allocated and is of no further use.
            mstore(0x40, input)
        }
        if (ok == 0) revert IAvailability.HashFailed();
    }
}
