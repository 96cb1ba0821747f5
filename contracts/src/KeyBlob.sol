// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {G2Point} from "./Bls.sol";

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
}
