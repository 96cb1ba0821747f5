// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {INamespaces, NamespaceInfo} from "../interfaces/INamespaces.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm, Vm} from "./support/Vm.sol";

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
        vm.recordLogs();
        vm.prank(owner);
        registry.createNamespace(otherSalt, 7, new address[](0));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], INamespaces.NamespaceCreated.selector, "event");
        vm.assertEq(logs[0].topics[1], otherNamespace, "namespace");
        vm.assertEq(logs[0].topics[2], bytes32(uint256(uint160(owner))), "owner");
        vm.assertEq(logs[0].data, abi.encode(7, block.timestamp + 1), "retention, and from when on it exists");

        expectAt(good, created, Status.UNKNOWN_NAMESPACE, "in that second");
        expectAt(good, created + 1, Status.OK, "from the next on");
        vm.prank(owner);
        bytes32 salt = vm.parseJsonBytes32(Golden.signed(), ".salt");
        vm.expectRevert(abi.encodeWithSelector(INamespaces.NamespaceExists.selector, namespace));
        registry.createNamespace(salt, 0, new address[](0));
        NamespaceInfo memory nobody = registry.namespaceOf(bytes32(uint256(1)));
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
        vm.warp(now_ + DELAY);
        expectAt(good, now_ + DELAY - 1, Status.RETENTION_TOO_SHORT, "the last second");
        expectAt(good, now_ + DELAY, Status.OK, "after the delay");
        registry.publish(good);
        expectAt(good, now_, Status.RETENTION_TOO_SHORT, "what was said stands");
        info = registry.namespaceOf(namespace);
        vm.assertEq(info.minRetention, 1 hours, "in force");
        vm.assertEq(uint256(info.nextMinRetention) + info.nextFrom, 0, "nothing pending");
    }

    function test_a_raise_begins_after_an_hour() external {
        uint64 now_ = retainUntil - MIN_RETENTION - 1 hours;
        vm.warp(now_);
        vm.recordLogs();
        _set(MIN_RETENTION + 1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], INamespaces.MinRetentionSet.selector, "event");
        vm.assertEq(logs[0].topics[1], namespace, "namespace");
        vm.assertEq(logs[0].data, abi.encode(MIN_RETENTION + 1, now_ + 1 hours), "retention, from");
        NamespaceInfo memory info = registry.namespaceOf(namespace);
        vm.assertEq(info.minRetention, MIN_RETENTION, "in force");
        vm.assertEq(info.nextMinRetention, MIN_RETENTION + 1, "pending");
        vm.assertEq(info.nextFrom, now_ + 1 hours, "from");
        vm.warp(now_ + 1 hours);
        expectAt(good, now_ + 1 hours - 1, Status.OK, "until then");
        expect(good, Status.RETENTION_TOO_SHORT, "from then on");
        // Back again takes the delay: nobody can open a gap for one block.
        _set(0);
        vm.warp(now_ + 1 hours + DELAY);
        expectAt(good, now_ + 1 hours + DELAY - 1, Status.RETENTION_TOO_SHORT, "still");
        expect(good, Status.OK, "after the delay");
        expectAt(good, now_, Status.OK, "what was said stands");
    }

    /// A slip of the finger that would refuse every certificate is taken back before it is in force.
    function test_a_raise_is_withdrawn_within_the_hour() external {
        uint64 now_ = uint64(block.timestamp);
        _set(3650 days);
        vm.warp(now_ + 1 hours - 1);
        vm.recordLogs();
        _set(MIN_RETENTION);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].topics[0], INamespaces.MinRetentionWithdrawn.selector, "event");
        vm.assertEq(logs[0].topics[1], namespace, "namespace");
        vm.assertEq(logs[0].data, abi.encode(MIN_RETENTION), "what stays in force");
        NamespaceInfo memory info = registry.namespaceOf(namespace);
        vm.assertEq(uint256(info.nextMinRetention) + info.nextFrom, 0, "nothing pending");
        vm.warp(now_ + 1 hours);
        expect(good, Status.OK, "never in force");
        // With nothing pending it says nothing, and changes nothing.
        _set(MIN_RETENTION);
        vm.assertEq(vm.getRecordedLogs().length, 0, "no event");
    }

    function test_a_change_in_force_is_not_withdrawn() external {
        uint64 now_ = uint64(block.timestamp);
        _set(2 * MIN_RETENTION);
        vm.warp(now_ + 1 hours);
        _set(2 * MIN_RETENTION);
        vm.assertEq(registry.namespaceOf(namespace).minRetention, 2 * MIN_RETENTION, "in force");
        _set(MIN_RETENTION);
        vm.assertEq(registry.namespaceOf(namespace).nextFrom, now_ + 1 hours + DELAY, "lowered with the delay");
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
            vm.expectRevert(abi.encodeWithSelector(INamespaces.NotNamespaceOwner.selector, owner));
            registry.setMinRetention(namespace, 0);
            vm.expectRevert(abi.encodeWithSelector(INamespaces.NotNamespaceOwner.selector, owner));
            registry.setDisperser(namespace, senders[i], true);
            vm.stopPrank();
        }
        uint64 tooLong = 3650 days + 1;
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(INamespaces.RetentionTooLong.selector, tooLong));
        registry.setMinRetention(namespace, tooLong);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(INamespaces.RetentionTooLong.selector, tooLong));
        registry.createNamespace(otherSalt, tooLong, new address[](0));
        vm.prank(owner);
        registry.createNamespace(otherSalt, tooLong - 1, new address[](0));
        _set(tooLong - 1);
    }

    function test_a_hold_only_grows_and_says_nothing_of_certificates() external {
        uint64 now_ = uint64(block.timestamp);
        uint64 latest = now_ + 90 days;
        _holdFails(now_, abi.encodeWithSelector(INamespaces.HoldTooShort.selector, now_, now_ + 1));
        _hold(now_ + 10 days);
        vm.assertEq(registry.namespaceOf(namespace).holdUntil, now_ + 10 days, "held");
        _holdFails(
            now_ + 10 days, abi.encodeWithSelector(INamespaces.HoldTooShort.selector, now_ + 10 days, now_ + 10 days + 1)
        );
        _holdFails(latest + 1, abi.encodeWithSelector(INamespaces.HoldTooLong.selector, latest + 1, latest));
        _hold(latest);
        // After it has ended, another one begins in the future.
        vm.warp(latest + 5);
        _holdFails(latest + 5, abi.encodeWithSelector(INamespaces.HoldTooShort.selector, latest + 5, latest + 6));
        _hold(latest + 6);

        expectAt(good, now_, Status.OK, "not a matter of the hold");
        vm.warp(retainUntil - MIN_RETENTION + 1);
        expect(good, Status.RETENTION_TOO_SHORT, "not a matter of the hold");
    }

    function test_only_the_guardian_holds_a_namespace_that_exists() external {
        address[3] memory senders = [owner, GOVERNANCE, STRANGER];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(IRoles.NotGuardian.selector, senders[i]));
            registry.holdNamespace(namespace, uint64(block.timestamp) + 1);
        }
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(INamespaces.UnknownNamespace.selector, otherNamespace));
        registry.holdNamespace(otherNamespace, uint64(block.timestamp) + 1);
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
