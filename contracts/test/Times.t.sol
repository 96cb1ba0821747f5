// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEpochs} from "../interfaces/IEpochs.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
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
        vm.warp(last + 1);
        expectAt(good, last, Status.OK, "the last second");
        expect(good, Status.RETENTION_TOO_SHORT, "one later");
        _publishFails(Status.RETENTION_TOO_SHORT);
        expectGenuine(good, Status.OK, "still genuine");
        vm.warp(last);
        registry.publish(good);
    }

    /// A consumer that hands on a time from its caller gives no way around the delay and the guardian.
    function test_a_time_to_come_is_not_yet_good_nor_bad() external {
        uint64 now_ = uint64(block.timestamp);
        uint64[4] memory times = [now_ + 1, now_ + 365 days, uint64(type(uint48).max), type(uint64).max];
        for (uint256 i = 0; i < times.length; ++i) {
            expectAt(good, times[i], Status.NOT_YET, "a time to come");
            Status checkpoint = registry.verifyCheckpoint(Certify.by(Golden.checkpoint("of 200"), 0x6f), times[i]);
            vm.assertEq(uint256(checkpoint), uint256(Status.NOT_YET), "checkpoint");
        }
        expectAt(good, now_, Status.OK, "this second");
        vm.warp(now_ + 1);
        expectAt(good, now_ + 1, Status.OK, "when it has come");
    }

    function test_published_once_good_and_as_often_as_wanted() external {
        string memory json = Golden.signed();
        bytes32 id = vm.parseJsonBytes32(json, ".statements['n7 by payload'].blobId");
        bytes32 signed = vm.parseJsonBytes32(json, ".statements['n7 by payload'].digest");
        address[2] memory publishers = [STRANGER, OPERATOR];
        vm.recordLogs();
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(publishers[i]);
            vm.assertEq(registry.publish(good), id, "blob id");
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2, "events");
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(logs[i].emitter, address(registry), "emitter");
            vm.assertEq(logs[i].topics[0], IAvailability.Published.selector, "event");
            vm.assertEq(logs[i].topics[1], id, "blob id");
            vm.assertEq(logs[i].topics[2], namespace, "namespace");
            bytes memory digest = Certify.slice(good, Certify.PAYLOAD_LENGTH + 4, Certify.ORIGINAL_SHARDS);
            vm.assertEq(logs[i].topics[3], bytes32(digest), "payload digest");
            bytes memory data = abi.encode(publishers[i], signed, uint64(2), retainUntil);
            vm.assertEq(logs[i].data, data, "publisher, statement, epoch, retained until");
        }
    }

    function test_outside_its_epoch() external {
        vm.warp(START + DELAY - 1);
        expect(good, Status.NOT_YET, "before any epoch");
        vm.warp(during(2));
        expectAt(good, activeFrom(2) - 1, Status.NOT_YET, "the second before");
        expectAt(good, activeFrom(2), Status.OK, "the first second");
        propose(keyIdsOf(2), 2, 6, activeFrom(3));
        uint64 end = activeFrom(3) + OVERLAP;
        vm.warp(end);
        expectAt(good, end - 1, Status.OK, "the last second");
        expectAt(good, end, Status.EPOCH_CLOSED, "the second after");
        _publishFails(Status.EPOCH_CLOSED);
    }

    /// A certificate that is on its way to L1 while the committee changes is as good as it was.
    function test_a_rotation_loses_nothing_that_is_in_flight() external {
        uint64 successor = propose(keyIdsOf(2), 2, 6, activeFrom(3));
        vm.warp(activeFrom(3));
        vm.assertEq(registry.activeEpoch(activeFrom(3)), successor, "its members sign");
        expect(good, Status.OK, "the predecessor's certificate");
        expect(Certify.by(Golden.statement("n5"), 0x1f), Status.EPOCH_CLOSED, "not one of long before");
        // Checkpoints too.
        bytes memory checkpoint = Certify.by(Golden.checkpoint("of 200"), 0x6f);
        vm.warp(activeFrom(3) + OVERLAP - 1);
        registry.publish(good);
        registry.publishCheckpoint(checkpoint);
        vm.warp(activeFrom(3) + OVERLAP);
        _publishFails(Status.EPOCH_CLOSED);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.EPOCH_CLOSED));
        registry.publishCheckpoint(checkpoint);
    }

    /// The guardian need not wait for the overlap to end.
    function test_a_predecessor_can_be_revoked_in_the_overlap() external {
        propose(keyIdsOf(2), 2, 6, activeFrom(3));
        vm.warp(activeFrom(3) + 1);
        _revoke(2);
        vm.warp(activeFrom(3) + 2);
        expect(good, Status.REVOKED, "after it");
        expectAt(good, activeFrom(3) + 1, Status.OK, "what was said stands");
        vm.warp(activeFrom(3) + OVERLAP);
        expect(good, Status.EPOCH_CLOSED, "closed comes first");
    }

    /// An overlap of zero is allowed, and closes an epoch in the second in which its successor is active.
    function test_a_registry_without_an_overlap() external {
        vm.warp(START);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, DELAY, 0);
        createNamespace();
        bytes32[] memory keyIds = registerAll(Golden.membersOfOtherRegistry());
        propose(keyIds, 2, 4, activeFrom(1));
        propose(keyIds, 2, 4, activeFrom(2));
        bytes memory certificate = Certify.by(Golden.statement("other registry"), 0x1f);
        vm.warp(activeFrom(2));
        expectAt(certificate, activeFrom(2) - 1, Status.OK, "the last second");
        expect(certificate, Status.EPOCH_CLOSED, "the second after");
        vm.assertEq(registry.getEpoch(1).acceptedUntil, activeFrom(2), "acceptedUntil");
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
        propose(keyIdsOf(2), 2, 6, 0);
        vm.warp(block.timestamp + DELAY + OVERLAP);
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
            vm.expectRevert(abi.encodeWithSelector(IRoles.NotGuardian.selector, senders[i]));
            registry.revokeEpoch(2);
        }
        _revoke(2);
        vm.warp(block.timestamp + 1 days);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.AlreadyRevoked.selector, 2));
        registry.revokeEpoch(2);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.UnknownEpoch.selector, 3));
        registry.revokeEpoch(3);
    }

    function _revoke(uint64 epoch) private {
        vm.prank(GUARDIAN);
        registry.revokeEpoch(epoch);
    }

    function _publishFails(Status status) private {
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, status));
        registry.publish(good);
    }
}
