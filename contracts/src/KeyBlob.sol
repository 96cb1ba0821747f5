// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "./Bls.sol";

/// Keys kept as the code of a contract that does nothing: 00 (STOP), then 256 bytes a key. Code costs a tenth of
/// storage to write, is copied to memory in one instruction, and can never change.
library KeyBlob {
    /// The blob could not be created: too little gas.
    error CreateFailed();

    /// Bytes of one key.
    uint256 internal constant KEY_BYTES = 256;
    /// The most keys that fit: 24,576 bytes of code (EIP-170), less one.
    uint256 internal constant MAX_KEYS = 95;

    /// Creates a blob with `keys`, a multiple of 256 bytes.
    function create(bytes memory keys) internal returns (address blob) {
        // PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: ten bytes that return what follows them.
        bytes memory code = abi.encodePacked(hex"61", uint16(keys.length + 1), hex"80600a5f395ff300", keys);
        assembly ("memory-safe") {
            blob := create(0, add(code, 32), mload(code))
        }
        if (blob == address(0)) revert CreateFailed();
    }

    /// Copies key number `index` over `key`.
    function read(address blob, uint256 index, G2Point memory key) internal view {
        assembly ("memory-safe") {
            extcodecopy(blob, key, add(1, mul(index, 256)), 256)
        }
    }

    /// Key 0 plus, for every bit `i` of `set`, key `i + 1`. The blob must have them all.
    function sum(address blob, uint256 set) internal view returns (G2Point memory total) {
        uint256 ok = 1;
        assembly ("memory-safe") {
            // What the precompile reads: the sum so far, which it replaces, and the next key.
            let input := mload(0x40)
            let next := add(input, 256)
            extcodecopy(blob, input, 1, 256)
            for { let offset := 257 } set { offset := add(offset, 256) } {
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
