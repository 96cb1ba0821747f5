// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point, SignatureCheck} from "../src/Bls.sol";

/// Opens the functions of the library to tests, with points as bytes in EIP-2537 layout.
contract BlsHarness {
    /// With a tag of 32 to 63 bytes.
    function hashToG1(bytes calldata message, bytes calldata dst) external view returns (bytes memory point) {
        bytes memory tag = abi.encodePacked(dst, uint8(dst.length), bytes32(0));
        SignatureCheck check = Bls.newCheck();
        uint256 place = Bls.messageOf(check);
        bytes32 start;
        bytes32 end;
        assembly ("memory-safe") {
            start := mload(add(tag, 32))
            end := mload(add(tag, 64))
            mstore(0x40, add(mload(0x40), message.length))
            calldatacopy(place, message.offset, message.length)
        }
        Bls.hashToG1(check, message.length, start, end, dst.length + 1);
        point = new bytes(128);
        assembly ("memory-safe") {
            mcopy(add(point, 32), add(check, 0x180), 128)
        }
    }

    /// The remainder of a number of 64 bytes, in its place.
    function reduce(uint256 hi, uint256 lo) external pure returns (uint256, uint256) {
        uint256[2] memory words = [hi, lo];
        uint256 place;
        assembly ("memory-safe") {
            place := words
        }
        Bls.reduce(place);
        return (words[0], words[1]);
    }

    function add(bytes calldata a, bytes calldata b) external view returns (bytes memory) {
        G2Point memory sum = abi.decode(a, (G2Point));
        Bls.addTo(sum, abi.decode(b, (G2Point)));
        return abi.encode(sum);
    }

    function negate(bytes calldata a) external pure returns (bytes memory) {
        G2Point memory point = abi.decode(a, (G2Point));
        Bls.negate(point);
        return abi.encode(point);
    }

    function compress(bytes calldata a) external pure returns (bytes memory) {
        return Bls.compress(abi.decode(a, (G2Point)));
    }
}
