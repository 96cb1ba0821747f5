// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "./Bls.sol";
import {KeyBlob} from "./KeyBlob.sol";

/// What never changes of an epoch.
struct Parameters {
    uint256 originalShards;
    uint256 totalShards;
    uint256 threshold;
    uint256 maxPayload;
    uint256 activeFrom;
}

/// An epoch's immutable part, as the code of a contract: a head of 32 bytes, then the sum of all keys, then each slot's
/// key negated.
///
/// The head, big-endian: 16 zeros (the first is STOP), originalShards 2, totalShards 2, threshold 2, maxPayload 4,
/// activeFrom 6.
library EpochBlob {
    uint256 private constant HEAD_BYTES = 32;
    /// The most slots: with the aggregate 95 keys, in code of at most 24,576 bytes (EIP-170).
    uint256 internal constant MAX_SLOTS = (24_576 - HEAD_BYTES) / KeyBlob.KEY_BYTES - 1;

    /// A blob with its head, and room for the keys. Every parameter must fit.
    function build(Parameters memory p) internal pure returns (bytes memory blob) {
        blob = new bytes(HEAD_BYTES + (p.totalShards + 1) * KeyBlob.KEY_BYTES);
        uint256 head =
            p.originalShards << 112 | p.totalShards << 96 | p.threshold << 80 | p.maxPayload << 48 | p.activeFrom;
        assembly ("memory-safe") {
            mstore(add(blob, 32), head)
        }
    }

    function setAggregate(bytes memory blob, G2Point memory key) internal pure {
        _write(blob, 0, key);
    }

    function setNegatedKey(bytes memory blob, uint256 slot, G2Point memory key) internal pure {
        _write(blob, slot + 1, key);
    }

    /// The parameters. The blob must be one.
    function parameters(address blob) internal view returns (Parameters memory p) {
        uint256 head = KeyBlob.head(blob);
        p.originalShards = head >> 112;
        p.totalShards = (head >> 96) & 0xffff;
        p.threshold = (head >> 80) & 0xffff;
        p.maxPayload = (head >> 48) & 0xffffffff;
        p.activeFrom = head & 0xffffffffffff;
    }

    /// Copies a slot's key over `key`.
    function readSlot(address blob, uint256 slot, G2Point memory key) internal view {
        KeyBlob.read(blob, HEAD_BYTES + (slot + 1) * KeyBlob.KEY_BYTES, key);
        Bls.negate(key);
    }

    /// The sum of the keys of all slots but those in `missing`, which must all exist.
    function sumWithout(address blob, uint256 missing) internal view returns (G2Point memory) {
        return KeyBlob.sum(blob, HEAD_BYTES, missing);
    }

    function _write(bytes memory blob, uint256 index, G2Point memory key) private pure {
        assembly ("memory-safe") {
            mcopy(add(add(blob, 64), mul(index, 256)), key, 256)
        }
    }
}
