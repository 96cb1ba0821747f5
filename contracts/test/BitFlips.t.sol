// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// A certificate changed in transit is never good, whichever bit it was.
contract BitFlipsTest is Fixture {
    bytes private good;
    mapping(Status => uint256) private seen;

    function setUp() external {
        deploy();
        proposeCommittees(2);
        createNamespace();
        // One of seven is missing, so that flips of the bitmap go both ways.
        good = Certify.by(Golden.statement("n7"), 0x6f);
        vm.warp(during(2));
        expect(good, Status.OK, "as signed");
    }

    function test_one_bit_flipped_anywhere() external {
        vm.assertEq(good.length, 321, "bytes");
        for (uint256 bit = 0; bit < good.length * 8; ++bit) {
            bytes memory flipped = Certify.flip(good, bit);
            Status status = registry.verify(flipped, uint64(block.timestamp));
            ++seen[status];
            // Genuine certificates are good or only wrong about time and namespace, which are signed.
            vm.assertTrue(registry.verifySignature(flipped) != Status.OK, vm.toString(bit));
        }
        vm.assertEq(seen[Status.OK], 0, "never OK");
        // The flips reach what they should; no single one moves a time along the grid.
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
        vm.assertTrue(registry.verify(changed, uint64(block.timestamp)) != Status.OK, "verify");
        vm.assertTrue(registry.verifySignature(changed) != Status.OK, "verifySignature");
    }

    function testFuzz_cut_short_or_long(uint256 length) external view {
        length %= 2 * good.length;
        if (length == good.length) return;
        bytes memory changed = length < good.length
            ? Certify.slice(good, 0, length)
            : bytes.concat(good, new bytes(length - good.length));
        expect(changed, Status.MALFORMED, "verify");
        expectGenuine(changed, Status.MALFORMED, "verifySignature");
    }
}
