// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls} from "../src/Bls.sol";
import {Certificates} from "../src/Certificates.sol";
import {
    CHECK_BLOCK,
    CHECK_BYTES,
    CHECK_GENERATOR,
    CHECK_HASH,
    CHECK_KEY,
    CHECK_MESSAGE,
    CHECK_MESSAGE_BYTES,
    CHECK_NEXT_KEY,
    CHECK_NUMBERS,
    CHECK_POINTS,
    CHECK_SIGNATURE
} from "../src/SignatureCheck.sol";
import {BlsHarness} from "./BlsHarness.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// The memory that signatures are checked in: its parts, and that nothing is written past its end.
contract MemoryTest is Fixture {
    uint256 private constant G1 = 128;
    uint256 private constant G2 = 256;

    function test_each_part_has_its_room() external pure {
        // What the pairing reads: two pairs of a point of G1 and one of G2, without a gap.
        vm.assertEq(CHECK_SIGNATURE, 0, "signature");
        vm.assertEq(CHECK_GENERATOR, CHECK_SIGNATURE + G1, "generator");
        vm.assertEq(CHECK_HASH, CHECK_GENERATOR + G2, "hash");
        vm.assertEq(CHECK_KEY, CHECK_HASH + G1, "key");
        vm.assertEq(CHECK_NEXT_KEY, CHECK_KEY + G2, "what G2ADD reads is in one piece");
        vm.assertGt(CHECK_BYTES + 1, CHECK_NEXT_KEY + G2, "the next key");
        // Hashing, when no key is added any more: two numbers, and what is hashed to make them. The two points, which
        // G1ADD reads in one piece, are written when nothing is hashed any more.
        vm.assertEq(CHECK_NUMBERS, CHECK_NEXT_KEY, "numbers");
        vm.assertEq(CHECK_BLOCK, CHECK_NUMBERS + 2 * 64, "block");
        vm.assertEq(CHECK_POINTS, CHECK_NUMBERS + 2 * 64, "points");
        vm.assertGt(CHECK_BYTES + 1, CHECK_POINTS + 2 * G1, "points");
        vm.assertEq(CHECK_MESSAGE, CHECK_BLOCK + 64, "message");
        // The longest message, 3 bytes, and a tag written in two words.
        vm.assertGt(CHECK_BYTES + 1, CHECK_MESSAGE + CHECK_MESSAGE_BYTES + 3 + 64, "the longest message");
        vm.assertGt(CHECK_BYTES + 1, CHECK_MESSAGE + Certificates.SCRATCH_BYTES, "a statement's structs");
        vm.assertEq(CHECK_BYTES % 32, 0, "whole words");
        // Key, chain id, registry and account.
        vm.assertEq(CHECK_MESSAGE_BYTES, 96 + 32 + 20 + 20, "the message of a proof of possession");
        vm.assertEq(Bls.TAG_BYTES, bytes("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_").length + 1, "tag");
    }

    /// A struct that is hashed behind its room would be written over what comes next.
    function testFuzz_nothing_is_written_behind_the_check(uint256 seed, uint256 messageBytes, bytes32 canary) external {
        BlsHarness harness = BlsHarness(create(COMPILED_HARNESS, ""));
        bytes memory certificate = Certify.by(Golden.statement("n5"), 0x1f);
        // Any certificate, with the bytes that an attacker chooses.
        certificate = Certify.overwrite(certificate, seed % 190, abi.encode(seed, keccak256(abi.encode(seed))));
        uint256[4] memory lengths = [0, 32, CHECK_MESSAGE_BYTES, messageBytes % (CHECK_MESSAGE_BYTES + 1)];
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes32[8] memory behind = harness.behindCheck(certificate, lengths[i], canary);
            for (uint256 word = 0; word < 8; ++word) {
                vm.assertEq(behind[word], canary, "a word behind the check");
            }
        }
    }
}
