// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epoch, IEpochs} from "../interfaces/IEpochs.sol";
import {IKeys} from "../interfaces/IKeys.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Who changes the committee, and how long beforehand it must be said.
contract EpochsTest is Fixture {
    bytes32[] private keyIds;
    bytes private keys;
    address[] private accounts;
    bytes private good;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(1);
        keyIds = keyIdsOf(1);
        keys = keysOf(keyIds);
        accounts = operators(5);
        good = Certify.by(Golden.statement("n5"), 0x1f);
        vm.warp(during(1));
    }

    function test_only_governance_proposes() external {
        address[3] memory senders = [GUARDIAN, STRANGER, OPERATOR];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(IRoles.NotGovernance.selector, senders[i]));
            registry.proposeEpoch(keys, accounts, 2, 4, 1, 0);
        }
    }

    function testFuzz_parameters_out_of_bounds(uint8 k, uint8 t, uint32 maxPayload) external {
        uint256 n = keyIds.length;
        bool inBounds =
            k >= 1 && k < n && k <= t && t <= n && 2 * uint256(t) > n && maxPayload >= 1 && maxPayload <= 1 << 30;
        if (!inBounds) {
            vm.expectRevert(abi.encodeWithSelector(IEpochs.BadParameters.selector, k, n, t, maxPayload));
        }
        vm.prank(GOVERNANCE);
        registry.proposeEpoch(keys, accounts, k, t, maxPayload, 0);
    }

    function test_payload_bounds_are_exact() external {
        uint32[2] memory refused = [uint32(0), (1 << 30) + 1];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.prank(GOVERNANCE);
            vm.expectRevert(abi.encodeWithSelector(IEpochs.BadParameters.selector, 2, 5, 4, refused[i]));
            registry.proposeEpoch(keys, accounts, 2, 4, refused[i], 0);
        }
        uint32[2] memory taken = [uint32(1), 1 << 30];
        for (uint256 i = 0; i < taken.length; ++i) {
            vm.prank(GOVERNANCE);
            uint64 epoch = registry.proposeEpoch(keys, accounts, 2, 4, taken[i], 0);
            vm.assertEq(registry.getEpoch(epoch).maxPayload, taken[i], "maxPayload");
        }
    }

    function test_every_pair_of_small_parameters() external {
        uint256 accepted;
        for (uint16 k = 0; k <= 6; ++k) {
            for (uint16 t = 0; t <= 6; ++t) {
                vm.prank(GOVERNANCE);
                try registry.proposeEpoch(keys, accounts, k, t, 1, 0) returns (uint64 epoch) {
                    ++accepted;
                    vm.assertTrue(k >= 1 && k < 5 && k <= t && t <= 5 && t >= 3, "accepted");
                    vm.prank(GOVERNANCE);
                    registry.cancelFrom(epoch);
                } catch (bytes memory reason) {
                    vm.assertEq(
                        reason, abi.encodeWithSelector(IEpochs.BadParameters.selector, k, 5, t, 1), "refused"
                    );
                }
            }
        }
        // t in 3..5 and k in 1..4, no more than t.
        vm.assertEq(accepted, 3 + 4 + 4, "accepted");
    }

    /// More than half must sign, also of an even number: two halves could otherwise certify against each other.
    function test_half_of_an_even_committee_is_no_threshold() external {
        address[] memory four = operators(4);
        bytes memory fourKeys = Certify.slice(keys, 0, 4 * 256);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.BadParameters.selector, 2, 4, 2, 1));
        registry.proposeEpoch(fourKeys, four, 2, 2, 1, 0);
        vm.prank(GOVERNANCE);
        registry.proposeEpoch(fourKeys, four, 2, 3, 1, 0);
    }

    /// No committee is larger than what a certificate and a checkpoint can name.
    function test_more_slots_than_the_protocol_has() external {
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.BadParameters.selector, 2, 127, 100, 1));
        registry.proposeEpoch(new bytes(127 * 256), operators(127), 2, 100, 1, 0);
        // One fewer is a matter of the keys.
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IKeys.UnknownKey.selector, keccak256(new bytes(256))));
        registry.proposeEpoch(new bytes(126 * 256), operators(126), 2, 100, 1, 0);
    }

    function test_as_many_accounts_as_keys() external {
        for (uint256 count = 3; count <= 7; ++count) {
            if (count == 5) continue;
            vm.prank(GOVERNANCE);
            vm.expectRevert(abi.encodePacked(IKeys.BadLength.selector));
            registry.proposeEpoch(keys, operators(count), 2, 4, 1, 0);
        }
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodePacked(IKeys.BadLength.selector));
        registry.proposeEpoch(bytes.concat(keys, hex"00"), accounts, 2, 4, 1, 0);
    }

    /// What governance agreed on names the accounts; a key that a member has registered for another since is refused.
    function test_a_proposal_is_bound_to_the_accounts_that_governance_looked_at() external {
        for (uint256 slot = 0; slot < 5; ++slot) {
            address[] memory others = operators(5);
            others[slot] = STRANGER;
            vm.prank(GOVERNANCE);
            vm.expectRevert(abi.encodeWithSelector(IKeys.NotKeyAccount.selector, OPERATOR));
            registry.proposeEpoch(keys, others, 2, 4, 1, 0);
        }
    }

    /// Of a key whose `y` alone was changed nothing is known: keys are compared whole, and not by their compressed form.
    function test_keys_with_another_y_are_unknown() external {
        for (uint256 place = 128; place < 256; place += 9) {
            bytes memory changed = bytes.concat(keys);
            changed[place] ^= 0x01;
            vm.prank(GOVERNANCE);
            vm.expectRevert(
                abi.encodeWithSelector(IKeys.UnknownKey.selector, keccak256(Certify.slice(changed, 0, 256)))
            );
            registry.proposeEpoch(changed, accounts, 2, 4, 1, 0);
        }
    }

    function test_a_proposal_takes_the_delay() external {
        uint64 now_ = uint64(block.timestamp);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.ActiveTooEarly.selector, now_ + DELAY - 1, now_ + DELAY));
        registry.proposeEpoch(keys, accounts, 2, 4, 1, now_ + DELAY - 1);
        vm.assertEq(propose(keyIds, 2, 4, now_ + DELAY), 2, "epoch");
        vm.warp(now_ + DELAY + OVERLAP);
        expectAt(good, now_ + DELAY + OVERLAP - 1, Status.OK, "until then");
        expectAt(good, now_ + DELAY + OVERLAP, Status.EPOCH_CLOSED, "from then on");
    }

    /// Epochs become active one after the other, and the times that are kept end somewhere.
    function test_activation_follows_the_epoch_before_and_ends_with_the_times() external {
        uint64 date = uint64(block.timestamp) + 2 * DELAY;
        propose(keyIds, 2, 4, date);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.ActiveTooEarly.selector, date, date + 1));
        registry.proposeEpoch(keys, accounts, 2, 4, 1, date);
        vm.assertEq(registry.getEpoch(propose(keyIds, 2, 4, 0)).activeFrom, date + 1, "as soon as may be");
        uint64 last = uint64(type(uint48).max) - 1;
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.ActiveTooLate.selector, last + 1, last));
        registry.proposeEpoch(keys, accounts, 2, 4, 1, last + 1);
        vm.assertEq(registry.getEpoch(propose(keyIds, 2, 4, last)).activeFrom, last, "the last second");
    }

    /// Governance agrees on a date, and its transaction is executed when the delay no longer fits.
    function test_a_multisig_that_is_late() external {
        uint64 date = uint64(block.timestamp) + 2 * DELAY;
        bytes memory call = abi.encodeCall(IEpochs.proposeEpoch, (keys, accounts, 2, 4, 1, date));
        uint64[3] memory executed = [date - DELAY + 1, date, date + 30 days];
        for (uint256 i = 0; i < executed.length; ++i) {
            vm.warp(executed[i]);
            vm.prank(GOVERNANCE);
            (bool ok, bytes memory reason) = address(registry).call(call);
            vm.assertFalse(ok, "nothing is said of a time without the delay");
            bytes memory expected =
                abi.encodeWithSelector(IEpochs.ActiveTooEarly.selector, date, executed[i] + DELAY);
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

    function test_an_epoch_reads_back_as_proposed() external view {
        Epoch memory epoch = registry.getEpoch(1);
        vm.assertEq(epoch.originalShards, 2, "k");
        vm.assertEq(epoch.totalShards, 5, "n");
        vm.assertEq(epoch.threshold, 4, "t");
        vm.assertEq(epoch.maxPayload, 32 << 20, "maxPayload");
        vm.assertEq(epoch.activeFrom, activeFrom(1), "activeFrom");
        vm.assertEq(uint256(epoch.activeUntil) + epoch.acceptedUntil + epoch.revokedAt, 0, "neither closed nor revoked");
        vm.assertFalse(epoch.cancelled, "cancelled");
        vm.assertEq(registry.slotKeys(1), keys, "keys");
    }

    /// The epoch's code is what members, readers and auditors compare: head, sum of the keys, keys negated.
    function test_the_code_of_an_epoch() external view {
        bytes memory code = registry.getEpoch(1).keys.code;
        vm.assertEq(code.length, 288 + 256 * 5, "bytes");
        bytes memory head = abi.encodePacked(
            uint128(0), uint16(2), uint16(5), uint16(4), uint32(32 << 20), uint48(activeFrom(1))
        );
        vm.assertEq(Certify.slice(code, 0, 32), head, "head");
        bytes memory total = new bytes(256);
        for (uint256 slot = 0; slot < 5; ++slot) {
            bytes memory negated = Certify.slice(code, 288 + 256 * slot, 544 + 256 * slot);
            bytes memory key = Certify.slice(keys, 256 * slot, 256 * slot + 256);
            (bool ok, bytes memory sum) = address(0x0d).staticcall(bytes.concat(key, negated));
            vm.assertTrue(ok && keccak256(sum) == keccak256(new bytes(256)), "the negated key");
            (ok, total) = address(0x0d).staticcall(bytes.concat(total, key));
            vm.assertTrue(ok, "keys");
        }
        vm.assertEq(Certify.slice(code, 32, 288), total, "the sum of all keys");
        // Called, it stops.
        (bool stopped, bytes memory nothing) = registry.getEpoch(1).keys.staticcall(hex"01020304");
        vm.assertTrue(stopped && nothing.length == 0, "STOP");
    }
}
