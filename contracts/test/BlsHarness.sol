// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "../src/Bls.sol";

/// Opens the functions of the library to tests, with points as bytes in EIP-2537 layout.
contract BlsHarness {
    function hashToG1(bytes memory message, bytes memory dst) external view returns (bytes memory) {
        return abi.encode(Bls.hashToG1(message, dst));
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
