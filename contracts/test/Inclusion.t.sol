// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Proofs that a blob is in a checkpoint, good and forged.
contract InclusionTest is Fixture {
    /// Offsets in a proof.
    uint256 private constant INDEX = 85;
    uint256 private constant PATH = 89;

    string[5] private names = ["of 1", "of 2", "of 5", "of 200", "of 4096"];
    /// Leaf 127 of 200 and its proof, from a checkpoint published at `published`.
    bytes32 private blobId;
    bytes private good;
    uint64 private published;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        published = during(2);
        bytes32[] memory blobIds;
        bytes[] memory proofs;
        (blobIds, proofs) = _proofs("of 200");
        (blobId, good) = (blobIds[7], proofs[7]);
        vm.assertEq(_index(good), 127, "index");
    }

    function test_every_proof_of_the_vectors() external {
        for (uint256 i = 0; i < names.length; ++i) {
            _publish(names[i], during(i < 3 ? 1 : 2));
            (bytes32[] memory blobIds, bytes[] memory proofs) = _proofs(names[i]);
            for (uint256 j = 0; j < proofs.length; ++j) {
                for (uint256 k = 0; k < proofs.length; ++k) {
                    Status expected = j == k ? Status.OK : Status.NOT_INCLUDED;
                    _expect(blobIds[j], proofs[k], uint64(block.timestamp), expected, names[i]);
                }
            }
        }
    }

    function test_before_and_after_publication() external {
        _expect(blobId, good, published, Status.UNKNOWN_CHECKPOINT, "never published");
        _publish("of 200", published);
        _expect(blobId, good, published - 1, Status.NOT_YET, "the second before");
        _expect(blobId, good, published, Status.OK, "the second of the publication");
        _expect(blobId, good, published + 1, Status.NOT_YET, "a time to come");
        _expect(blobId, good, type(uint64).max, Status.NOT_YET, "the end of time");
        vm.warp(retainUntil - MIN_RETENTION + 1);
        _expect(blobId, good, retainUntil - MIN_RETENTION, Status.OK, "the last second");
        _expect(blobId, good, retainUntil - MIN_RETENTION + 1, Status.RETENTION_TOO_SHORT, "one later");
    }

    function test_another_retention_than_was_signed_is_another_checkpoint() external {
        _publish("of 200", published);
        bytes memory longer = Certify.edit(good, 77, abi.encodePacked(retainUntil + 3600));
        _expect(blobId, longer, published, Status.UNKNOWN_CHECKPOINT, "an hour more");
        bytes memory moved = Certify.edit(good, Certify.NAMESPACE, abi.encode(otherNamespace));
        _expect(blobId, moved, published, Status.UNKNOWN_CHECKPOINT, "another namespace");
        vm.chainId(CHAIN_ID + 1);
        _expect(blobId, good, published, Status.UNKNOWN_CHECKPOINT, "on a fork");
    }

    function test_a_closed_epoch_does_not_matter_and_a_revoked_one_does() external {
        _publish("of 5", during(1));
        (bytes32[] memory blobIds, bytes[] memory proofs) = _proofs("of 5");
        vm.warp(during(2));
        expect(Certify.by(Golden.statement("n5"), 0x1f), Status.EPOCH_CLOSED, "closed");
        _expect(blobIds[4], proofs[4], during(2), Status.OK, "closed");
        vm.prank(GUARDIAN);
        registry.revokeEpoch(1);
        _expect(blobIds[4], proofs[4], during(2), Status.OK, "in the second of the revocation");
        vm.warp(during(2) + 1);
        _expect(blobIds[4], proofs[4], during(2) + 1, Status.REVOKED, "after it");
        _expect(blobIds[4], proofs[4], during(1), Status.OK, "what was said stands");
    }

    function test_a_namespace_that_wants_more() external {
        _publish("of 200", published);
        vm.prank(owner);
        registry.setMinRetention(namespace, 30 days);
        vm.warp(published + 1 hours);
        _expect(blobId, good, published + 1 hours - 1, Status.OK, "for an hour");
        _expect(blobId, good, published + 1 hours, Status.RETENTION_TOO_SHORT, "from then on");
    }

    function test_paths_and_indices_of_another_form() external {
        _publish("of 200", published);
        uint256 length = good.length;
        _expect(blobId, Certify.slice(good, 0, length - 32), published, Status.MALFORMED, "a step short");
        _expect(blobId, bytes.concat(good, new bytes(32)), published, Status.MALFORMED, "a step long");
        _expect(blobId, Certify.slice(good, 0, length - 1), published, Status.MALFORMED, "a byte short");
        for (uint256 cut = 0; cut < PATH; ++cut) {
            _expect(blobId, Certify.slice(good, 0, cut), published, Status.MALFORMED, "cut short");
        }
        uint32[3] memory indices = [uint32(200), 4096, type(uint32).max];
        for (uint256 i = 0; i < indices.length; ++i) {
            bytes memory proof = Certify.edit(good, INDEX, abi.encodePacked(indices[i]));
            _expect(blobId, proof, published, Status.MALFORMED, "no such leaf");
        }
        // A number that has a path of the same length, and one that has a shorter one: 200 is no power of two.
        _expect(blobId, Certify.edit(good, INDEX, abi.encodePacked(uint32(126))), published, Status.NOT_INCLUDED, "126");
        _expect(blobId, Certify.edit(good, INDEX, abi.encodePacked(uint32(199))), published, Status.MALFORMED, "199");
    }

    /// A node of the tree is no leaf: the two are hashed differently, and the lengths of the paths tell them apart.
    function test_a_node_in_the_place_of_a_blob() external {
        _publish("of 2", during(1));
        (bytes32[] memory blobIds, bytes[] memory proofs) = _proofs("of 2");
        bytes32 root = bytes32(Certify.slice(proofs[0], 41, 73));
        bytes32 left = sha256(bytes.concat(hex"00", blobIds[0]));
        bytes32 right = sha256(bytes.concat(hex"00", blobIds[1]));
        vm.assertEq(sha256(bytes.concat(hex"01", left, right)), root, "the tree of RFC 6962");
        _expect(root, Certify.slice(proofs[0], 0, PATH), during(1), Status.MALFORMED, "the root without a path");
        _expect(left, proofs[0], during(1), Status.NOT_INCLUDED, "a leaf's hash");
        _expect(blobIds[0], proofs[1], during(1), Status.NOT_INCLUDED, "the other side");
    }

    function testFuzz_one_bit_of_the_proof_or_the_blob_id(uint256 bit) external {
        _publish("of 200", published);
        bit %= good.length * 8;
        bytes memory flipped = Certify.flip(good, bit);
        Status status = registry.verifyInCheckpoint(blobId, flipped, published);
        vm.assertTrue(status != Status.OK, "proof");
        if (bit >= PATH * 8) vm.assertEq(uint256(status), uint256(Status.NOT_INCLUDED), "path");
        _expect(blobId ^ bytes32(1 << bit % 256), good, published, Status.NOT_INCLUDED, "blob id");
    }

    function testFuzz_any_bytes_are_a_status(bytes32 id, bytes calldata noise, uint64 atTime) external {
        _publish("of 200", published);
        vm.assertTrue(registry.verifyInCheckpoint(id, noise, atTime) != Status.OK, "noise");
        if (noise.length == 0) return;
        bytes memory path = Certify.overwrite(good, PATH, noise);
        vm.assertTrue(registry.verifyInCheckpoint(id, path, atTime) != Status.OK, "path");
    }

    function _publish(string memory name, uint64 time) private {
        vm.warp(time);
        Signed memory what = Golden.checkpoint(name);
        registry.publishCheckpoint(Certify.by(what, Certify.all(what)));
    }

    function _proofs(string memory name) private view returns (bytes32[] memory blobIds, bytes[] memory proofs) {
        string memory json = Golden.signed();
        string memory path = string.concat(".checkpoints['", name, "']");
        bytes memory head = vm.parseJsonBytes(json, string.concat(path, ".head"));
        blobIds = vm.parseJsonBytes32Array(json, string.concat(path, ".blobIds"));
        uint256[] memory indices = vm.parseJsonUintArray(json, string.concat(path, ".indices"));
        proofs = vm.parseJsonBytesArray(json, string.concat(path, ".paths"));
        for (uint256 i = 0; i < proofs.length; ++i) {
            proofs[i] = bytes.concat(head, bytes4(uint32(indices[i])), proofs[i]);
        }
    }

    function _index(bytes memory proof) private pure returns (uint256) {
        return uint32(bytes4(Certify.slice(proof, INDEX, PATH)));
    }

    function _expect(bytes32 id, bytes memory proof, uint64 atTime, Status expected, string memory what)
        private
        view
    {
        vm.assertEq(uint256(registry.verifyInCheckpoint(id, proof, atTime)), uint256(expected), what);
    }
}
