// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {INamespaces} from "../interfaces/INamespaces.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm, Vm} from "./support/Vm.sol";

/// Whom the members serve in a namespace.
contract DispersersTest is Fixture {
    function setUp() external {
        deploy();
        createNamespace();
    }

    function test_holds_and_dispersers_are_told() external {
        uint64 until = uint64(block.timestamp) + 1 days;
        vm.recordLogs();
        _hold(until);
        vm.prank(owner);
        registry.setDisperser(namespace, STRANGER, true);
        vm.prank(owner);
        registry.setDisperser(namespace, STRANGER, true);
        vm.prank(owner);
        registry.setDisperser(namespace, STRANGER, false);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3, "events; saying what holds already is none");
        vm.assertEq(logs[0].topics[0], INamespaces.NamespaceHeld.selector, "event");
        vm.assertEq(logs[0].topics[1], namespace, "namespace");
        vm.assertEq(logs[0].data, abi.encode(until), "until");
        for (uint256 i = 1; i < 3; ++i) {
            vm.assertEq(logs[i].topics[0], INamespaces.DisperserSet.selector, "event");
            vm.assertEq(logs[i].topics[1], namespace, "namespace");
            vm.assertEq(logs[i].topics[2], bytes32(uint256(uint160(STRANGER))), "disperser");
            vm.assertEq(logs[i].data, abi.encode(i == 1), "allowed");
        }
    }

    function test_bounds_of_dispersers() external {
        vm.prank(owner);
        vm.expectRevert(abi.encodePacked(INamespaces.ZeroDisperser.selector));
        registry.setDisperser(namespace, address(0), true);
        address[] memory named = new address[](66);
        for (uint256 i = 0; i < 65; ++i) {
            named[i] = address(uint160(i + 1));
        }
        // One is named twice and is allowed once.
        named[65] = named[0];
        vm.prank(owner);
        vm.expectRevert(abi.encodePacked(INamespaces.TooManyDispersers.selector));
        registry.createNamespace(otherSalt, 0, named);
        named[64] = named[1];
        vm.prank(owner);
        registry.createNamespace(otherSalt, 0, named);
        vm.assertEq(registry.namespaceOf(otherNamespace).dispersers.length, 64, "dispersers");
        vm.prank(owner);
        vm.expectRevert(abi.encodePacked(INamespaces.TooManyDispersers.selector));
        registry.setDisperser(otherNamespace, address(uint160(65)), true);
    }

    /// Dispersers as a set, beside one bit for each.
    function testFuzz_dispersers_are_a_set(uint256 seed) external {
        uint256 allowed;
        for (uint256 step = 0; step < 40; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 which = seed % 8;
            bool allow = seed >> 128 & 1 == 1;
            vm.prank(owner);
            registry.setDisperser(namespace, address(uint160(which + 1)), allow);
            allowed = allow ? allowed | 1 << which : allowed & ~(1 << which);
        }
        address[] memory dispersers = registry.namespaceOf(namespace).dispersers;
        vm.assertEq(dispersers.length, Certify.count(allowed), "as many");
        // As many as allowed, all of them allowed, none twice: each takes one bit away.
        for (uint256 i = 0; i < dispersers.length; ++i) {
            uint256 bit = 1 << (uint160(dispersers[i]) - 1);
            vm.assertTrue(allowed & bit != 0, "listed once");
            allowed ^= bit;
        }
    }

    function _hold(uint64 until) private {
        vm.prank(GUARDIAN);
        registry.holdNamespace(namespace, until);
    }
}
