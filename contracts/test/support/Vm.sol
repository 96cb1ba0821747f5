// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// What the tests use of forge: its cheatcodes, which answer at this address.
Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    /// What a call cost; a transaction, where tests are isolated.
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    // The chain, and who calls.
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function mockCall(address callee, bytes calldata input, bytes calldata output) external;
    function mockCallRevert(address callee, bytes calldata input, bytes calldata reason) external;
    function clearMockedCalls() external;
    function etch(address target, bytes calldata code) external;
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function lastCallGas() external view returns (Gas memory);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);

    // What the next call must do.
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;

    // Files, JSON and the environment.
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytesArray(string calldata json, string calldata key) external pure returns (bytes[] memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytes32Array(string calldata json, string calldata key) external pure returns (bytes32[] memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory);
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function toString(uint256 value) external pure returns (string memory);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function contains(string calldata subject, string calldata search) external pure returns (bool);

    // Assertions, which end the test.
    function assertTrue(bool condition, string calldata what) external pure;
    function assertFalse(bool condition, string calldata what) external pure;
    function assertEq(uint256 got, uint256 expected, string calldata what) external pure;
    function assertEq(bytes32 got, bytes32 expected, string calldata what) external pure;
    function assertEq(address got, address expected, string calldata what) external pure;
    function assertEq(bytes calldata got, bytes calldata expected, string calldata what) external pure;
    function assertNotEq(uint256 got, uint256 unwanted, string calldata what) external pure;
    function assertLt(uint256 got, uint256 bound_, string calldata what) external pure;
    function assertGt(uint256 got, uint256 bound_, string calldata what) external pure;
}
