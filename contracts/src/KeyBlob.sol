// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "./Bls.sol";

/// Keys kept as the code of a contract that does nothing: it starts with 00 (STOP). Code costs a tenth of storage to
/// write, is copied to memory in one instruction, and can never change.
library KeyBlob {
    /// The blob could not be created: too little gas.
    error CreateFailed();

    /// Bytes of one key.
    uint256 internal constant KEY_BYTES = 256;

    /// Creates a blob with this code, which must start with 00 and fit EIP-170's 24,576 bytes.
    function create(bytes memory code) internal returns (address blob) {
        // PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: ten bytes that return what follows them.
        bytes memory initcode = abi.encodePacked(hex"61", uint16(code.length), hex"80600a5f395ff3", code);
        assembly ("memory-safe") {
            blob := create(0, add(initcode, 32), mload(initcode))
        }
        if (blob == address(0)) revert CreateFailed();
    }

    /// Copies the key at `offset` over `key`.
    function read(address blob, uint256 offset, G2Point memory key) internal view {
        assembly ("memory-safe") {
            extcodecopy(blob, key, offset, 256)
        }
    }

    /// The first 32 bytes.
    function head(address blob) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            extcodecopy(blob, 0x00, 0, 32)
            word := mload(0x00)
        }
    }

    /// The key at `offset` plus, for every bit `i` of `set`, the key that stands `i + 1` keys after it.
    function sum(address blob, uint256 offset, uint256 set) internal view returns (G2Point memory total) {
        uint256 ok = 1;
        assembly ("memory-safe") {
            // What the precompile reads: the sum so far, which it replaces, and the next key.
            let input := mload(0x40)
            let next := add(input, 256)
            extcodecopy(blob, input, offset, 256)
            for { offset := add(offset, 256) } set { offset := add(offset, 256) } {
                if and(set, 1) {
                    extcodecopy(blob, next, offset, 256)
                    ok := and(ok, staticcall(gas(), 0x0d, input, 512, input, 256))
                }
                set := shr(1, set)
            }
            mcopy(total, input, 256)
        }
        if (ok == 0) revert Bls.PrecompileFailed();
    }
}
