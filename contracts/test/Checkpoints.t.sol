// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm, Vm} from "./support/Vm.sol";

/// Checkpoints as members sign them, and everything that is nearly one.
contract CheckpointsTest is Fixture {
    /// Offsets in the L1 encoding.
    uint256 private constant COUNT = 73;
    uint256 private constant KEPT_UNTIL = 77;

    bytes private good;
    mapping(Status => uint256) private seen;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        good = Certify.by(Golden.checkpoint("of 200"), 0x6f);
        vm.warp(during(2));
        _expect(good, Status.OK, "as signed");
    }

    function test_the_vectors_are_good_in_their_epochs() external {
        string[5] memory names = ["of 1", "of 2", "of 5", "of 200", "of 4096"];
        for (uint256 i = 0; i < names.length; ++i) {
            Signed memory what = Golden.checkpoint(names[i]);
            bytes memory checkpoint = Certify.by(what, Certify.all(what));
            vm.assertEq(checkpoint.length, 245, "bytes");
            vm.warp(during(i < 3 ? 1 : 2));
            _expect(checkpoint, Status.OK, names[i]);
            // Its id is the digest that was signed.
            vm.assertEq(registry.checkpointPublishedAt(what.digest), 0, "before");
            registry.publishCheckpoint(checkpoint);
            vm.assertEq(registry.checkpointPublishedAt(what.digest), block.timestamp, "published");
        }
    }

    function test_the_event_names_what_was_published() external {
        Signed memory what = Golden.checkpoint("of 200");
        vm.recordLogs();
        vm.prank(STRANGER);
        vm.assertEq(registry.publishCheckpoint(good), what.digest, "checkpoint id");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].topics[0], IAvailability.CheckpointPublished.selector, "event");
        vm.assertEq(logs[0].topics[1], what.digest, "checkpoint id");
        vm.assertEq(logs[0].topics[2], namespace, "namespace");
        vm.assertEq(logs[0].topics[3], bytes32(Certify.slice(good, 41, COUNT)), "root");
        bytes memory data = abi.encode(STRANGER, uint64(2), uint32(200), retainUntil);
        vm.assertEq(logs[0].data, data, "publisher, epoch, count, retained until");
    }

    function test_the_first_publication_stays() external {
        Signed memory what = Golden.checkpoint("of 200");
        uint64 first = uint64(block.timestamp);
        registry.publishCheckpoint(good);
        vm.warp(first + 1 hours);
        // By other signers it is the same statement, with the same id.
        registry.publishCheckpoint(Certify.by(what, 0x7f));
        vm.assertEq(registry.checkpointPublishedAt(what.digest), first, "published");
    }

    function test_one_bit_flipped_anywhere() external {
        for (uint256 bit = 0; bit < good.length * 8; ++bit) {
            ++seen[registry.verifyCheckpoint(Certify.flip(good, bit), uint64(block.timestamp))];
        }
        vm.assertEq(seen[Status.OK], 0, "never OK");
        Status[6] memory reached = [
            Status.MALFORMED,
            Status.UNKNOWN_EPOCH,
            Status.WRONG_PARAMETERS,
            Status.BELOW_THRESHOLD,
            Status.BAD_SIGNATURE,
            Status.UNKNOWN_NAMESPACE
        ];
        for (uint256 i = 0; i < reached.length; ++i) {
            vm.assertGt(seen[reached[i]], 0, vm.toString(uint256(reached[i])));
        }
    }

    function testFuzz_bytes_written_anywhere(uint256 offset, bytes calldata written) external view {
        bytes memory changed = Certify.overwrite(good, offset % (good.length + 1), written);
        if (keccak256(changed) == keccak256(good)) return;
        vm.assertTrue(registry.verifyCheckpoint(changed, uint64(block.timestamp)) != Status.OK, "verifyCheckpoint");
    }

    function testFuzz_any_bytes_are_a_status(bytes calldata noise, uint64 atTime) external view {
        vm.assertTrue(registry.verifyCheckpoint(noise, atTime) != Status.OK, "noise");
        bytes memory changed = Certify.overwrite(good, 0, noise);
        if (keccak256(changed) == keccak256(good)) return;
        vm.assertTrue(registry.verifyCheckpoint(changed, atTime) != Status.OK, "noise over a good one");
    }

    function test_counts_out_of_bounds_and_times_off_the_grid() external view {
        uint32[3] memory counts = [uint32(0), 4097, type(uint32).max];
        for (uint256 i = 0; i < counts.length; ++i) {
            _expect(Certify.edit(good, COUNT, abi.encodePacked(counts[i])), Status.MALFORMED, "count");
        }
        _expect(Certify.edit(good, COUNT, abi.encodePacked(uint32(4096))), Status.BAD_SIGNATURE, "another count");
        _expect(Certify.edit(good, KEPT_UNTIL, abi.encodePacked(retainUntil + 1)), Status.MALFORMED, "off the grid");
        _expect(
            Certify.edit(good, KEPT_UNTIL, abi.encodePacked(retainUntil + 3600)), Status.BAD_SIGNATURE, "an hour more"
        );
        for (uint256 kind = 0; kind < 256; ++kind) {
            if (kind == 0xc1) continue;
            _expect(Certify.edit(good, 0, abi.encodePacked(uint8(kind))), Status.MALFORMED, "kind");
        }
        _expect(Certify.slice(good, 0, 244), Status.MALFORMED, "one byte short");
        _expect(bytes.concat(good, hex"00"), Status.MALFORMED, "one byte long");
    }

    function test_signers() external view {
        Signed memory what = Golden.checkpoint("of 200");
        bytes memory six = Certify.sum(what, 0x6f);
        _expect(Certify.by(what, 0x1f), Status.BELOW_THRESHOLD, "five of six");
        _expect(Certify.with(what, 0x7f, six), Status.BAD_SIGNATURE, "one claimed");
        _expect(Certify.with(what, 0x6f, new bytes(128)), Status.MALFORMED, "the identity");
        for (uint256 slot = 7; slot < 256; ++slot) {
            _expect(Certify.with(what, 0x6f | 1 << slot, six), Status.WRONG_PARAMETERS, "no such slot");
        }
    }

    function test_refused_in_the_order_of_the_statuses() external {
        vm.warp(activeFrom(2) - 1);
        _publishFails(Status.NOT_YET);
        vm.warp(retainUntil - MIN_RETENTION + 1);
        _publishFails(Status.RETENTION_TOO_SHORT);
        vm.prank(GUARDIAN);
        registry.revokeEpoch(2);
        vm.warp(block.timestamp + 1);
        _publishFails(Status.REVOKED);
        propose(keyIdsOf(1), 2, 4, 0);
        vm.warp(block.timestamp + DELAY + OVERLAP);
        _publishFails(Status.EPOCH_CLOSED);
        vm.assertEq(registry.checkpointPublishedAt(Golden.checkpoint("of 200").digest), 0, "never published");
    }

    function test_signed_for_another_chain() external {
        vm.chainId(CHAIN_ID + 1);
        _expect(good, Status.BAD_SIGNATURE, "on a fork");
        vm.chainId(CHAIN_ID);
        registry.publishCheckpoint(good);
    }

    function _expect(bytes memory checkpoint, Status expected, string memory what) private view {
        Status status = registry.verifyCheckpoint(checkpoint, uint64(block.timestamp));
        vm.assertEq(uint256(status), uint256(expected), what);
    }

    function _publishFails(Status status) private {
        _expect(good, status, "verifyCheckpoint");
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, status));
        registry.publishCheckpoint(good);
    }
}
