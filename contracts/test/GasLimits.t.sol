// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../src/IAvailability.sol";
import {Status} from "../src/Status.sol";
import {RecordingConsumer} from "./RecordingConsumer.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Whoever picks the gas limit cannot have a valid certificate recorded as anything but OK, nor an invalid one as OK.
contract GasLimitsTest is Fixture {
    uint256 private constant LOWEST = 100_000;
    uint256 private constant HIGHEST = 1_000_000;

    RecordingConsumer private consumer;
    uint256 private verdicts;
    uint256 private failures;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(3);
        consumer = RecordingConsumer(create(COMPILED_CONSUMER, ""));
    }

    function test_a_valid_certificate_is_never_recorded_as_anything_but_ok() external {
        Signed memory what = Golden.statement("n20");
        vm.warp(during(3));
        _eachLimit(Certify.by(what, Certify.all(what)), Status.OK);
        // Three missing: keys are added up before the pairing.
        _eachLimit(Certify.by(what, 0xeeff7), Status.OK);
    }

    function test_a_bad_certificate_is_never_recorded_as_another_status() external {
        Signed memory what = Golden.statement("n5");
        vm.warp(during(1));
        // The pairing burns all it is given where a point is not on the curve.
        bytes memory offCurve = Certify.sum(what, 0x1f);
        offCurve[127] ^= 0x01;
        _eachLimit(Certify.with(what, 0x1f, offCurve), Status.BAD_SIGNATURE);
        _eachLimit(Certify.with(what, 0x0f, Certify.sum(what, 0x1f)), Status.BAD_SIGNATURE);
    }

    function testFuzz_any_limit(uint256 gasLimit, bool caught) external {
        Signed memory what = Golden.statement("n5");
        vm.warp(during(1));
        _record(Certify.by(what, 0x1f), 21_000 + gasLimit % 600_000, caught, Status.OK);
    }

    /// The verdict on a proof of inclusion hangs on calls of SHA-256, which fail where gas is short.
    function testFuzz_a_proof_at_any_limit(uint256 gasLimit) external {
        Signed memory what = Golden.checkpoint("of 200");
        vm.warp(during(2));
        registry.publishCheckpoint(Certify.by(what, Certify.all(what)));
        string memory json = Golden.signed();
        bytes32 blobId = vm.parseJsonBytes32Array(json, ".checkpoints['of 200'].blobIds")[5];
        uint256 index = vm.parseJsonUintArray(json, ".checkpoints['of 200'].indices")[5];
        bytes memory path = vm.parseJsonBytesArray(json, ".checkpoints['of 200'].paths")[5];
        bytes memory proof = bytes.concat(what.head, bytes4(uint32(index)), path);
        (bool ok, bytes memory answer) = address(registry).staticcall{gas: gasLimit % 60_000}(
            abi.encodeCall(IAvailability.verifyInCheckpoint, (blobId, proof, during(2)))
        );
        if (ok) vm.assertEq(answer, abi.encode(Status.OK), "verdict");
    }

    function _eachLimit(bytes memory certificate, Status expected) private {
        (verdicts, failures) = (0, 0);
        for (uint256 gasLimit = LOWEST; gasLimit <= HIGHEST; gasLimit += 10_000) {
            _record(certificate, gasLimit, false, expected);
            _record(certificate, gasLimit, true, expected);
        }
        // Both happened, so the limits reach to both sides of what it takes.
        vm.assertGt(verdicts, 50, "verdicts");
        vm.assertGt(failures, 10, "failures");
        // More gas never turns a verdict into a failure, so that the edge is one number: look closely at it.
        uint256 low = LOWEST;
        uint256 high = HIGHEST;
        while (low + 1 < high) {
            uint256 middle = (low + high) / 2;
            if (_record(certificate, middle, false, expected)) high = middle;
            else low = middle;
        }
        for (uint256 gasLimit = high - 300; gasLimit < high + 300; gasLimit += 7) {
            bool recorded = _record(certificate, gasLimit, false, expected);
            vm.assertTrue(recorded == (gasLimit >= high), "one edge");
            _record(certificate, gasLimit, true, expected);
        }
    }

    /// Whether a verdict was recorded with this much gas, which then is the expected one.
    function _record(bytes memory certificate, uint256 gasLimit, bool caught, Status expected)
        private
        returns (bool recorded)
    {
        bytes memory call = caught
            ? abi.encodeCall(consumer.tryRecord, (registry, certificate, uint64(block.timestamp)))
            : abi.encodeCall(consumer.record, (registry, certificate, uint64(block.timestamp)));
        // As new: `recorded` is its only storage.
        vm.store(address(consumer), bytes32(0), bytes32(0));
        (bool ok,) = address(consumer).call{gas: gasLimit}(call);
        uint256 verdict = consumer.recorded();
        recorded = verdict != 0;
        if (recorded) vm.assertEq(verdict, uint256(expected) + 1, vm.toString(gasLimit));
        vm.assertTrue(recorded ? ok : caught || !ok, "a call that fails records nothing");
        if (recorded) ++verdicts;
        else ++failures;
    }
}
