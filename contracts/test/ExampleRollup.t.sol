// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ExampleRollup, IProofVerifier} from "../examples/ExampleRollup.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm, Vm} from "./support/Vm.sol";

/// A proof system that takes one statement, and the public input as its proof of it.
contract EchoVerifier is IProofVerifier {
    function verify(bytes calldata proof, bytes32 publicInput) external pure returns (bool) {
        return keccak256(proof) == keccak256(abi.encode(publicInput));
    }
}

/// The rollup that integrators copy: each of its checks, with what happens to those who leave it out.
contract ExampleRollupTest is Fixture {
    bytes32 private constant GENESIS = keccak256("genesis");
    bytes32 private constant NEXT = keccak256("next");

    ExampleRollup private rollup;
    bytes private certificate;
    bytes32 private blobId;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        vm.warp(during(2));
        certificate = Certify.by(Golden.statement("n7"), 0x6f);
        blobId = vm.parseJsonBytes32(Golden.signed(), ".statements['n7'].blobId");
        rollup = new ExampleRollup(registry, namespace, new EchoVerifier(), GENESIS);
    }

    function test_a_batch_whose_data_is_available() external {
        vm.recordLogs();
        rollup.commit(certificate, NEXT, _proof(GENESIS, NEXT, blobId));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].topics[0], ExampleRollup.BatchCommitted.selector, "event");
        vm.assertEq(uint256(logs[0].topics[1]), 1, "batch");
        vm.assertEq(logs[0].topics[2], blobId, "blob id");
        vm.assertEq(logs[0].data, abi.encode(NEXT), "state");
        vm.assertEq(rollup.stateRoot(), NEXT, "state");
    }

    /// An operator proves a batch that it keeps to itself, beside a certificate of data that everybody may have.
    function test_a_proof_about_other_data_than_is_available() external {
        bytes32[2] memory others = [keccak256("withheld"), bytes32(0)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodePacked(ExampleRollup.BadProof.selector));
            rollup.commit(certificate, NEXT, _proof(GENESIS, NEXT, others[i]));
        }
        vm.assertEq(rollup.stateRoot(), GENESIS, "as it was");
    }

    function test_data_of_another_rollup() external {
        ExampleRollup other = new ExampleRollup(registry, otherNamespace, new EchoVerifier(), GENESIS);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.WrongNamespace.selector, namespace));
        other.commit(certificate, NEXT, _proof(GENESIS, NEXT, blobId));
    }

    function test_data_that_is_not_available() external {
        bytes memory proof = _proof(GENESIS, NEXT, blobId);
        bytes memory few = Certify.by(Golden.statement("n7"), 0x1f);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.BELOW_THRESHOLD));
        rollup.commit(few, NEXT, proof);
        vm.warp(retainUntil - MIN_RETENTION + 1);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.RETENTION_TOO_SHORT));
        rollup.commit(certificate, NEXT, proof);
    }

    /// Whoever picks the gas limit makes the commit fail, and never succeed without a verdict.
    function test_a_commit_with_too_little_gas() external {
        bytes memory call = abi.encodeCall(ExampleRollup.commit, (certificate, NEXT, _proof(GENESIS, NEXT, blobId)));
        uint256 committed;
        for (uint256 gasLimit = 30_000; gasLimit < 400_000; gasLimit += 1_001) {
            (bool ok,) = address(rollup).call{gas: gasLimit}(call);
            vm.assertEq(rollup.stateRoot(), ok ? NEXT : GENESIS, "all or nothing");
            if (!ok) continue;
            ++committed;
            break;
        }
        vm.assertEq(committed, 1, "with enough of it");
    }

    /// A rollup set up with an address that is no registry accepts nothing.
    function test_a_registry_that_is_not_there() external {
        ExampleRollup broken = new ExampleRollup(IAvailability(address(0x1234)), namespace, new EchoVerifier(), GENESIS);
        (bool ok,) = address(broken).call(
            abi.encodeCall(ExampleRollup.commit, (certificate, NEXT, _proof(GENESIS, NEXT, blobId)))
        );
        vm.assertFalse(ok, "committed");
    }

    function test_a_batch_in_a_checkpoint() external {
        Signed memory what = Golden.checkpoint("of 200");
        string memory json = Golden.signed();
        bytes32 id = vm.parseJsonBytes32Array(json, ".checkpoints['of 200'].blobIds")[5];
        uint256 index = vm.parseJsonUintArray(json, ".checkpoints['of 200'].indices")[5];
        bytes memory path = vm.parseJsonBytesArray(json, ".checkpoints['of 200'].paths")[5];
        bytes memory inclusion = bytes.concat(what.head, bytes4(uint32(index)), path);
        bytes memory proof = _proof(GENESIS, NEXT, id);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.UNKNOWN_CHECKPOINT));
        rollup.commitInCheckpoint(id, inclusion, NEXT, proof);
        registry.publishCheckpoint(Certify.by(what, 0x6f));
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.NOT_INCLUDED));
        rollup.commitInCheckpoint(blobId, inclusion, NEXT, _proof(GENESIS, NEXT, blobId));
        vm.expectRevert(abi.encodePacked(ExampleRollup.BadProof.selector));
        rollup.commitInCheckpoint(id, inclusion, NEXT, _proof(GENESIS, NEXT, blobId));
        rollup.commitInCheckpoint(id, inclusion, NEXT, proof);
        vm.assertEq(rollup.stateRoot(), NEXT, "state");
    }

    function _proof(bytes32 from, bytes32 to, bytes32 about) private pure returns (bytes memory) {
        return abi.encode(keccak256(abi.encode(from, to, about)));
    }
}
