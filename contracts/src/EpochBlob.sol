// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEpochs} from "../interfaces/IEpochs.sol";
import {Bls, G2Point} from "./Bls.sol";
import {CHECK_KEY, CHECK_NEXT_KEY, SignatureCheck} from "./SignatureCheck.sol";

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

/// An epoch's immutable part, as the code of a contract that does nothing: a head of 32 bytes, then the sum of all keys,
/// then each slot's key negated. The head is the parameters; its first byte is 00 (STOP). Code costs a fraction of storage
/// to write, is copied to memory in one instruction, and can never change.
library EpochBlob {
    uint256 private constant HEAD_BYTES = 32;
    uint256 private constant KEY_BYTES = 256;

    /// A blob with its head, and room for the keys. Every parameter must fit.
    function build(
        uint256 originalShards,
        uint256 totalShards,
        uint256 threshold,
        uint256 maxPayload,
        uint256 activeFrom
    ) internal pure returns (bytes memory blob) {
        blob = new bytes(HEAD_BYTES + (totalShards + 1) * KEY_BYTES);
        uint256 head = originalShards << 112 | totalShards << 96 | threshold << 80 | maxPayload << 48 | activeFrom;
        assembly ("memory-safe") {
            mstore(add(blob, 32), head)
        }
    }

    /// Creates the contract whose code this is.
    function create(bytes memory blob) internal returns (address created) {
        // PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: ten bytes that return what follows them.
        bytes memory initcode = abi.encodePacked(hex"61", uint16(blob.length), hex"80600a5f395ff3", blob);
        assembly ("memory-safe") {
            created := create(0, add(initcode, 32), mload(initcode))
        }
        if (created == address(0)) revert IEpochs.CreateFailed();
    }

    /// Writes the sum of all keys.
    function setAggregate(bytes memory blob, G2Point memory key) internal pure {
        _write(blob, 0, key);
    }

    /// Writes a slot's key, negated already.
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
            // The head comes to stand in the word before the key, which is the hash's and written later.
            let place := add(check, sub(CHECK_KEY, 32))
            extcodecopy(blob, place, 0, 288)
            p := mload(place)
        }
    }

    /// Takes the keys of the slots in `missing`, which must all exist, from the key of a check. Returns how many they are.
    function subtract(address blob, SignatureCheck check, uint256 missing) internal view returns (uint256 count) {
        assembly ("memory-safe") {
            // What the precompile reads: the sum so far, which it replaces, and the next key. Points of the curve: it
            // fails for lack of gas alone, see Bls.
            let sum := add(check, CHECK_KEY)
            let next := add(check, CHECK_NEXT_KEY)
            for {} missing { count := add(count, 1) } {
                // Slots of signers are not even looked at. The lowest bit is 2^slot: slot modulo 28 is known from its
                // remainder modulo 29, of which 2 is a primitive root, and slot modulo 5 from its remainder modulo 31, where
                // 2 has the order 5. The tables hold 85 and 56 times those, modulo 140: together, slot modulo 140.
                let lowest := and(missing, sub(0, missing))
                missing := xor(missing, lowest)
                let slot :=
                    mod(
                        add(
                            byte(mod(lowest, 29), 0x000055051e325a28730a871923827d373c695f41502d6e1478644b0f46000000),
                            byte(mod(lowest, 31), 0x00003800700000001c0000000000000054000000000000000000000000000000)
                        ),
                        140
                    )
                // Head, aggregate, and the slots before it.
                extcodecopy(blob, next, add(288, shl(8, slot)), 256)
                pop(staticcall(gas(), 0x0d, sum, 512, sum, 256))
            }
        }
    }

    /// Copies a slot's key over `key`.
    function readSlot(address blob, uint256 slot, G2Point memory key) internal view {
        uint256 offset = HEAD_BYTES + (slot + 1) * KEY_BYTES;
        assembly ("memory-safe") {
            extcodecopy(blob, key, offset, 256)
        }
        Bls.negate(key);
    }

    function _write(bytes memory blob, uint256 index, G2Point memory key) private pure {
        assembly ("memory-safe") {
            mcopy(add(add(blob, 64), mul(index, 256)), key, 256)
        }
    }
}
