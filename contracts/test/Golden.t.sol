// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "../interfaces/Status.sol";
import {BlsHarness} from "./BlsHarness.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Committee, Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// The golden vectors, as the Rust tests have them: keys, proofs, digests and certificates of four committees.
contract GoldenTest is Fixture {
    uint256 private constant COMMITTEES = 4;
    bytes private constant SUITE = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    BlsHarness private harness;

    function setUp() external {
        deploy();
        proposeCommittees(COMMITTEES);
        createNamespace();
        vm.warp(during(uint64(COMMITTEES)));
        harness = BlsHarness(create(COMPILED_HARNESS, ""));
    }

    function test_the_bytecode_under_test_is_the_committed_artifact() external view {
        string[3] memory compiled = [COMPILED_REGISTRY, COMPILED_HARNESS, COMPILED_CONSUMER];
        string[3] memory committed = ["CommitteeRegistry", "test/BlsHarness", "test/RecordingConsumer"];
        for (uint256 i = 0; i < compiled.length; ++i) {
            string memory json = vm.readFile(string.concat("artifacts/", committed[i], ".json"));
            bytes32 expected = keccak256(vm.parseJsonBytes(json, ".bytecode"));
            vm.assertEq(keccak256(vm.getCode(compiled[i])), expected, committed[i]);
        }
    }

    function test_the_registry_has_the_domain_of_the_vectors() external view {
        string memory json = Golden.certificates();
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            string memory path = string.concat(".committees[", vm.toString(i), "].domains[0]");
            vm.assertEq(vm.parseJsonUint(json, string.concat(path, ".chainId")), block.chainid, "chain id");
            vm.assertEq(vm.parseJsonAddress(json, string.concat(path, ".registry")), address(registry), "registry");
            bytes32 separator = vm.parseJsonBytes32(json, string.concat(path, ".separator"));
            vm.assertEq(registry.domainSeparator(), separator, "separator");
        }
    }

    /// The larger of `y` and `p - y` is the one above half of the modulus, to the unit.
    function test_the_sign_of_a_compressed_key_turns_at_half_of_the_modulus() external view {
        uint256 halfHi = 0x000000000000000000000000000000000d0088f51cbff34d258dd3db21a5d66b;
        uint256 halfLo = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;
        for (uint256 c1 = 0; c1 < 2; ++c1) {
            for (uint256 above = 0; above < 2; ++above) {
                bytes memory y = abi.encode(halfHi, halfLo + above);
                // c1 decides, or c0 where c1 is zero.
                bytes memory point = c1 == 0
                    ? bytes.concat(new bytes(128), y, new bytes(64))
                    : bytes.concat(new bytes(128), new bytes(64), y);
                vm.assertEq(uint256(uint8(harness.compress(point)[0] & 0x20)), above * 0x20, "the sign's bit");
            }
        }
    }

    function test_keys_compress_and_add_up_as_in_the_vectors() external view {
        string memory json = Golden.certificates();
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            Committee memory c = Golden.committee(json, i);
            bytes memory inOrder;
            bytes memory aggregate = new bytes(256);
            for (uint256 slot = 0; slot < c.members.length; ++slot) {
                bytes memory key = c.members[slot].key;
                vm.assertEq(harness.compress(key), c.members[slot].compressedKey, "compressed key");
                vm.assertEq(registry.keyAccount(keccak256(key)), OPERATOR, "key id");
                inOrder = bytes.concat(inOrder, key);
                aggregate = harness.add(aggregate, key);
            }
            vm.assertEq(registry.slotKeys(c.epoch), inOrder, "keys of the slots");
            string memory path = string.concat(".committees[", vm.toString(i), "].aggregateKey");
            vm.assertEq(harness.compress(aggregate), vm.parseJsonBytes(json, path), "aggregate key");
        }
    }

    function test_digests_hash_to_the_points_of_the_vectors() external view {
        string memory json = Golden.certificates();
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            for (uint256 j = 0; j < 3; ++j) {
                string memory path = _statement(i, j);
                bytes32 digest = vm.parseJsonBytes32(json, string.concat(path, ".digest"));
                bytes memory point = harness.hashToG1(abi.encode(digest), SUITE);
                vm.assertEq(point, vm.parseJsonBytes(json, string.concat(path, ".digestPoint")), path);
            }
        }
    }

    function test_every_certificate_is_genuine() external view {
        string memory json = Golden.certificates();
        uint256 seen;
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                for (uint256 k = 0;; ++k) {
                    string memory path = string.concat(_statement(i, j), ".certificates[", vm.toString(k), "].l1");
                    if (!vm.keyExistsJson(json, path)) break;
                    bytes memory certificate = vm.parseJsonBytes(json, path);
                    expectGenuine(certificate, Status.OK, path);
                    // Nobody can own the namespaces of these vectors, which are no hash of an account and a salt.
                    expectAt(certificate, during(uint64(i + 1)), Status.UNKNOWN_NAMESPACE, path);
                    ++seen;
                }
            }
        }
        vm.assertEq(seen, 30, "certificates");
    }

    function test_a_certificate_of_a_committee_without_l1_is_not_genuine() external view {
        string memory json = Golden.certificates();
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            string memory path = string.concat(_statement(i, 2), ".certificates[0].l1");
            expectGenuine(vm.parseJsonBytes(json, path), Status.BAD_SIGNATURE, path);
        }
    }

    function test_every_refused_certificate_is_refused_for_its_fault() external view {
        string memory json = Golden.certificates();
        uint256 seen;
        for (uint256 i = 0; i < COMMITTEES; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                for (uint256 k = 0;; ++k) {
                    string memory path = string.concat(_statement(i, j), ".refused[", vm.toString(k), "]");
                    if (!vm.keyExistsJson(json, path)) break;
                    string memory name = vm.parseJsonString(json, string.concat(path, ".name"));
                    bytes memory certificate = vm.parseJsonBytes(json, string.concat(path, ".l1"));
                    expectGenuine(certificate, _fault(name), name);
                    ++seen;
                }
            }
        }
        vm.assertEq(seen, 80, "refused certificates");
    }

    /// Any `t` members make a certificate, and no fewer, whoever they are.
    function testFuzz_any_signers_count(uint256 committee, uint256 signers) external view {
        committee %= COMMITTEES;
        string memory name = ["n5", "n7", "n20", "n10"][committee];
        uint256 threshold = [uint256(4), 6, 17, 8][committee];
        Signed memory what = Golden.statement(name);
        // Random bits alone would nearly always be too few.
        uint256 absent = signers & (signers >> 64) & (signers >> 128);
        signers = Certify.all(what) & ~absent;
        bytes memory certificate = Certify.by(what, signers);
        Status expected = Certify.count(signers) >= threshold ? Status.OK : Status.BELOW_THRESHOLD;
        // The sum of no signatures is the point at infinity.
        if (signers == 0) expected = Status.MALFORMED;
        expectAt(certificate, during(uint64(committee + 1)), expected, name);
        expectGenuine(certificate, expected, name);
    }

    function _statement(uint256 committee, uint256 index) private pure returns (string memory) {
        return string.concat(".committees[", vm.toString(committee), "].statements[", vm.toString(index), "]");
    }

    function _fault(string memory name) private pure returns (Status) {
        bytes32 hash = keccak256(bytes(name));
        if (hash == keccak256("below threshold")) return Status.BELOW_THRESHOLD;
        if (hash == keccak256("bitmap names others than signed")) return Status.BAD_SIGNATURE;
        if (hash == keccak256("signature not in the subgroup")) return Status.BAD_SIGNATURE;
        return Status.MALFORMED;
    }
}
