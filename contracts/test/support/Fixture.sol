// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ICommitteeRegistry} from "../../interfaces/ICommitteeRegistry.sol";
import {Slot} from "../../interfaces/IKeys.sol";
import {Status} from "../../interfaces/Status.sol";
import {Committee, Golden, Member} from "./Golden.sol";
import {vm} from "./Vm.sol";

/// A registry at the chain and address that the golden vectors are signed for.
abstract contract Fixture {
    address internal constant GOVERNANCE = address(0x6060);
    address internal constant GUARDIAN = address(0x6161);
    /// The account of all members' keys, which the vectors' proofs are for.
    address internal constant OPERATOR = 0x70997970C51812dc3A010C7d01b50e0d17dc79C8;
    address internal constant STRANGER = address(0x6666);
    /// The first account of development chains, whose first contract has the vectors' address.
    address internal constant DEPLOYER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;

    /// Compiled as the artifacts are. `new` would take them as the tests are compiled.
    string internal constant COMPILED_REGISTRY = "target/forge/out/CommitteeRegistry.sol/CommitteeRegistry.json";
    string internal constant COMPILED_HARNESS = "target/forge/out/BlsHarness.sol/BlsHarness.json";
    string internal constant COMPILED_CONSUMER = "target/forge/out/RecordingConsumer.sol/RecordingConsumer.json";

    uint256 internal constant CHAIN_ID = 31337;
    uint64 internal constant DELAY = 2 hours;
    uint64 internal constant OVERLAP = 30 minutes;
    uint64 internal constant MIN_RETENTION = 1 days;
    /// When the registry is deployed, some days before the golden statements end.
    uint64 internal constant START = 1_999_000_000;
    /// How long each golden committee is active.
    uint64 internal constant TERM = 1 days;

    ICommitteeRegistry internal registry;
    /// The namespace of foundry.json and the one it has beside it, with the account that may create them.
    address internal owner;
    bytes32 internal namespace;
    bytes32 internal otherNamespace;
    bytes32 internal otherSalt;
    uint64 internal retainUntil;
    /// The keys that were registered, for proposals.
    mapping(bytes32 keyId => bytes) private keys;

    /// A registry without anything.
    function deploy() internal {
        deploy(DELAY, OVERLAP);
    }

    function deploy(uint64 delay, uint64 overlap) internal {
        vm.chainId(CHAIN_ID);
        vm.warp(START);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, delay, overlap);
    }

    /// The next registry of the deployer.
    function deployRegistry(address governance, address guardian, uint64 delay, uint64 overlap)
        internal
        returns (ICommitteeRegistry)
    {
        vm.prank(DEPLOYER);
        return ICommitteeRegistry(create(COMPILED_REGISTRY, abi.encode(governance, guardian, delay, overlap)));
    }

    /// Creates a contract from its compiled code; reverts with its reason if the constructor does.
    function create(string memory compiled, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = bytes.concat(vm.getCode(compiled), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
            if iszero(deployed) {
                let reason := mload(0x40)
                returndatacopy(reason, 0, returndatasize())
                revert(reason, returndatasize())
            }
        }
    }

    /// The golden committees: epoch 1 is active from START + DELAY, each next one TERM later.
    function proposeCommittees(uint256 count) internal {
        string memory json = Golden.certificates();
        for (uint256 i = 0; i < count; ++i) {
            Committee memory c = Golden.committee(json, i);
            uint64 epoch = propose(registerAll(c.members), c.originalShards, c.threshold, activeFrom(c.epoch));
            vm.assertEq(epoch, c.epoch, "the vectors' epochs are numbered from 1");
        }
    }

    /// The namespace that foundry.json's statements are in, from the next second on.
    function createNamespace() internal {
        string memory json = Golden.signed();
        owner = vm.parseJsonAddress(json, ".owner");
        namespace = vm.parseJsonBytes32(json, ".namespace");
        otherNamespace = vm.parseJsonBytes32(json, ".otherNamespace");
        otherSalt = vm.parseJsonBytes32(json, ".otherSalt");
        retainUntil = uint64(vm.parseJsonUint(json, ".retainUntil"));
        vm.prank(owner);
        bytes32 created =
            registry.createNamespace(vm.parseJsonBytes32(json, ".salt"), MIN_RETENTION, new address[](0));
        vm.assertEq(created, namespace, "the vectors' namespace");
    }

    function register(Member memory member) internal returns (bytes32 keyId) {
        keys[keccak256(member.key)] = member.key;
        vm.prank(OPERATOR);
        return registry.registerKey(member.key, member.proof);
    }

    function registerAll(Member[] memory members) internal returns (bytes32[] memory keyIds) {
        keyIds = new bytes32[](members.length);
        for (uint256 slot = 0; slot < members.length; ++slot) {
            keyIds[slot] = register(members[slot]);
        }
    }

    /// The keys of these ids, one after the other; nothing where one was never registered here.
    function keysOf(bytes32[] memory keyIds) internal view returns (bytes memory joined) {
        for (uint256 slot = 0; slot < keyIds.length; ++slot) {
            joined = bytes.concat(joined, keys[keyIds[slot]]);
        }
    }

    /// As many times the account of all keys.
    function operators(uint256 count) internal pure returns (address[] memory accounts) {
        accounts = new address[](count);
        for (uint256 slot = 0; slot < count; ++slot) {
            accounts[slot] = OPERATOR;
        }
    }

    function propose(bytes32[] memory keyIds, uint16 originalShards, uint16 threshold, uint64 from)
        internal
        returns (uint64)
    {
        vm.prank(GOVERNANCE);
        return registry.proposeEpoch(keysOf(keyIds), operators(keyIds.length), originalShards, threshold, 32 << 20, from);
    }

    /// The keys of an epoch.
    function keyIdsOf(uint64 epoch) internal view returns (bytes32[] memory keyIds) {
        Slot[] memory slots = registry.slotsOf(epoch);
        keyIds = new bytes32[](slots.length);
        for (uint256 slot = 0; slot < slots.length; ++slot) {
            keyIds[slot] = slots[slot].keyId;
        }
    }

    function activeFrom(uint64 epoch) internal pure returns (uint64) {
        return START + DELAY + (epoch - 1) * TERM;
    }

    /// A time at which the epoch is active.
    function during(uint64 epoch) internal pure returns (uint64) {
        return activeFrom(epoch) + TERM / 2;
    }

    /// Asserts what the registry says now.
    function expect(bytes memory certificate, Status expected, string memory what) internal view {
        expectAt(certificate, uint64(block.timestamp), expected, what);
    }

    function expectAt(bytes memory certificate, uint64 atTime, Status expected, string memory what) internal view {
        vm.assertEq(uint256(registry.verify(certificate, atTime)), uint256(expected), what);
    }

    /// Asserts what the registry says apart from times and namespaces.
    function expectGenuine(bytes memory certificate, Status expected, string memory what) internal view {
        vm.assertEq(uint256(registry.verifySignature(certificate)), uint256(expected), what);
    }
}
