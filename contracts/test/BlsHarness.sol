// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "../src/Bls.sol";
import {Certificate, Certificates} from "../src/Certificates.sol";
import {CHECK_HASH, CHECK_KEY, SignatureCheck, SignatureChecks} from "../src/SignatureCheck.sol";

/// Opens the functions of the libraries to tests, with points as bytes in EIP-2537 layout.
contract BlsHarness {
    /// With a tag of 32 to 63 bytes.
    function hashToG1(bytes calldata message, bytes calldata dst) external view returns (bytes memory point) {
        bytes memory tag = abi.encodePacked(dst, uint8(dst.length), bytes32(0));
        SignatureCheck check = SignatureChecks.allocate();
        uint256 place = check.message();
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
            mcopy(add(point, 32), add(check, CHECK_HASH), 128)
        }
    }

    /// Does all that is done in the memory of a check, for a certificate and for a message of any length, and returns
    /// what then stands right behind it, where something else stood before.
    function behindCheck(bytes calldata certificate, uint256 messageBytes, bytes32 canary)
        external
        view
        returns (bytes32[8] memory behind)
    {
        SignatureCheck check = SignatureChecks.allocate();
        uint256 end;
        assembly ("memory-safe") {
            end := mload(0x40)
            mstore(0x40, add(end, 256))
            for { let i := 0 } lt(i, 256) { i := add(i, 32) } { mstore(add(end, i), canary) }
            calldatacopy(add(check, CHECK_KEY), calldatasize(), 256)
        }
        Certificate c = Certificate.wrap(_offset(certificate));
        (bytes32 digest,) = Certificates.digest(c, canary, check.message());
        check.setMessage(digest);
        check.setSignature(_offset(certificate) + 193);
        Bls.hashToG1(check, messageBytes, Bls.POSSESSION_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        Bls.isSigned(check);
        assembly ("memory-safe") {
            mcopy(behind, end, 256)
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

    function _offset(bytes calldata data) private pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := data.offset
        }
    }
}
