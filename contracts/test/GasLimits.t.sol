// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {IEpochs} from "../interfaces/IEpochs.sol";
import {IKeys} from "../interfaces/IKeys.sol";
import {Status} from "../interfaces/Status.sol";
import {RecordingConsumer} from "./RecordingConsumer.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Member, Signed} from "./support/Golden.sol";
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

    /// A proposal stores an epoch with its keys, or nothing: what creates its code may run out of gas by itself.
    function test_a_proposal_at_any_limit() external {
        bytes32[] memory keyIds = keyIdsOf(3);
        bytes memory call = abi.encodeCall(
            IEpochs.proposeEpoch, (keysOf(keyIds), operators(keyIds.length), 3, 17, 32 << 20, 0)
        );
        (uint256 refused, uint256 stored) = (0, 0);
        for (uint256 gasLimit = 50_000; stored < 5; gasLimit += 2_500) {
            uint64 count = registry.epochCount();
            vm.prank(GOVERNANCE);
            (bool ok,) = address(registry).call{gas: gasLimit}(call);
            vm.assertEq(registry.epochCount(), ok ? count + 1 : count, "counted");
            if (ok) {
                vm.assertEq(registry.getEpoch(count + 1).keys.code.length, 288 + 256 * 20, "with its keys");
                vm.assertEq(keccak256(registry.slotKeys(count + 1)), keccak256(keysOf(keyIds)), "with its keys");
                ++stored;
            } else {
                ++refused;
            }
        }
        vm.assertGt(refused, 100, "refused");
    }

    /// A key is registered after its proof was checked, or not at all.
    function test_a_registration_at_any_limit() external {
        Member memory good = Golden.committee(Golden.certificates(), 3).members[0];
        Member memory bad = Member(good.compressedKey, good.key, Golden.committee(Golden.certificates(), 3).members[1].proof);
        bytes32 keyId = keccak256(good.key);
        uint256 refused;
        for (uint256 gasLimit = 20_000; gasLimit < 400_000; gasLimit += 1_000) {
            vm.prank(OPERATOR);
            (bool ok,) = address(registry).call{gas: gasLimit}(abi.encodeCall(IKeys.registerKey, (bad.key, bad.proof)));
            vm.assertFalse(ok, "a bad proof");
            vm.prank(OPERATOR);
            (ok,) = address(registry).call{gas: gasLimit}(abi.encodeCall(IKeys.registerKey, (good.key, good.proof)));
            vm.assertEq(registry.keyAccount(keyId), ok ? OPERATOR : address(0), "account");
            if (ok) break;
            ++refused;
        }
        vm.assertEq(registry.keyAccount(keyId), OPERATOR, "with enough gas");
        vm.assertGt(refused, 100, "refused");
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
        if (recorded) vm.assertEq(verdict, uint256(expected), vm.toString(gasLimit));
        vm.assertTrue(recorded ? ok : caught || !ok, "a call that fails records nothing");
        if (recorded) ++verdicts;
        else ++failures;
    }
}
