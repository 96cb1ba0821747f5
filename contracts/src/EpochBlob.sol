// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point, SignatureCheck} from "./Bls.sol";
import {KeyBlob} from "./KeyBlob.sol";

/// What never changes of an epoch, in one word: originalShards 16 bits from bit 112, totalShards 16 from 96, threshold 16
/// from 80, maxPayload 32 from 48, activeFrom 48 from 0.
type Parameters is uint256;

using ParameterFields for Parameters global;

/// Reads the parts of an epoch's parameters.
library ParameterFields {
    function originalShards(Parameters p) internal pure returns (uint256) {
        return Parameters.unwrap(p) >> 112;
    }

    function totalShards(Parameters p) internal pure returns (uint256) {
        return (Parameters.unwrap(p) >> 96) & 0xffff;
    }

    /// Original and total shards, as in a certificate: 16 bits each.
    function shards(Parameters p) internal pure returns (uint256) {
        return Parameters.unwrap(p) >> 96;
    }

    function threshold(Parameters p) internal pure returns (uint256) {
        return (Parameters.unwrap(p) >> 80) & 0xffff;
    }

    function maxPayload(Parameters p) internal pure returns (uint256) {
        return (Parameters.unwrap(p) >> 48) & 0xffffffff;
    }

    function activeFrom(Parameters p) internal pure returns (uint256) {
        return Parameters.unwrap(p) & 0xffffffffffff;
    }
}

/// An epoch's immutable part, as the code of a contract: a head of 32 bytes, then the sum of all keys, then each slot's
/// key negated. The head is the parameters; its first byte is 00 (STOP).
library EpochBlob {
    uint256 private constant HEAD_BYTES = 32;
    /// The most slots: with the aggregate 95 keys, in code of at most 24,576 bytes (EIP-170).
    uint256 internal constant MAX_SLOTS = (24_576 - HEAD_BYTES) / KeyBlob.KEY_BYTES - 1;

    /// A blob with its head, and room for the keys. Every parameter must fit.
    function build(
        uint256 originalShards,
        uint256 totalShards,
        uint256 threshold,
        uint256 maxPayload,
        uint256 activeFrom
    ) internal pure returns (bytes memory blob) {
        blob = new bytes(HEAD_BYTES + (totalShards + 1) * KeyBlob.KEY_BYTES);
        uint256 head = originalShards << 112 | totalShards << 96 | threshold << 80 | maxPayload << 48 | activeFrom;
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
    function parameters(address blob) internal view returns (Parameters p) {
        assembly ("memory-safe") {
            extcodecopy(blob, 0x00, 0, 32)
            p := mload(0x00)
        }
    }

    /// The parameters, while the sum of all keys is made the key of a check.
    function load(address blob, SignatureCheck check) internal view returns (Parameters p) {
        assembly ("memory-safe") {
            // The head comes to stand where the hash is written later.
            extcodecopy(blob, add(check, 0x1e0), 0, 288)
            p := mload(add(check, 0x1e0))
        }
    }

    /// Takes the keys of the slots in `missing`, which must all exist, from the key of a check. Returns how many they are.
    function subtract(address blob, SignatureCheck check, uint256 missing) internal view returns (uint256 count) {
        assembly ("memory-safe") {
            // What the precompile reads: the sum so far, which it replaces, and the next key. Points of the curve: it
            // fails for lack of gas alone, see Bls.
            let sum := add(check, 0x200)
            let next := add(check, 0x300)
            for {} missing { count := add(count, 1) } {
                // Slots of signers are not even looked at: the lowest bit is 2^i, and i modulo 28 is known from its
                // remainder modulo 29, of which 2 is a primitive root. Then for each 28 slots that it is past, 28 more.
                let lowest := and(missing, sub(0, missing))
                missing := xor(missing, lowest)
                let slot := byte(mod(lowest, 29), 0x000001050216060c030a171907120d1b04150b0918111a140810130f0e000000)
                let past := add(add(gt(lowest, 0xfffffff), gt(lowest, 0xffffffffffffff)), gt(lowest, 0xfffffffffffffffffffff))
                // Head, aggregate, and the slots before it.
                extcodecopy(blob, next, add(288, shl(8, add(slot, mul(past, 28)))), 256)
                pop(staticcall(gas(), 0x0d, sum, 512, sum, 256))
            }
        }
    }

    /// Copies a slot's key over `key`.
    function readSlot(address blob, uint256 slot, G2Point memory key) internal view {
        KeyBlob.read(blob, HEAD_BYTES + (slot + 1) * KeyBlob.KEY_BYTES, key);
        Bls.negate(key);
    }

    function _write(bytes memory blob, uint256 index, G2Point memory key) private pure {
        assembly ("memory-safe") {
            mcopy(add(add(blob, 64), mul(index, 256)), key, 256)
        }
    }
}
