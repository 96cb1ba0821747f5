// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epochs} from "../src/Epochs.sol";
import {Roles} from "../src/Roles.sol";
import {Status} from "../src/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {Registry} from "./support/Registry.sol";
import {vm, Vm} from "./support/Vm.sol";

/// What a certificate is worth when: kept back, used after its epoch, or after the epoch was revoked.
contract TimesTest is Fixture {
    bytes private good;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        good = Certify.by(Golden.statement("n7 by payload"), 0x3f);
        vm.warp(during(2));
        expect(good, Status.OK, "as signed");
    }

    function test_a_banked_certificate_is_refused_after_its_retention() external {
        uint64 last = retainUntil - MIN_RETENTION;
        expectAt(good, last, Status.OK, "the last second");
        expectAt(good, last + 1, Status.RETENTION_TOO_SHORT, "one later");
        vm.warp(last + 1);
        _publishFails(Status.RETENTION_TOO_SHORT);
        expectGenuine(good, Status.OK, "still genuine");
        vm.warp(last);
        registry.publish(good);
        expectAt(good, type(uint64).max, Status.RETENTION_TOO_SHORT, "the end of time");
    }

    function test_published_once_good_and_as_often_as_wanted() external {
        string memory json = Golden.signed();
        vm.recordLogs();
        registry.publish(good);
        registry.publish(good);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2, "events");
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(logs[i].emitter, address(registry), "emitter");
            vm.assertEq(logs[i].topics[0], Registry.Published.selector, "event");
            vm.assertEq(
                logs[i].topics[1], vm.parseJsonBytes32(json, ".statements['n7 by payload'].blobId"), "blob id"
            );
            vm.assertEq(logs[i].topics[2], namespace, "namespace");
            bytes memory digest = Certify.slice(good, Certify.PAYLOAD_LENGTH + 4, Certify.ORIGINAL_SHARDS);
            vm.assertEq(logs[i].topics[3], bytes32(digest), "payload digest");
            vm.assertEq(logs[i].data, abi.encode(uint64(2), retainUntil), "epoch, retained until");
        }
    }

    function test_outside_its_epoch() external {
        vm.warp(START + DELAY - 1);
        expect(good, Status.NOT_YET, "before any epoch");
        expectAt(good, activeFrom(2) - 1, Status.NOT_YET, "the second before");
        expectAt(good, activeFrom(2), Status.OK, "the first second");
        vm.warp(during(2));
        bytes32[] memory keyIds = _keyIds(2);
        propose(keyIds, 2, 6, activeFrom(3));
        expectAt(good, activeFrom(3) - 1, Status.OK, "the last second");
        expectAt(good, activeFrom(3), Status.EPOCH_CLOSED, "the second after");
        vm.warp(activeFrom(3));
        _publishFails(Status.EPOCH_CLOSED);
    }

    function test_revoked_before_inclusion() external {
        _revoke(2);
        // In the second of the revocation the answers given so far stand, and from the next on none is good.
        expect(good, Status.OK, "in the same second");
        vm.warp(block.timestamp + 1);
        expect(good, Status.REVOKED, "from the next second on");
        _publishFails(Status.REVOKED);
        vm.assertEq(registry.activeEpoch(uint64(block.timestamp)), 0, "no epoch is active");
        expectGenuine(good, Status.OK, "genuine for ever");
    }

    function test_revoked_after_inclusion() external {
        uint64 included = uint64(block.timestamp);
        registry.publish(good);
        vm.warp(included + 1 hours);
        _revoke(2);
        vm.warp(included + 2 hours);
        expectAt(good, included, Status.OK, "as of the block that carried it");
        expectAt(good, included + 1 hours, Status.OK, "as of the second of the revocation");
        expectAt(good, included + 1 hours + 1, Status.REVOKED, "as of the second after");
        expect(good, Status.REVOKED, "now");
        vm.assertEq(registry.activeEpoch(included), 2, "the epoch that was active");
        // A successor closes it: the reason changes for times after that, and for none before.
        propose(_keyIds(2), 2, 6, 0);
        vm.warp(block.timestamp + DELAY);
        expect(good, Status.EPOCH_CLOSED, "after the successor");
        expectAt(good, included + 2 hours, Status.REVOKED, "before the successor");
        expectAt(good, included, Status.OK, "as of the block that carried it");
    }

    function test_an_epoch_that_was_replaced_can_still_be_revoked() external {
        bytes memory earlier = Certify.by(Golden.statement("n5"), 0x1f);
        expectAt(earlier, during(1), Status.OK, "while it was active");
        expect(earlier, Status.EPOCH_CLOSED, "now");
        _revoke(1);
        vm.warp(block.timestamp + 1);
        expectAt(earlier, during(1), Status.OK, "what was said stands");
        expect(earlier, Status.EPOCH_CLOSED, "now");
        expect(good, Status.OK, "its successor");
    }

    function test_only_the_guardian_revokes_and_only_once() external {
        address[3] memory senders = [GOVERNANCE, STRANGER, OPERATOR];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, senders[i]));
            registry.revokeEpoch(2);
        }
        _revoke(2);
        vm.warp(block.timestamp + 1 days);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Epochs.AlreadyRevoked.selector, 2));
        registry.revokeEpoch(2);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Epochs.UnknownEpoch.selector, 3));
        registry.revokeEpoch(3);
    }

    function _revoke(uint64 epoch) private {
        vm.prank(GUARDIAN);
        registry.revokeEpoch(epoch);
    }

    function _publishFails(Status status) private {
        vm.expectRevert(abi.encodeWithSelector(Registry.NotAvailable.selector, status));
        registry.publish(good);
    }

    function _keyIds(uint64 epoch) private view returns (bytes32[] memory keyIds) {
        keyIds = new bytes32[](registry.slotsOf(epoch).length);
        for (uint256 i = 0; i < keyIds.length; ++i) {
            keyIds[i] = registry.slotsOf(epoch)[i].keyId;
        }
    }
}
