// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epoch, Epochs} from "../src/Epochs.sol";
import {Roles} from "../src/Roles.sol";
import {Status} from "../src/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Who changes the committee, and how long beforehand it must be said.
contract EpochsTest is Fixture {
    bytes32[] private keyIds;
    bytes private good;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(1);
        for (uint256 slot = 0; slot < 5; ++slot) {
            keyIds.push(registry.slotsOf(1)[slot].keyId);
        }
        good = Certify.by(Golden.statement("n5"), 0x1f);
        vm.warp(during(1));
    }

    function test_only_governance_proposes() external {
        address[3] memory senders = [GUARDIAN, STRANGER, OPERATOR];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(Roles.NotGovernance.selector, senders[i]));
            registry.proposeEpoch(keyIds, 2, 4, 1, 0);
        }
    }

    function testFuzz_parameters_out_of_bounds(uint8 k, uint8 t, uint32 maxPayload) external {
        uint256 n = keyIds.length;
        bool inBounds = k >= 1 && k < n && k <= t && t <= n && 2 * uint256(t) > n && maxPayload >= 1 && maxPayload <= 1 << 30;
        if (!inBounds) {
            vm.expectRevert(abi.encodeWithSelector(Epochs.BadParameters.selector, k, n, t, maxPayload));
        }
        vm.prank(GOVERNANCE);
        registry.proposeEpoch(keyIds, k, t, maxPayload, 0);
    }

    function test_every_pair_of_small_parameters() external {
        uint256 accepted;
        for (uint16 k = 0; k <= 6; ++k) {
            for (uint16 t = 0; t <= 6; ++t) {
                vm.prank(GOVERNANCE);
                try registry.proposeEpoch(keyIds, k, t, 1, 0) {
                    ++accepted;
                    vm.assertTrue(k >= 1 && k < 5 && k <= t && t <= 5 && t >= 3, "accepted");
                } catch (bytes memory reason) {
                    vm.assertEq(
                        reason, abi.encodeWithSelector(Epochs.BadParameters.selector, k, 5, t, 1), "refused"
                    );
                }
            }
        }
        // t in 3..5 and k in 1..4, no more than t.
        vm.assertEq(accepted, 3 + 4 + 4, "accepted");
    }

    function test_a_proposal_takes_the_delay() external {
        uint64 now_ = uint64(block.timestamp);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(Epochs.ActiveTooEarly.selector, now_ + DELAY - 1, now_ + DELAY));
        registry.proposeEpoch(keyIds, 2, 4, 1, now_ + DELAY - 1);
        vm.assertEq(propose(keyIds, 2, 4, now_ + DELAY), 2, "epoch");
        expectAt(good, now_ + DELAY - 1, Status.OK, "until then");
        expectAt(good, now_ + DELAY, Status.EPOCH_CLOSED, "from then on");
    }

    /// Governance agrees on a date, and its transaction is executed when the delay no longer fits.
    function test_a_multisig_that_is_late() external {
        uint64 date = uint64(block.timestamp) + 2 * DELAY;
        bytes memory call = abi.encodeCall(Epochs.proposeEpoch, (keyIds, 2, 4, 1, date));
        uint64[3] memory executed = [date - DELAY + 1, date, date + 30 days];
        for (uint256 i = 0; i < executed.length; ++i) {
            vm.warp(executed[i]);
            vm.prank(GOVERNANCE);
            (bool ok, bytes memory reason) = address(registry).call(call);
            vm.assertFalse(ok, "nothing is said of a time without the delay");
            bytes memory expected =
                abi.encodeWithSelector(Epochs.ActiveTooEarly.selector, date, executed[i] + DELAY);
            vm.assertEq(reason, expected, "reason");
            vm.assertEq(registry.epochCount(), 1, "nothing changed");
            vm.assertEq(registry.activeEpoch(uint64(block.timestamp)), 1, "the old epoch goes on");
        }
        vm.warp(date - DELAY);
        vm.prank(GOVERNANCE);
        (bool inTime,) = address(registry).call(call);
        vm.assertTrue(inTime, "in time");
        // Without a date it is never too late.
        vm.warp(date + 30 days);
        vm.assertEq(propose(keyIds, 2, 4, 0), 3, "epoch");
        vm.assertEq(registry.getEpoch(3).activeFrom, date + 30 days + DELAY, "after the delay");
    }

    function test_a_cancelled_proposal_closes_nothing() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        uint64 third = propose(keyIds, 2, 4, activeFrom(3));
        vm.assertEq(registry.getEpoch(1).activeUntil, activeFrom(2), "closed by the second");
        vm.prank(GUARDIAN);
        registry.cancelEpoch(second);
        vm.assertEq(registry.getEpoch(1).activeUntil, activeFrom(3), "closed by the third");
        vm.assertEq(registry.activeEpoch(activeFrom(2)), 1, "the first goes on");
        vm.prank(GOVERNANCE);
        registry.cancelEpoch(third);
        vm.assertEq(registry.getEpoch(1).activeUntil, 0, "closed by none");
        expectAt(good, activeFrom(3), Status.OK, "the first goes on");

        bytes memory moved = Certify.edit(good, Certify.EPOCH, abi.encodePacked(second));
        expectAt(moved, activeFrom(2), Status.NOT_YET, "cancelled for ever");
        expectAt(moved, type(uint64).max, Status.NOT_YET, "cancelled for ever");
        vm.assertTrue(registry.getEpoch(second).cancelled, "cancelled");
        vm.assertEq(registry.getEpoch(second).revokedAt, 0, "not revoked");
        vm.assertEq(propose(keyIds, 2, 4, 0), 4, "numbers are not used again");
    }

    function test_what_is_active_is_not_cancelled() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        address[2] memory allowed = [GUARDIAN, GOVERNANCE];
        vm.warp(activeFrom(2));
        for (uint256 i = 0; i < allowed.length; ++i) {
            for (uint64 epoch = 1; epoch <= second; ++epoch) {
                vm.prank(allowed[i]);
                vm.expectRevert(abi.encodeWithSelector(Epochs.AlreadyActive.selector, epoch));
                registry.cancelEpoch(epoch);
            }
        }
        vm.warp(activeFrom(2) - 1);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, STRANGER));
        registry.cancelEpoch(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Epochs.NotYetActive.selector, second));
        registry.revokeEpoch(second);
        vm.prank(GUARDIAN);
        registry.cancelEpoch(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Epochs.AlreadyCancelled.selector, second));
        registry.cancelEpoch(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Epochs.AlreadyCancelled.selector, second));
        registry.revokeEpoch(second);
    }

    function test_an_epoch_reads_back_as_proposed() external view {
        Epoch memory epoch = registry.getEpoch(1);
        vm.assertEq(epoch.originalShards, 2, "k");
        vm.assertEq(epoch.totalShards, 5, "n");
        vm.assertEq(epoch.threshold, 4, "t");
        vm.assertEq(epoch.maxPayload, 32 << 20, "maxPayload");
        vm.assertEq(epoch.activeFrom, activeFrom(1), "activeFrom");
        vm.assertEq(uint256(epoch.activeUntil) + epoch.revokedAt, 0, "neither closed nor revoked");
        vm.assertFalse(epoch.cancelled, "cancelled");
        // Code that does nothing when it is called.
        vm.assertEq(epoch.keys.code.length > 0 ? uint8(epoch.keys.code[0]) : 1, 0, "STOP");
    }
}
