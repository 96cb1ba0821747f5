// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "../interfaces/Status.sol";
import {IProofValidator} from "../validators/IProofValidator.sol";
import {Certify} from "./support/Certify.sol";
import {Signing} from "./support/Signing.sol";
import {Golden} from "./support/Golden.sol";
import {INitroErrors, Validators} from "./support/Validators.sol";
import {vm} from "./support/Vm.sol";

/// What Nitro's one-step prover asks of the validator, and what attackers would have it say.
contract NitroValidatorTest is Signing, Validators {
    /// The opened blob of three shards of four leaves, and the epoch whose committee has its parameters.
    uint256 private constant LONG = 1;
    uint64 private constant LONG_EPOCH = 4;
    uint256 private constant LONG_SIGNERS = 0xff;

    IProofValidator private validator;
    Opened private long;
    bytes private certificate;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(4);
        vm.warp(during(LONG_EPOCH));
        validator = IProofValidator(create(COMPILED_NITRO, abi.encode(registry, namespace)));
        long = opened(LONG);
        certificate = _posted(certify(long.blob, LONG_EPOCH, LONG_SIGNERS));
    }

    function test_a_genuine_certificate_is_valid_whatever_the_prover_claims() external view {
        vm.assertTrue(_valid(certificate), "certified");
        bytes memory named = _posted(Certify.by(Golden.statement("n7 by payload"), 0x7f));
        vm.assertTrue(_valid(named), "by another committee");
        bytes memory claimed = bytes.concat(_withLength(certificate), hex"00");
        vm.assertTrue(validator.validateCertificate(claimed), "the claim is Nitro's to compare");
        vm.assertTrue(validator.validateCertificate(_withLength(certificate)), "and without one");
    }

    /// A node that replays the chain in ten years must find what the first one found.
    function test_no_time_and_no_revocation_changes_what_is_valid() external {
        vm.warp(uint256(retainUntil) + 3650 days);
        vm.assertTrue(_valid(certificate), "expired");
        expect(Certify.slice(certificate, 2, 323), Status.RETENTION_TOO_SHORT, "which the registry's other verdicts see");
        vm.prank(GUARDIAN);
        registry.revokeEpoch(LONG_EPOCH);
        vm.warp(block.timestamp + 1);
        vm.assertTrue(_valid(certificate), "revoked");
    }

    function test_certificates_that_others_would_have_taken() external {
        vm.assertFalse(_valid(_posted(Certify.by(Golden.statement("other namespace"), 0x1f))), "another rollup's");
        vm.assertFalse(_valid(_posted(Certify.by(Golden.statement("n7"), 0x7f))), "by shard: nothing opens it");
        vm.assertFalse(_valid(_posted(Certify.by(Golden.statement("other chain"), 0x1f))), "of another chain");
        vm.assertFalse(_valid(_posted(Certify.by(Golden.statement("other registry"), 0x1f))), "of another registry");
        vm.assertFalse(_valid(_posted(certify(long.blob, LONG_EPOCH, 0x7f))), "one signature short");
        vm.assertFalse(_valid(Certify.edit(certificate, 0, hex"88")), "an AnyTrust header");
        vm.assertFalse(_valid(Certify.edit(certificate, 1, hex"ff")), "another provider's");
        vm.assertFalse(_valid(Certify.slice(certificate, 0, 322)), "a byte short");
        vm.assertFalse(_valid(bytes.concat(certificate, hex"00")), "a byte long");
        vm.assertFalse(_valid(Certify.edit(certificate, 2 + Certify.EPOCH, hex"0000000000000009")), "no such epoch");
        vm.assertFalse(_valid(""), "nothing");
    }

    /// Nitro's prover would be stuck for ever on a validator that reverts.
    function testFuzz_no_bytes_make_it_revert(bytes calldata noise, uint256 bit, uint64 length) external view {
        validator.validateCertificate(noise);
        vm.assertFalse(_valid(noise), "noise");
        vm.assertFalse(_valid(bytes.concat(hex"0148", noise)), "noise of this provider");
        vm.assertFalse(_valid(Certify.flip(certificate, bit % (323 * 8))), "one bit");
        vm.assertFalse(_valid(Certify.overwrite(certificate, bit % 322, bytes.concat(hex"00", noise))) && noise.length > 8, "torn");
        bytes memory proof = bytes.concat(bytes8(length), certificate, hex"01");
        vm.assertTrue(validator.validateCertificate(proof) == (length == 323), "another length than it says");
    }

    /// Too little gas must not become the verdict that a batch is empty.
    function test_lack_of_gas_reverts_and_is_no_verdict() external view {
        bytes memory call = abi.encodeCall(validator.validateCertificate, (bytes.concat(_withLength(certificate), hex"01")));
        uint256 answered;
        for (uint256 gas_ = 1_000; gas_ < 500_000; gas_ += gas_ / 20 + 100) {
            (bool ok, bytes memory said) = address(validator).staticcall{gas: gas_}(call);
            if (!ok) continue;
            ++answered;
            vm.assertTrue(abi.decode(said, (bool)), "whoever answers says valid");
        }
        vm.assertGt(answered, 3, "with enough it answers");
    }

    function test_every_word_of_the_payload_is_opened_and_together_they_are_it() external view {
        bytes memory payload;
        for (uint256 offset = 0; offset < long.blob.payloadLength; offset += 32) {
            payload = bytes.concat(payload, _read(offset, _opening(offset)));
        }
        vm.assertEq(payload.length, long.blob.payloadLength, "no byte of padding");
        vm.assertEq(keccak256(payload), long.blob.payloadDigest, "the payload that the digest names");
    }

    function test_the_last_word_may_be_short_and_behind_it_is_nothing() external {
        Opened memory short = opened(0);
        bytes memory posted = _posted(certify(short.blob, 1, 0x1f));
        bytes memory opening = bytes.concat(hex"01", short.leaves[0], short.paths[0]);
        bytes memory second = bytes.concat(hex"01", short.leaves[0], short.paths[0]);
        vm.assertEq(validator.validateReadPreimage(keccak256(posted), 64, _proof(posted, opening)).length, 32, "whole");
        // 100 bytes in two shards of 128: all of them are in the first one.
        vm.assertEq(validator.validateReadPreimage(keccak256(posted), 96, _proof(posted, second)).length, 4, "short");
        vm.assertEq(validator.validateReadPreimage(keccak256(posted), 128, _proof(posted, "")).length, 0, "past the end");
        uint256 past = uint256(long.blob.payloadLength) + 31;
        vm.assertEq(_read(past - past % 32, "").length, 0, "past the end of the longer one");
        vm.assertEq(_read(type(uint256).max - 31, "").length, 0, "far past it");
    }

    function test_a_leaf_from_elsewhere_opens_nothing() external {
        for (uint256 j = 0; j < long.leaves.length; ++j) {
            if (j == 5) continue;
            _refused(long.offsets[5], bytes.concat(hex"01", long.leaves[j], long.paths[j]));
        }
        // What a recovery shard has was committed to, too, and is no payload.
        uint256 recovery = long.leaves.length - 1;
        for (uint256 j = 0; j < recovery; ++j) {
            _refused(long.offsets[j], bytes.concat(hex"01", long.leaves[recovery], long.paths[recovery]));
        }
    }

    function testFuzz_one_bit_of_the_opening(uint256 which, uint256 bit) external {
        which %= long.leaves.length - 1;
        bytes memory good = _opening(long.offsets[which]);
        _refused(long.offsets[which], Certify.flip(good, bit % (good.length * 8)));
    }

    function test_openings_of_another_length_or_version() external {
        bytes memory good = _opening(4096);
        _refused(4096, "");
        _refused(4096, hex"01");
        _refused(4096, Certify.slice(good, 0, good.length - 32));
        _refused(4096, Certify.slice(good, 0, good.length - 1));
        _refused(4096, bytes.concat(good, new bytes(32)));
        _refused(4096, bytes.concat(good, hex"00"));
        _refused(4096, Certify.edit(good, 0, hex"02"));
    }

    function test_a_read_of_another_certificate_or_of_none_that_is_valid() external {
        bytes memory opening = _opening(0);
        bytes memory other = _posted(certify(long.blob, LONG_EPOCH, 0x1ff));
        vm.expectRevert(abi.encodeWithSelector(INitroErrors.OtherCertificate.selector, keccak256(other)));
        validator.validateReadPreimage(keccak256(certificate), 0, _proof(other, opening));
        bytes memory unsigned = _posted(certify(long.blob, LONG_EPOCH, 0x7f));
        vm.expectRevert(abi.encodePacked(INitroErrors.InvalidCertificate.selector));
        validator.validateReadPreimage(keccak256(unsigned), 0, _proof(unsigned, opening));
        vm.expectRevert(abi.encodePacked(INitroErrors.NoCertificate.selector));
        validator.validateReadPreimage(keccak256(certificate), 0, hex"0000");
        vm.expectRevert(abi.encodePacked(INitroErrors.NoCertificate.selector));
        validator.validateReadPreimage(keccak256(certificate), 0, bytes.concat(bytes8(uint64(400)), certificate));
        vm.expectRevert(abi.encodeWithSelector(INitroErrors.BadOffset.selector, uint256(33)));
        validator.validateReadPreimage(keccak256(certificate), 33, _proof(certificate, opening));
    }

    function _posted(bytes memory encoded) private pure returns (bytes memory) {
        return bytes.concat(hex"0148", encoded);
    }

    function _withLength(bytes memory posted) private pure returns (bytes memory) {
        return bytes.concat(bytes8(uint64(posted.length)), posted);
    }

    function _proof(bytes memory posted, bytes memory opening) private pure returns (bytes memory) {
        return bytes.concat(_withLength(posted), opening);
    }

    function _valid(bytes memory posted) private view returns (bool) {
        return validator.validateCertificate(bytes.concat(_withLength(posted), hex"01"));
    }

    function _read(uint256 offset, bytes memory opening) private view returns (bytes memory) {
        return validator.validateReadPreimage(keccak256(certificate), offset, _proof(certificate, opening));
    }

    function _refused(uint256 offset, bytes memory opening) private {
        bytes memory proof = _proof(certificate, opening);
        vm.expectRevert(abi.encodePacked(INitroErrors.BadOpening.selector));
        validator.validateReadPreimage(keccak256(certificate), offset, proof);
    }

    /// The leaf that an offset is in.
    function _opening(uint256 offset) private view returns (bytes memory) {
        uint256 found;
        for (uint256 j = 0; j + 1 < long.leaves.length; ++j) {
            if (long.offsets[j] <= offset && long.offsets[j] >= long.offsets[found]) found = j;
        }
        return bytes.concat(hex"01", long.leaves[found], long.paths[found]);
    }
}
