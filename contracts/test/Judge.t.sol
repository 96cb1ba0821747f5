// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// What a rollup learns of a certificate, a checkpoint and a proof, and that what is not good says nothing but why.
contract JudgeTest is Fixture {
    bytes private byShard;
    bytes private byPayload;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        byShard = Certify.by(Golden.statement("n7"), 0x6f);
        byPayload = Certify.by(Golden.statement("n7 by payload"), 0x3f);
        vm.warp(during(2));
    }

    function test_a_rollup_learns_what_was_certified() external view {
        _learns(byShard, "n7", bytes32(0));
        _learns(byPayload, "n7 by payload", bytes32(Certify.slice(byPayload, 45, 77)));
    }

    /// A stranger's certificate, however good, is not this rollup's data.
    function test_a_good_certificate_of_another_namespace() external {
        vm.expectRevert(abi.encodeWithSelector(IAvailability.WrongNamespace.selector, namespace));
        registry.requireAvailable(byShard, otherNamespace);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.WrongNamespace.selector, namespace));
        registry.requireAvailable(byShard, bytes32(0));
    }

    function test_what_is_not_good_says_nothing_but_why() external {
        Signed memory what = Golden.statement("n7");
        bytes memory good = byShard;
        _saysOnly(Certify.slice(good, 0, 320), Status.MALFORMED);
        _saysOnly(Certify.edit(good, Certify.EPOCH, abi.encodePacked(uint64(9))), Status.UNKNOWN_EPOCH);
        _saysOnly(Certify.edit(good, Certify.ORIGINAL_SHARDS, hex"0003"), Status.WRONG_PARAMETERS);
        _saysOnly(Certify.edit(good, Certify.NAMESPACE, abi.encode(otherNamespace)), Status.UNKNOWN_NAMESPACE);
        _saysOnly(Certify.by(what, 0x1f), Status.BELOW_THRESHOLD);
        _saysOnly(Certify.with(what, 0x7f, Certify.sum(what, 0x6f)), Status.BAD_SIGNATURE);
        _saysOnly(Certify.by(Golden.statement("n5"), 0x1f), Status.EPOCH_CLOSED);
        vm.warp(activeFrom(2) - 1);
        _saysOnly(good, Status.NOT_YET);
        vm.prank(GUARDIAN);
        registry.cancelFrom(2);
        _saysOnly(good, Status.EPOCH_CANCELLED);
    }

    function test_what_is_too_old_or_revoked_says_nothing_but_why() external {
        vm.warp(retainUntil - MIN_RETENTION + 1);
        _saysOnly(byShard, Status.RETENTION_TOO_SHORT);
        vm.prank(GUARDIAN);
        registry.revokeEpoch(2);
        vm.warp(block.timestamp + 1);
        _saysOnly(byShard, Status.REVOKED);
    }

    /// The three shapes are of one mind, in every second in which anything changes.
    function testFuzz_judge_says_what_verify_says_of_this_second(uint64 time, uint8 signers, uint256 bit) external {
        vm.warp(START + time % (retainUntil - START + 2 days));
        bytes memory certificate = Certify.by(Golden.statement("n7"), signers & 0x7f);
        if (bit % 3 == 0) certificate = Certify.flip(certificate, (bit / 3) % (certificate.length * 8));
        Status expected = registry.verify(certificate, uint64(block.timestamp));
        (Status status, bytes32 actual, bytes32 blobId, bytes32 digest) = registry.judge(certificate);
        vm.assertEq(uint256(status), uint256(expected), "status");
        vm.assertEq(actual, status == Status.OK ? namespace : bytes32(0), "namespace");
        vm.assertTrue((blobId != 0) == (status == Status.OK), "blob id");
        vm.assertEq(digest, bytes32(0), "payload digest, by shard");
    }

    function test_a_checkpoint_and_what_is_in_it() external {
        Signed memory what = Golden.checkpoint("of 200");
        bytes memory checkpoint = Certify.by(what, 0x6f);
        (Status status, bytes32 actual, bytes32 id, bytes32 root) = registry.judgeCheckpoint(checkpoint);
        vm.assertEq(uint256(status), uint256(Status.OK), "checkpoint");
        vm.assertEq(actual, namespace, "namespace");
        vm.assertEq(id, what.digest, "checkpoint id");
        vm.assertEq(root, bytes32(Certify.slice(checkpoint, 41, 73)), "root");

        (bytes32 blobId, bytes memory proof) = _proof();
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.UNKNOWN_CHECKPOINT));
        registry.requireInCheckpoint(blobId, proof, namespace);
        registry.publishCheckpoint(checkpoint);
        (status, actual) = registry.judgeInCheckpoint(blobId, proof);
        vm.assertEq(uint256(status), uint256(Status.OK), "proof");
        vm.assertEq(actual, namespace, "namespace");
        registry.requireInCheckpoint(blobId, proof, namespace);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.WrongNamespace.selector, namespace));
        registry.requireInCheckpoint(blobId, proof, otherNamespace);
        (status, actual) = registry.judgeInCheckpoint(~blobId, proof);
        vm.assertEq(uint256(status), uint256(Status.NOT_INCLUDED), "another blob");
        vm.assertEq(actual, bytes32(0), "nothing but why");
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.NOT_INCLUDED));
        registry.requireInCheckpoint(~blobId, proof, namespace);
    }

    function test_a_checkpoint_that_is_not_good_says_nothing_but_why() external {
        Signed memory what = Golden.checkpoint("of 200");
        bytes[3] memory bad = [
            Certify.by(what, 0x1f), Certify.with(what, 0x7f, Certify.sum(what, 0x6f)), Certify.by(what, 0x6f)
        ];
        Status[3] memory expected = [Status.BELOW_THRESHOLD, Status.BAD_SIGNATURE, Status.RETENTION_TOO_SHORT];
        for (uint256 i = 0; i < 3; ++i) {
            if (i == 2) vm.warp(retainUntil);
            (Status status, bytes32 actual, bytes32 id, bytes32 root) = registry.judgeCheckpoint(bad[i]);
            vm.assertEq(uint256(status), uint256(expected[i]), "status");
            vm.assertEq(actual | id | root, bytes32(0), "nothing but why");
        }
    }

    /// What was not judged does not read as good: not a variable that nobody set, not the zeros of an empty answer, and an
    /// address without code gives no answer at all.
    function test_no_verdict_is_not_a_good_one() external {
        Status unset;
        vm.assertTrue(unset == Status.NONE && unset != Status.OK, "a variable that nobody set");
        vm.assertEq(uint256(Status.OK), 1, "OK");
        vm.assertEq(uint256(abi.decode(new bytes(32), (Status))), uint256(Status.NONE), "zeros");
        IAvailability nobody = IAvailability(address(0x1234));
        try this.ask(nobody, byShard) {
            vm.assertTrue(false, "an address without code has answered");
        } catch {}
        (bool ok, bytes memory answer) =
            address(nobody).call(abi.encodeCall(IAvailability.verify, (byShard, uint64(block.timestamp))));
        vm.assertTrue(ok && answer.length == 0, "a bare call to it succeeds with nothing");
    }

    function ask(IAvailability whom, bytes calldata certificate) external view {
        whom.verify(certificate, uint64(block.timestamp));
    }

    function _learns(bytes memory certificate, string memory name, bytes32 payloadDigest) private view {
        bytes32 id = vm.parseJsonBytes32(Golden.signed(), string.concat(".statements['", name, "'].blobId"));
        (Status status, bytes32 actual, bytes32 blobId, bytes32 digest) = registry.judge(certificate);
        vm.assertEq(uint256(status), uint256(Status.OK), name);
        vm.assertEq(actual, namespace, "namespace");
        vm.assertEq(blobId, id, "blob id");
        vm.assertEq(digest, payloadDigest, "payload digest");
        (blobId, digest) = registry.requireAvailable(certificate, namespace);
        vm.assertEq(blobId, id, "blob id");
        vm.assertEq(digest, payloadDigest, "payload digest");
    }

    function _saysOnly(bytes memory certificate, Status expected) private {
        (Status status, bytes32 actual, bytes32 blobId, bytes32 digest) = registry.judge(certificate);
        vm.assertEq(uint256(status), uint256(expected), "judge");
        vm.assertEq(actual | blobId | digest, bytes32(0), "nothing but why");
        expect(certificate, expected, "verify");
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, expected));
        registry.requireAvailable(certificate, namespace);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, expected));
        registry.publish(certificate);
    }

    function _proof() private view returns (bytes32 blobId, bytes memory proof) {
        string memory json = Golden.signed();
        blobId = vm.parseJsonBytes32Array(json, ".checkpoints['of 200'].blobIds")[5];
        uint256 index = vm.parseJsonUintArray(json, ".checkpoints['of 200'].indices")[5];
        bytes memory path = vm.parseJsonBytesArray(json, ".checkpoints['of 200'].paths")[5];
        proof = bytes.concat(Golden.checkpoint("of 200").head, bytes4(uint32(index)), path);
    }
}
