// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Signed} from "./Golden.sol";

/// Puts certificates together from what members signed, and takes them apart.
library Certify {
    /// Offsets in the L1 encoding of a certificate.
    uint256 internal constant NAMESPACE = 1;
    uint256 internal constant EPOCH = 33;
    uint256 internal constant PAYLOAD_LENGTH = 41;
    uint256 internal constant ORIGINAL_SHARDS = 77;
    uint256 internal constant TOTAL_SHARDS = 79;
    uint256 internal constant WHOLE_UNTIL = 145;
    uint256 internal constant RETAIN_UNTIL = 153;
    uint256 internal constant SIGNERS = 161;
    uint256 internal constant SIGNATURE = 193;

    /// The bitmap of slots `0..n-1`.
    function all(Signed memory what) internal pure returns (uint256) {
        return (1 << what.signatures.length) - 1;
    }

    /// The L1 encoding with the signatures of exactly these slots.
    function by(Signed memory what, uint256 signers) internal view returns (bytes memory) {
        return with(what, signers, sum(what, signers));
    }

    /// The L1 encoding with any claim of who signed, and any signature.
    function with(Signed memory what, uint256 signers, bytes memory signature) internal pure returns (bytes memory) {
        return bytes.concat(what.head, bytes32(signers), signature);
    }

    /// The sum of these slots' signatures, by the precompile G1ADD of EIP-2537.
    function sum(Signed memory what, uint256 signers) internal view returns (bytes memory total) {
        total = new bytes(128);
        for (uint256 slot = 0; slot < what.signatures.length; ++slot) {
            if (signers >> slot & 1 == 1) total = add(total, what.signatures[slot]);
        }
    }

    function add(bytes memory a, bytes memory b) internal view returns (bytes memory) {
        (bool ok, bytes memory total) = address(0x0b).staticcall(bytes.concat(a, b));
        require(ok && total.length == 128, "points of G1");
        return total;
    }

    /// The number of signers.
    function count(uint256 signers) internal pure returns (uint256 ones) {
        for (; signers != 0; signers >>= 1) ones += signers & 1;
    }

    /// A copy with `written` at `offset`.
    function edit(bytes memory encoded, uint256 offset, bytes memory written) internal pure returns (bytes memory copy) {
        require(offset + written.length <= encoded.length, "room");
        copy = bytes.concat(encoded);
        assembly ("memory-safe") {
            mcopy(add(add(copy, 32), offset), add(written, 32), mload(written))
        }
    }

    /// A copy of the same length with as much of `written` as fits at `offset`.
    function overwrite(bytes memory encoded, uint256 offset, bytes memory written) internal pure returns (bytes memory) {
        uint256 room = encoded.length - offset;
        return edit(encoded, offset, written.length > room ? slice(written, 0, room) : written);
    }

    /// A copy with bit `bit` flipped, counted from the most significant of the first byte.
    function flip(bytes memory encoded, uint256 bit) internal pure returns (bytes memory flipped) {
        flipped = bytes.concat(encoded);
        flipped[bit / 8] ^= bytes1(uint8(0x80 >> (bit % 8)));
    }

    /// Bytes `from` to `to`, without the last.
    function slice(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        require(from <= to && to <= data.length, "slice");
        part = new bytes(to - from);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(data, 32), from), mload(part))
        }
    }
}
