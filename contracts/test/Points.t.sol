// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IKeys} from "../interfaces/IKeys.sol";
import {Status} from "../interfaces/Status.sol";
import {BlsHarness} from "./BlsHarness.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Committee, Golden, Member, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// The vectors of RFC 9380 and every failing one of EIP-2537 and go-ethereum, through the library and through the registry.
contract PointsTest is Fixture {
    /// What a bad point may cost, as a signature or as a key.
    uint256 private constant BAD_POINT_GAS = 400_000;
    uint256 private constant G1 = 128;
    uint256 private constant G2 = 256;

    Signed private statement;
    Member private stranger;
    mapping(Status => uint256) private judged;

    function setUp() external {
        deploy();
        proposeCommittees(1);
        createNamespace();
        statement = Golden.statement("n5");
        // Not registered yet.
        stranger = Golden.committee(Golden.certificates(), 1).members[0];
        vm.warp(during(1));
    }

    function test_messages_hash_to_g1_as_rfc_9380_says() external {
        BlsHarness harness = BlsHarness(create(COMPILED_HARNESS, ""));
        string memory json = vm.readFile("../testdata/rfc9380/BLS12381G1_XMD_SHA-256_SSWU_RO.json");
        bytes memory dst = bytes(vm.parseJsonString(json, ".dst"));
        for (uint256 i = 0; i < 5; ++i) {
            string memory path = string.concat(".vectors[", vm.toString(i), "]");
            bytes memory message = bytes(vm.parseJsonString(json, string.concat(path, ".msg")));
            bytes memory x = vm.parseJsonBytes(json, string.concat(path, ".P.x"));
            bytes memory y = vm.parseJsonBytes(json, string.concat(path, ".P.y"));
            bytes memory expected = bytes.concat(new bytes(16), x, new bytes(16), y);
            vm.assertEq(harness.hashToG1(message, dst), expected, path);
        }
    }

    /// Beside the precompile MODEXP, with the modulus of the field.
    function testFuzz_numbers_of_64_bytes_reduce(uint256 hi, uint256 lo) external {
        BlsHarness harness = BlsHarness(create(COMPILED_HARNESS, ""));
        bytes memory p =
            hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
        uint256 pHi = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
        uint256 pLo = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
        // Anything, next to nothing, and all around the modulus.
        uint256[2][6] memory numbers =
            [[hi, lo], [uint256(0), lo], [hi % pHi, lo], [pHi, pLo], [pHi, pLo - 1], [~uint256(0), ~(lo % 8)]];
        for (uint256 i = 0; i < numbers.length; ++i) {
            bytes memory input = abi.encodePacked(uint256(64), uint256(1), uint256(48), numbers[i], uint8(1), p);
            (bool ok, bytes memory expected) = address(0x05).staticcall(input);
            vm.assertTrue(ok, "MODEXP");
            (uint256 gotHi, uint256 gotLo) = harness.reduce(numbers[i][0], numbers[i][1]);
            vm.assertEq(abi.encode(gotHi, gotLo), bytes.concat(new bytes(16), expected), "remainder");
        }
    }

    function test_the_precompiles_refuse_what_eip_2537_says() external view {
        string[7] memory files = [
            "eip2537/fail-add_G1_bls",
            "eip2537/fail-add_G2_bls",
            "eip2537/fail-pairing_check_bls",
            "go-ethereum/fail-blsG1Add",
            "go-ethereum/fail-blsG2Add",
            "go-ethereum/fail-blsPairing",
            "go-ethereum/fail-blsG1Mul"
        ];
        address[7] memory precompiles = [
            address(0x0b), address(0x0d), address(0x0f), address(0x0b), address(0x0d), address(0x0f), address(0x0c)
        ];
        for (uint256 i = 0; i < files.length; ++i) {
            bytes[] memory inputs = _inputs(files[i]);
            for (uint256 j = 0; j < inputs.length; ++j) {
                (bool ok,) = precompiles[i].staticcall{gas: 1_000_000}(inputs[j]);
                vm.assertFalse(ok, string.concat(files[i], " ", vm.toString(j)));
            }
        }
    }

    function test_no_failing_point_is_a_signature() external {
        string[6] memory files = [
            "eip2537/fail-add_G1_bls",
            "eip2537/fail-add_G2_bls",
            "eip2537/fail-pairing_check_bls",
            "go-ethereum/fail-blsG1Add",
            "go-ethereum/fail-blsG2Add",
            "go-ethereum/fail-blsPairing"
        ];
        for (uint256 i = 0; i < files.length; ++i) {
            bytes[] memory inputs = _inputs(files[i]);
            for (uint256 j = 0; j < inputs.length; ++j) {
                // The whole input, whatever its length, and all that lies in it at any word.
                vm.assertEq(uint256(_judge(inputs[j])), uint256(Status.MALFORMED), "wrong length");
                for (uint256 from = 0; from + G1 <= inputs[j].length; from += 64) {
                    ++judged[_judge(Certify.slice(inputs[j], from, from + G1))];
                }
            }
        }
        vm.assertEq(judged[Status.OK], 0, "never OK");
        vm.assertGt(judged[Status.MALFORMED], 5, "points with a fault in their format");
        vm.assertGt(judged[Status.BAD_SIGNATURE], 5, "points off the curve or out of the subgroup");
    }

    function test_no_failing_point_is_a_key() external {
        string[4] memory files = [
            "eip2537/fail-add_G2_bls",
            "eip2537/fail-pairing_check_bls",
            "go-ethereum/fail-blsG2Add",
            "go-ethereum/fail-blsPairing"
        ];
        for (uint256 i = 0; i < files.length; ++i) {
            bytes[] memory inputs = _inputs(files[i]);
            for (uint256 j = 0; j < inputs.length; ++j) {
                if (inputs[j].length != G2) _refuse(inputs[j], stranger.proof, IKeys.BadLength.selector);
                for (uint256 from = 0; from + G2 <= inputs[j].length; from += 128) {
                    bytes memory key = Certify.slice(inputs[j], from, from + G2);
                    bool infinite = keccak256(key) == keccak256(new bytes(G2));
                    bytes4 expected = infinite ? IKeys.PointAtInfinity.selector : IKeys.BadProofOfPossession.selector;
                    _refuse(key, stranger.proof, expected);
                }
            }
        }
    }

    function test_no_failing_point_is_a_proof_of_possession() external {
        string[4] memory files = [
            "eip2537/fail-add_G1_bls",
            "eip2537/fail-pairing_check_bls",
            "go-ethereum/fail-blsG1Add",
            "go-ethereum/fail-blsPairing"
        ];
        for (uint256 i = 0; i < files.length; ++i) {
            bytes[] memory inputs = _inputs(files[i]);
            for (uint256 j = 0; j < inputs.length; ++j) {
                if (inputs[j].length != G1) _refuse(stranger.key, inputs[j], IKeys.BadLength.selector);
                for (uint256 from = 0; from + G1 <= inputs[j].length; from += 128) {
                    bytes memory proof = Certify.slice(inputs[j], from, from + G1);
                    bool infinite = keccak256(proof) == keccak256(new bytes(G1));
                    bytes4 expected = infinite ? IKeys.PointAtInfinity.selector : IKeys.BadProofOfPossession.selector;
                    _refuse(stranger.key, proof, expected);
                }
            }
        }
        // The key was good all along.
        register(stranger);
    }

    /// Any bytes at all.
    function testFuzz_no_certificate_makes_verify_revert(bytes calldata noise, bytes calldata point) external view {
        uint256 signers = Certify.all(statement);
        bytes memory signature = Certify.sum(statement, signers);
        vm.assertTrue(registry.verify(noise, during(1)) != Status.OK, "noise");
        bytes memory overwritten = Certify.overwrite(signature, 0, point);
        Status expected = keccak256(overwritten) == keccak256(signature) ? Status.OK : Status.BAD_SIGNATURE;
        Status status = registry.verify(Certify.with(statement, signers, overwritten), during(1));
        vm.assertTrue(status == expected || status == Status.MALFORMED, "overwritten signature");
    }

    function testFuzz_no_key_makes_registration_fail_without_a_reason(bytes calldata noise, bytes calldata more)
        external
    {
        bytes memory key = Certify.overwrite(stranger.key, 0, noise);
        bytes memory proof = Certify.overwrite(stranger.proof, 0, more);
        if (noise.length + more.length == 0) return;
        vm.prank(OPERATOR);
        (bool ok, bytes memory answer) =
            address(registry).call(abi.encodeCall(IKeys.registerKey, (key, proof)));
        bool same = keccak256(key) == keccak256(stranger.key) && keccak256(proof) == keccak256(stranger.proof);
        vm.assertTrue(ok == same, "registered");
        vm.assertTrue(answer.length >= 4, "an answer");
    }

    /// What the registry says of a certificate with this signature; never reverts, and never costs more than it may.
    function _judge(bytes memory signature) private view returns (Status status) {
        bytes memory certificate = Certify.with(statement, Certify.all(statement), signature);
        uint256 before = gasleft();
        status = registry.verify(certificate, uint64(block.timestamp));
        vm.assertLt(before - gasleft(), BAD_POINT_GAS, "gas");
    }

    /// Asserts that the registration reverts for this reason.
    function _refuse(bytes memory key, bytes memory proof, bytes4 expected) private {
        vm.prank(OPERATOR);
        uint256 before = gasleft();
        (bool ok, bytes memory answer) =
            address(registry).call(abi.encodeCall(IKeys.registerKey, (key, proof)));
        vm.assertLt(before - gasleft(), BAD_POINT_GAS, "gas");
        vm.assertFalse(ok, "registered");
        vm.assertEq(answer, abi.encodePacked(expected), "reason");
    }

    function _inputs(string memory file) private view returns (bytes[] memory inputs) {
        string memory json = vm.readFile(string.concat("../testdata/", file, ".json"));
        uint256 count;
        while (vm.keyExistsJson(json, _input(count))) ++count;
        vm.assertGt(count, 3, file);
        inputs = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            inputs[i] = vm.parseBytes(string.concat("0x", vm.parseJsonString(json, _input(i))));
        }
    }

    function _input(uint256 index) private pure returns (string memory) {
        return string.concat("[", vm.toString(index), "].Input");
    }
}
