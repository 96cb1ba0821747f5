// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {NamespaceInfo, Namespaces} from "../src/Namespaces.sol";
import {Roles} from "../src/Roles.sol";
import {Status} from "../src/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// What a namespace's owner and the guardian can change, and what they cannot.
contract NamespacesTest is Fixture {
    bytes private good;
    uint64 private created;

    function setUp() external {
        deploy();
        proposeCommittees(1);
        vm.warp(activeFrom(1));
        createNamespace();
        created = uint64(block.timestamp);
        good = Certify.by(Golden.statement("n5"), 0x1f);
        vm.warp(created + 1 hours);
        expect(good, Status.OK, "as signed");
    }

    function test_a_namespace_exists_from_the_second_after_its_creation() external {
        expectAt(good, created, Status.UNKNOWN_NAMESPACE, "in that second");
        expectAt(good, created + 1, Status.OK, "from the next on");
        vm.prank(owner);
        bytes32 salt = vm.parseJsonBytes32(Golden.signed(), ".salt");
        vm.expectRevert(abi.encodeWithSelector(Namespaces.NamespaceExists.selector, namespace));
        registry.createNamespace(salt, 0, new address[](0));
        NamespaceInfo memory nobody = registry.namespaceOf(otherNamespace);
        vm.assertEq(nobody.owner, address(0), "does not exist");
        vm.assertEq(uint256(nobody.existsFrom) + nobody.minRetention + nobody.nextFrom, 0, "nothing of it");
    }

    function test_lowering_the_retention_takes_the_delay() external {
        // The certificate is kept a day too short for this namespace; the owner, who wants to use it, says so now.
        uint64 now_ = retainUntil - MIN_RETENTION + 1;
        vm.warp(now_);
        expect(good, Status.RETENTION_TOO_SHORT, "before");
        _set(1 hours);
        expect(good, Status.RETENTION_TOO_SHORT, "said and not yet in force");
        NamespaceInfo memory info = registry.namespaceOf(namespace);
        vm.assertEq(info.minRetention, MIN_RETENTION, "in force");
        vm.assertEq(info.nextMinRetention, 1 hours, "pending");
        vm.assertEq(info.nextFrom, now_ + DELAY, "from");
        expectAt(good, now_ + DELAY - 1, Status.RETENTION_TOO_SHORT, "the last second");
        expectAt(good, now_ + DELAY, Status.OK, "after the delay");
        vm.warp(now_ + DELAY);
        registry.publish(good);
        expectAt(good, now_, Status.RETENTION_TOO_SHORT, "what was said stands");
        info = registry.namespaceOf(namespace);
        vm.assertEq(info.minRetention, 1 hours, "in force");
        vm.assertEq(uint256(info.nextMinRetention) + info.nextFrom, 0, "nothing pending");
    }

    function test_raising_the_retention_holds_from_the_next_second() external {
        uint64 now_ = retainUntil - MIN_RETENTION;
        vm.warp(now_);
        _set(MIN_RETENTION + 1);
        expect(good, Status.OK, "in the same second");
        expectAt(good, now_ + 1, Status.RETENTION_TOO_SHORT, "from the next on");
        // Back again takes the delay: nobody can open a gap for one block.
        vm.warp(now_ + 1);
        _set(0);
        expectAt(good, now_ + DELAY, Status.RETENTION_TOO_SHORT, "still");
        expectAt(good, now_ + 1 + DELAY, Status.OK, "after the delay");
        expectAt(good, now_, Status.OK, "what was said stands");
    }

    function test_a_pending_lowering_is_replaced() external {
        _set(2 hours);
        uint64 second = uint64(block.timestamp) + 10 minutes;
        vm.warp(second);
        _set(3 hours);
        vm.assertEq(registry.namespaceOf(namespace).nextMinRetention, 3 hours, "the newest");
        vm.assertEq(registry.namespaceOf(namespace).nextFrom, second + DELAY, "its own delay");
        // Saying what is in force takes the change back.
        _set(MIN_RETENTION);
        vm.assertEq(registry.namespaceOf(namespace).nextFrom, 0, "nothing pending");
        vm.warp(second + 2 * DELAY);
        vm.assertEq(registry.namespaceOf(namespace).minRetention, MIN_RETENTION, "as it was");
    }

    function test_only_the_owner_changes_a_namespace() external {
        address[3] memory senders = [GUARDIAN, GOVERNANCE, STRANGER];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.startPrank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(Namespaces.NotNamespaceOwner.selector, owner));
            registry.setMinRetention(namespace, 0);
            vm.expectRevert(abi.encodeWithSelector(Namespaces.NotNamespaceOwner.selector, owner));
            registry.setDisperser(namespace, senders[i], true);
            vm.stopPrank();
        }
        uint64 tooLong = registry.MAX_MIN_RETENTION() + 1;
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Namespaces.RetentionTooLong.selector, tooLong));
        registry.setMinRetention(namespace, tooLong);
    }

    function test_a_hold_only_grows_and_says_nothing_of_certificates() external {
        uint64 now_ = uint64(block.timestamp);
        uint64 latest = now_ + registry.MAX_HOLD();
        _holdFails(now_, abi.encodeWithSelector(Namespaces.HoldTooShort.selector, now_, now_ + 1));
        _hold(now_ + 10 days);
        vm.assertEq(registry.namespaceOf(namespace).holdUntil, now_ + 10 days, "held");
        _holdFails(
            now_ + 10 days, abi.encodeWithSelector(Namespaces.HoldTooShort.selector, now_ + 10 days, now_ + 10 days + 1)
        );
        _holdFails(latest + 1, abi.encodeWithSelector(Namespaces.HoldTooLong.selector, latest + 1, latest));
        _hold(latest);
        // After it has ended, another one begins in the future.
        vm.warp(latest + 5);
        _holdFails(latest + 5, abi.encodeWithSelector(Namespaces.HoldTooShort.selector, latest + 5, latest + 6));
        _hold(latest + 6);

        expectAt(good, now_, Status.OK, "not a matter of the hold");
        expectAt(good, retainUntil - MIN_RETENTION + 1, Status.RETENTION_TOO_SHORT, "not a matter of the hold");
    }

    function test_only_the_guardian_holds_a_namespace_that_exists() external {
        address[3] memory senders = [owner, GOVERNANCE, STRANGER];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, senders[i]));
            registry.holdNamespace(namespace, uint64(block.timestamp) + 1);
        }
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Namespaces.UnknownNamespace.selector, otherNamespace));
        registry.holdNamespace(otherNamespace, uint64(block.timestamp) + 1);
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
        for (uint256 i = 0; i < 8; ++i) {
            bool is_ = registry.isDisperser(namespace, address(uint160(i + 1)));
            vm.assertTrue(is_ == (allowed >> i & 1 == 1), "allowed");
        }
        // As many as allowed, all of them allowed, none twice: each takes one bit away.
        for (uint256 i = 0; i < dispersers.length; ++i) {
            uint256 bit = 1 << (uint160(dispersers[i]) - 1);
            vm.assertTrue(allowed & bit != 0, "listed once");
            allowed ^= bit;
        }
    }

    function _set(uint64 minRetention) private {
        vm.prank(owner);
        registry.setMinRetention(namespace, minRetention);
    }

    function _hold(uint64 until) private {
        vm.prank(GUARDIAN);
        registry.holdNamespace(namespace, until);
    }

    function _holdFails(uint64 until, bytes memory reason) private {
        vm.prank(GUARDIAN);
        vm.expectRevert(reason);
        registry.holdNamespace(namespace, until);
    }
}
