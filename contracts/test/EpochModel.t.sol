// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epoch} from "../interfaces/IEpochs.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Member} from "./support/Golden.sol";
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

    /// An answer that was given, of any time that was asked for.
    struct Answer {
        uint64 time;
        uint64 epoch;
        Status status;
    }

    /// Epoch `i + 1` at place `i`.
    Modelled[] private epochs;
    Answer[] private answers;
    mapping(uint64 time => uint64) private active;
    bytes32[] private keyIds;
    bytes private keys;
    address[] private accounts;
    /// A certificate that gets as far as the namespace, which nobody has created.
    bytes private certificate;
    uint256 private random;
    /// The registry's.
    uint64 private delay = DELAY;
    uint64 private overlap = OVERLAP;

    function setUp() external {
        deploy();
        _start(Golden.committee(Golden.certificates(), 0).members);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_the_same_question_has_the_same_answer_for_ever(uint256 seed) external {
        _anyHistory(seed);
    }

    /// What is said holds from the next second on, never in the one in which it is said.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_the_same_answer_for_ever_without_delay_and_overlap(uint256 seed) external {
        (delay, overlap) = (0, 0);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, 0, 0);
        _start(Golden.membersOfOtherRegistry());
        _anyHistory(seed);
    }

    /// An overlap that is longer than epochs are: certificates of several are good at a time.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_the_same_answer_for_ever_with_a_long_overlap(uint256 seed) external {
        (delay, overlap) = (0, 7 days);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, 0, 7 days);
        _start(Golden.membersOfOtherRegistry());
        _anyHistory(seed);
    }

    function _start(Member[] memory members) private {
        keyIds = registerAll(members);
        keys = keysOf(keyIds);
        accounts = operators(keyIds.length);
        certificate = Certify.by(Golden.statement("n5"), 0x1f);
    }

    function _anyHistory(uint256 seed) private {
        random = seed;
        for (uint256 step = 0; step < STEPS; ++step) {
            uint256 action = _random(8);
            if (action < 5) _propose();
            else if (action < 6) _cancel(uint64(_random(epochs.length + 1)) + 1);
            else _revoke(uint64(_random(epochs.length + 1)) + 1);
            uint64 now_ = uint64(block.timestamp);
            _compare(now_);
            _compare(uint64(now_ + _random(4 * DELAY)));
            _compare(START + uint64(_random(now_ - START + 1)));
            _remember(now_);
            _remember(uint64(now_ + _random(4 * DELAY)));
            active[now_] = registry.activeEpoch(now_);
            // Often more than one thing happens in a second.
            if (_random(3) != 0) vm.warp(now_ + _random(DELAY));
        }
        for (uint256 i = 0; i < answers.length; ++i) {
            Answer memory a = answers[i];
            vm.assertEq(uint256(_status(a.epoch, a.time)), uint256(a.status), "what was said stands");
            if (active[a.time] != 0) vm.assertEq(registry.activeEpoch(a.time), active[a.time], "what was active then");
        }
    }

    /// Every answer that is a verdict. Only where something is still unknown may another one follow.
    function _remember(uint64 time) private {
        for (uint64 epoch = 1; epoch <= epochs.length; ++epoch) {
            Status status = _status(epoch, time);
            if (status != Status.NOT_YET) answers.push(Answer(time, epoch, status));
            else vm.assertTrue(time > block.timestamp || time < epochs[epoch - 1].from, "not yet");
        }
    }

    function _propose() private {
        uint64 last = _last();
        uint64 earliest = uint64(block.timestamp) + (delay == 0 ? 1 : delay);
        if (last != 0 && epochs[last - 1].from >= earliest) earliest = epochs[last - 1].from + 1;
        // Sometimes no date, sometimes one that is too early.
        uint64 from = _random(3) == 0 ? 0 : earliest - 2 + uint64(_random(DELAY));
        uint256 proposals;
        for (uint256 i = 0; i < epochs.length; ++i) {
            if (!epochs[i].cancelled && epochs[i].from > block.timestamp) ++proposals;
        }
        vm.prank(GOVERNANCE);
        try registry.proposeEpoch(keys, accounts, 2, 4, 32 << 20, from) returns (uint64 epoch) {
            vm.assertTrue(from == 0 || from >= earliest, "too early");
            vm.assertLt(proposals, 8, "too many");
            epochs.push(Modelled({from: from == 0 ? earliest : from, revokedAt: 0, cancelled: false}));
            vm.assertEq(epoch, epochs.length, "number");
        } catch {
            vm.assertTrue((from != 0 && from < earliest) || proposals == 8, "refused");
        }
    }

    function _cancel(uint64 epoch) private {
        bool may = epoch <= epochs.length && !epochs[epoch - 1].cancelled && block.timestamp < epochs[epoch - 1].from;
        vm.prank(_random(2) == 0 ? GUARDIAN : GOVERNANCE);
        try registry.cancelFrom(epoch) {
            vm.assertTrue(may, "cancelled");
            for (uint256 i = epoch - 1; i < epochs.length; ++i) {
                epochs[i].cancelled = true;
            }
        } catch {
            vm.assertFalse(may, "not cancelled");
        }
    }

    function _revoke(uint64 epoch) private {
        bool may = epoch <= epochs.length && !epochs[epoch - 1].cancelled && block.timestamp >= epochs[epoch - 1].from
            && epochs[epoch - 1].revokedAt == 0;
        vm.prank(GUARDIAN);
        try registry.revokeEpoch(epoch) {
            vm.assertTrue(may, "revoked");
            epochs[epoch - 1].revokedAt = uint64(block.timestamp) + 1;
        } catch {
            vm.assertFalse(may, "not revoked");
        }
    }

    function _compare(uint64 time) private view {
        uint64 signing;
        for (uint64 epoch = 1; epoch <= epochs.length; ++epoch) {
            Modelled memory m = epochs[epoch - 1];
            uint64 until = _until(epoch);
            bool revoked = m.revokedAt != 0 && time >= m.revokedAt;
            Status expected = Status.UNKNOWN_NAMESPACE;
            if (m.cancelled) expected = Status.EPOCH_CANCELLED;
            else if (time < m.from || time > block.timestamp) expected = Status.NOT_YET;
            else if (until != 0 && time >= until + overlap) expected = Status.EPOCH_CLOSED;
            else if (revoked) expected = Status.REVOKED;
            vm.assertEq(uint256(_status(epoch, time)), uint256(expected), "status");
            // One epoch's members sign at a time, whatever the overlap.
            if (!m.cancelled && time >= m.from && (until == 0 || time < until) && !revoked) {
                vm.assertEq(signing, 0, "one epoch");
                signing = epoch;
            }

            Epoch memory read = registry.getEpoch(epoch);
            vm.assertEq(read.activeFrom, m.from, "activeFrom");
            vm.assertEq(read.revokedAt, m.revokedAt, "revokedAt");
            vm.assertTrue(read.cancelled == m.cancelled, "cancelled");
            vm.assertEq(read.activeUntil, until, "activeUntil");
            vm.assertEq(read.acceptedUntil, until == 0 ? 0 : until + overlap, "acceptedUntil");
        }
        vm.assertEq(registry.activeEpoch(time), signing, "active epoch");
        vm.assertEq(registry.epochCount(), epochs.length, "count");
        vm.assertEq(
            uint256(_status(uint64(epochs.length) + 1, time)), uint256(Status.UNKNOWN_EPOCH), "no such epoch"
        );
    }

    function _status(uint64 epoch, uint64 time) private view returns (Status) {
        return registry.verify(Certify.edit(certificate, Certify.EPOCH, abi.encodePacked(epoch)), time);
    }

    /// When the next epoch that was not cancelled is active; 0 if there is none, or this one is itself cancelled.
    function _until(uint64 epoch) private view returns (uint64) {
        if (epochs[epoch - 1].cancelled) return 0;
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
