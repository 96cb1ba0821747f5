// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Memory for one check of a signature, given by its address: what the pairing reads, with each part written where it is
/// read, and room behind it. The constants say where each part begins, counted from there. Tests hold them against each
/// other and against what is written.
type SignatureCheck is uint256;

// The signature: a point of G1.
uint256 constant CHECK_SIGNATURE = 0x000;
// Minus the generator of G2.
uint256 constant CHECK_GENERATOR = 0x080;
// The hash of the message: a point of G1.
uint256 constant CHECK_HASH = 0x180;
// The key: a point of G2.
uint256 constant CHECK_KEY = 0x200;
// Where what the pairing reads ends. Behind it, while keys are added up: the key that is added next, a point of G2.
uint256 constant CHECK_NEXT_KEY = 0x300;
// The same place, while a message is hashed: two numbers of 64 bytes.
uint256 constant CHECK_NUMBERS = 0x300;
// What is hashed to make them: a block of 64 zeros, then the message, at most CHECK_MESSAGE_BYTES, then 3 bytes and a tag
// in two words. In the message's place a statement's structs are hashed before it.
uint256 constant CHECK_BLOCK = 0x380;
uint256 constant CHECK_MESSAGE = 0x3c0;
uint256 constant CHECK_MESSAGE_BYTES = 168;
// The same place, when they are made: the two points of G1 that they map to.
uint256 constant CHECK_POINTS = 0x380;
// All of it.
uint256 constant CHECK_BYTES = 0x4c0;

using SignatureChecks for SignatureCheck global;

/// Allocates checks and finds their parts.
library SignatureChecks {
    /// Allocates the memory for one check.
    function allocate() internal pure returns (SignatureCheck check) {
        assembly ("memory-safe") {
            check := mload(0x40)
            mstore(0x40, add(check, CHECK_BYTES))
        }
    }

    /// Makes signature, hash and key the points at infinity.
    function clear(SignatureCheck check) internal pure {
        assembly ("memory-safe") {
            calldatacopy(check, calldatasize(), CHECK_NEXT_KEY)
        }
    }

    /// Writes the signature, 128 bytes at this place of the calldata.
    function setSignature(SignatureCheck check, uint256 from) internal pure {
        assembly ("memory-safe") {
            calldatacopy(check, from, 128)
        }
    }

    /// Writes a message of 32 bytes.
    function setMessage(SignatureCheck check, bytes32 word) internal pure {
        assembly ("memory-safe") {
            mstore(add(check, CHECK_MESSAGE), word)
        }
    }

    /// Where in the memory the message stands: CHECK_BYTES - CHECK_MESSAGE bytes that anything may be done with until it
    /// is written.
    function message(SignatureCheck check) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := add(check, CHECK_MESSAGE)
        }
    }
}
