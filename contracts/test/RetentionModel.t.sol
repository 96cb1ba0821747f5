// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {NamespaceInfo} from "../interfaces/INamespaces.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Random changes of a namespace's minimum retention, beside a model that is too simple to be wrong: a list of what
/// holds from when, looked through from the start every time.
contract RetentionModelTest is Fixture {
    uint256 private constant STEPS = 24;
    uint64 private constant HOUR = 3600;

    struct Change {
        uint64 from;
        uint64 retention;
    }

    /// What the registry said of a second, in that second.
    struct Answer {
        uint64 time;
        uint64 retention;
    }

    Change[] private changes;
    Answer[] private answers;
    uint64 private existsFrom;
    /// A certificate without signers, which are looked at after the retention.
    bytes private certificate;
    uint256 private random;

    function setUp() external {
        deploy();
        proposeCommittees(1);
        vm.warp(activeFrom(1));
        createNamespace();
        // Of a time to come nothing is said: the last comparisons are some time after the last change.
        existsFrom = uint64(block.timestamp) + 1;
        changes.push(Change(existsFrom, MIN_RETENTION));
        certificate = Certify.with(Golden.statement("n5"), 0, Golden.statement("n5").signatures[0]);
    }

    function testFuzz_any_history_of_retentions(uint256 seed) external {
        random = seed;
        for (uint256 step = 0; step < STEPS; ++step) {
            _change(uint64(_random(5)) * 10 * HOUR + uint64(_random(3)));
            if (block.timestamp >= existsFrom) {
                uint64 now_ = uint64(block.timestamp);
                answers.push(Answer(now_, registry.namespaceOf(namespace).minRetention));
                _compare(now_);
                _compare(existsFrom + uint64(_random(now_ - existsFrom + 1)));
            }
            _compareInfo();
            // Often more than one thing is said in a second; sometimes a change takes effect in this very second.
            uint256 pause = _random(4);
            if (pause == 1) vm.warp(block.timestamp + 1);
            if (pause == 2) vm.warp(block.timestamp + _random(2 * DELAY));
            if (pause == 3) vm.warp(block.timestamp + DELAY);
        }
        vm.warp(block.timestamp + 3 * DELAY);
        for (uint256 i = 0; i < answers.length; ++i) {
            _expect(answers[i].time, answers[i].retention);
        }
        for (uint64 time = existsFrom; time <= block.timestamp; time += DELAY / 3) {
            _compare(time);
        }
        for (uint256 i = 0; i < changes.length; ++i) {
            _compare(changes[i].from);
            if (i > 0) _compare(changes[i].from - 1);
        }
    }

    function _change(uint64 retention) private {
        uint64 now_ = uint64(block.timestamp);
        uint64 inForce = now_ < existsFrom ? changes[0].retention : _modelled(now_);
        vm.prank(owner);
        registry.setMinRetention(namespace, retention);
        // What was said and does not hold yet is replaced, but not what holds from the beginning.
        while (changes.length > 1 && changes[changes.length - 1].from > now_) changes.pop();
        if (retention > inForce) changes.push(Change(now_ + 1 hours, retention));
        if (retention < inForce) changes.push(Change(now_ + DELAY, retention));
    }

    function _modelled(uint64 time) private view returns (uint64 retention) {
        for (uint256 i = 0; i < changes.length; ++i) {
            if (changes[i].from <= time) retention = changes[i].retention;
        }
    }

    function _compare(uint64 time) private view {
        _expect(time, _modelled(time));
    }

    /// Finds the retention out as a rollup does: by how long a certificate must be kept, on the hourly grid.
    function _expect(uint64 time, uint64 retention) private view {
        uint64 enough = (time + retention + HOUR - 1) / HOUR * HOUR;
        vm.assertEq(uint256(_status(enough, time)), uint256(Status.BELOW_THRESHOLD), "kept for long enough");
        vm.assertEq(uint256(_status(enough - HOUR, time)), uint256(Status.RETENTION_TOO_SHORT), "an hour less");
    }

    function _compareInfo() private view {
        NamespaceInfo memory info = registry.namespaceOf(namespace);
        uint64 now_ = uint64(block.timestamp);
        vm.assertEq(info.minRetention, now_ < existsFrom ? changes[0].retention : _modelled(now_), "in force");
        vm.assertEq(info.existsFrom, existsFrom, "existsFrom");
        Change memory last = changes[changes.length - 1];
        bool pending = changes.length > 1 && last.from > now_;
        vm.assertEq(info.nextFrom, pending ? last.from : 0, "nextFrom");
        vm.assertEq(info.nextMinRetention, pending ? last.retention : 0, "nextMinRetention");
    }

    function _status(uint64 keptUntil, uint64 time) private view returns (Status) {
        return registry.verify(Certify.edit(certificate, Certify.RETAIN_UNTIL, abi.encodePacked(keptUntil)), time);
    }

    function _random(uint256 below) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % below;
    }
}
