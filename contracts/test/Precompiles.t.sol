// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {IKeys} from "../interfaces/IKeys.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Member, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Precompiles that are not there, or ask more gas than the registry pays: what a chain may do to a registry that nobody
/// can change.
contract PrecompilesTest is Fixture {
    address private constant SHA256 = address(0x02);
    address private constant G1_ADD = address(0x0b);
    address private constant G1_MULTIPLICATION = address(0x0c);
    address private constant G2_ADD = address(0x0d);
    address private constant PAIRING = address(0x0f);
    address private constant MAP_TO_G1 = address(0x10);

    bytes private good;
    bytes private offCurve;
    bytes private others;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(1);
        Signed memory what = Golden.statement("n5");
        good = Certify.by(what, 0x1f);
        bytes memory point = Certify.sum(what, 0x1f);
        others = Certify.with(what, 0x0f, point);
        point[127] ^= 0x01;
        offCurve = Certify.with(what, 0x1f, point);
        vm.warp(during(1));
    }

    /// A chain that lacks a single one of them is refused at deployment, not when it is too late.
    function test_the_constructor_asks_every_precompile() external {
        address[5] memory used = [G1_ADD, G1_MULTIPLICATION, G2_ADD, PAIRING, MAP_TO_G1];
        for (uint256 i = 0; i < used.length; ++i) {
            // Without a precompile a call succeeds with nothing.
            vm.mockCall(used[i], "", "");
            vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
            this.deployOnce();
            vm.clearMockedCalls();
            // One that fails.
            vm.mockCallRevert(used[i], "", "");
            vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
            this.deployOnce();
            vm.clearMockedCalls();
        }
        this.deployOnce();
    }

    /// Were it an answer, every valid certificate would be recorded as bad for ever.
    function test_a_pairing_dearer_than_is_paid_is_no_verdict() external {
        Status[3] memory before = [Status.OK, Status.BAD_SIGNATURE, Status.BAD_SIGNATURE];
        bytes[3] memory certificates = [good, others, offCurve];
        for (uint256 i = 0; i < 3; ++i) {
            expect(certificates[i], before[i], "before");
        }
        vm.mockCallRevert(PAIRING, "", "");
        for (uint256 i = 0; i < 2; ++i) {
            _failsToJudge(certificates[i]);
        }
        // Of a point off the curve it is known without a pairing.
        expect(offCurve, Status.BAD_SIGNATURE, "off the curve");
        vm.clearMockedCalls();
        for (uint256 i = 0; i < 3; ++i) {
            expect(certificates[i], before[i], "after");
        }
    }

    /// The multiplication that tells the two apart may have become dearer too.
    function test_all_of_them_dearer_is_no_verdict() external {
        vm.mockCallRevert(PAIRING, "", "");
        vm.mockCallRevert(G1_MULTIPLICATION, "", "");
        _failsToJudge(good);
        _failsToJudge(others);
        _failsToJudge(offCurve);
        vm.clearMockedCalls();
        // Alone it is not asked while pairings are paid for.
        vm.mockCallRevert(G1_MULTIPLICATION, "", "");
        expect(good, Status.OK, "good");
        expect(others, Status.BAD_SIGNATURE, "of others");
        _failsToJudge(offCurve);
    }

    function test_a_precompile_that_went_away_is_no_verdict() external {
        vm.mockCall(PAIRING, "", "");
        _failsToJudge(good);
        vm.clearMockedCalls();
    }

    /// SHA-256 is what proofs of inclusion hang on.
    function test_a_hash_that_fails_is_no_verdict() external {
        Signed memory what = Golden.checkpoint("of 1");
        registry.publishCheckpoint(Certify.by(what, 0x1f));
        bytes32 blobId = vm.parseJsonBytes32Array(Golden.signed(), ".checkpoints['of 1'].blobIds")[0];
        bytes memory proof = bytes.concat(what.head, bytes4(0));
        vm.assertEq(uint256(registry.verifyInCheckpoint(blobId, proof, during(1))), uint256(Status.OK), "proof");
        vm.mockCallRevert(SHA256, "", "");
        vm.expectRevert(abi.encodePacked(IAvailability.HashFailed.selector));
        registry.verifyInCheckpoint(blobId, proof, during(1));
    }

    function test_a_proof_of_possession_without_a_pairing() external {
        Member memory stranger = Golden.committee(Golden.certificates(), 1).members[0];
        vm.mockCallRevert(PAIRING, "", "");
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodePacked(IKeys.BadProofOfPossession.selector));
        registry.registerKey(stranger.key, stranger.proof);
        vm.clearMockedCalls();
        register(stranger);
    }

    function deployOnce() external {
        deployRegistry(GOVERNANCE, GUARDIAN, DELAY, OVERLAP);
    }

    function _failsToJudge(bytes memory certificate) private {
        vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
        registry.verify(certificate, uint64(block.timestamp));
        vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
        registry.judge(certificate);
        vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
        registry.verifySignature(certificate);
        vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
        registry.publish(certificate);
    }
}
