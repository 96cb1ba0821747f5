// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epoch} from "../src/Epochs.sol";
import {Status} from "../src/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Random sequences of proposals, cancellations and revocations, beside a model that is too simple to be wrong: a list
/// of epochs, looked through from the start every time.
contract EpochModelTest is Fixture {
    uint256 private constant STEPS = 24;

    struct Modelled {
        uint64 from;
        uint64 revokedAt;
        bool cancelled;
    }

    /// An answer that was given of the second it was given in.
    struct Answer {
        uint64 time;
        uint64 epoch;
        Status status;
        uint64 active;
    }

    /// Epoch `i + 1` at place `i`.
    Modelled[] private epochs;
    Answer[] private answers;
    bytes32[] private keyIds;
    /// A certificate that gets as far as the namespace, which nobody has created.
    bytes private certificate;
    uint256 private random;
    /// The registry's.
    uint64 private delay = DELAY;

    function setUp() external {
        deploy();
        _start();
    }

    function testFuzz_any_history_of_epochs(uint256 seed) external {
        _anyHistory(seed);
    }

    /// What is said holds from the next second on, never in the one in which it is said.
    function testFuzz_any_history_of_epochs_without_a_delay(uint256 seed) external {
        delay = 0;
        registry = deployRegistry(GOVERNANCE, GUARDIAN, 0);
        _start();
        _anyHistory(seed);
    }

    function _start() private {
        keyIds = registerAll(Golden.committee(Golden.certificates(), 0).members);
        certificate = Certify.by(Golden.statement("n5"), 0x1f);
    }

    function _anyHistory(uint256 seed) private {
        random = seed;
        for (uint256 step = 0; step < STEPS; ++step) {
            uint256 action = _random(8);
            if (action < 4) _propose();
            else if (action < 6) _cancel(uint64(_random(epochs.length + 1)) + 1);
            else _revoke(uint64(_random(epochs.length + 1)) + 1);
            _remember();
            _compare(uint64(block.timestamp));
            _compare(uint64(block.timestamp + _random(4 * DELAY)));
            _compare(START + uint64(_random(block.timestamp - START + 1)));
            // Often more than one thing happens in a second.
            if (_random(3) != 0) vm.warp(block.timestamp + _random(DELAY));
        }
        for (uint256 i = 0; i < answers.length; ++i) {
            Answer memory a = answers[i];
            vm.assertEq(uint256(_status(a.epoch, a.time)), uint256(a.status), "what was said stands");
            vm.assertEq(registry.activeEpoch(a.time), a.active, "what was active then");
        }
    }

    function _propose() private {
        uint64 last = _last();
        uint64 earliest = uint64(block.timestamp) + (delay == 0 ? 1 : delay);
        if (last != 0 && epochs[last - 1].from >= earliest) earliest = epochs[last - 1].from + 1;
        // Sometimes no date, sometimes one that is too early.
        uint64 from = _random(3) == 0 ? 0 : earliest - 2 + uint64(_random(DELAY));
        vm.prank(GOVERNANCE);
        try registry.proposeEpoch(keyIds, 2, 4, 32 << 20, from) returns (uint64 epoch) {
            vm.assertTrue(from == 0 || from >= earliest, "too early");
            epochs.push(Modelled({from: from == 0 ? earliest : from, revokedAt: 0, cancelled: false}));
            vm.assertEq(epoch, epochs.length, "number");
        } catch {
            vm.assertTrue(from != 0 && from < earliest, "refused");
        }
    }

    function _cancel(uint64 epoch) private {
        bool may = epoch <= epochs.length && !epochs[epoch - 1].cancelled && block.timestamp < epochs[epoch - 1].from;
        vm.prank(_random(2) == 0 ? GUARDIAN : GOVERNANCE);
        try registry.cancelEpoch(epoch) {
            vm.assertTrue(may, "cancelled");
            epochs[epoch - 1].cancelled = true;
        } catch {
            vm.assertFalse(may, "not cancelled");
        }
    }

    function _revoke(uint64 epoch) private {
        bool may = epoch <= epochs.length && !epochs[epoch - 1].cancelled && epochs[epoch - 1].revokedAt == 0
            && block.timestamp >= epochs[epoch - 1].from;
        vm.prank(GUARDIAN);
        try registry.revokeEpoch(epoch) {
            vm.assertTrue(may, "revoked");
            epochs[epoch - 1].revokedAt = uint64(block.timestamp) + 1;
        } catch {
            vm.assertFalse(may, "not revoked");
        }
    }

    function _remember() private {
        uint64 time = uint64(block.timestamp);
        for (uint64 epoch = 1; epoch <= epochs.length; ++epoch) {
            answers.push(Answer(time, epoch, _status(epoch, time), registry.activeEpoch(time)));
        }
    }

    /// The registry says of this time what the model says.
    function _compare(uint64 time) private view {
        uint64 active;
        for (uint64 epoch = 1; epoch <= epochs.length; ++epoch) {
            Modelled memory m = epochs[epoch - 1];
            uint64 until = _until(epoch);
            Status expected = Status.UNKNOWN_NAMESPACE;
            if (m.cancelled || time < m.from) expected = Status.NOT_YET;
            else if (until != 0 && time >= until) expected = Status.EPOCH_CLOSED;
            else if (m.revokedAt != 0 && time >= m.revokedAt) expected = Status.REVOKED;
            else active = epoch;
            vm.assertEq(uint256(_status(epoch, time)), uint256(expected), "status");

            Epoch memory read = registry.getEpoch(epoch);
            vm.assertEq(read.activeFrom, m.from, "activeFrom");
            vm.assertEq(read.revokedAt, m.revokedAt, "revokedAt");
            vm.assertTrue(read.cancelled == m.cancelled, "cancelled");
            if (!m.cancelled) vm.assertEq(read.activeUntil, until, "activeUntil");
        }
        // At most one epoch is active, and it is the one that the registry names.
        vm.assertEq(registry.activeEpoch(time), active, "active epoch");
        vm.assertEq(registry.epochCount(), epochs.length, "count");
        vm.assertEq(
            uint256(_status(uint64(epochs.length) + 1, time)), uint256(Status.UNKNOWN_EPOCH), "no such epoch"
        );
    }

    function _status(uint64 epoch, uint64 time) private view returns (Status) {
        return registry.verify(Certify.edit(certificate, Certify.EPOCH, abi.encodePacked(epoch)), time);
    }

    /// When the next epoch that was not cancelled is active; 0 if there is none.
    function _until(uint64 epoch) private view returns (uint64) {
        for (uint256 i = epoch; i < epochs.length; ++i) {
            if (!epochs[i].cancelled) return epochs[i].from;
        }
        return 0;
    }

    function _last() private view returns (uint64 last) {
        for (uint64 epoch = 1; epoch <= epochs.length; ++epoch) {
            if (!epochs[epoch - 1].cancelled) last = epoch;
        }
    }

    function _random(uint256 below) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % below;
    }
}
