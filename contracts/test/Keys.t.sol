// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEpochs} from "../interfaces/IEpochs.sol";
import {IKeys, Slot} from "../interfaces/IKeys.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Member, Signed} from "./support/Golden.sol";
import {vm, Vm} from "./support/Vm.sol";

/// Attacks with keys and proofs of possession.
contract KeysTest is Fixture {
    /// The five golden members, and the negative of the first.
    Member[] private members;
    Member private opposite;

    function setUp() external {
        deploy();
        createNamespace();
        Member[] memory five = Golden.committee(Golden.certificates(), 0).members;
        for (uint256 i = 0; i < five.length; ++i) {
            members.push(five[i]);
        }
        opposite = Golden.member(Golden.signed(), ".opposite");
    }

    function test_a_key_is_registered_once_whoever_asks() external {
        bytes32 keyId = register(members[0]);
        vm.assertEq(keyId, keccak256(members[0].key), "key id");
        address[2] memory senders = [OPERATOR, STRANGER];
        for (uint256 i = 0; i < senders.length; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(IKeys.KeyAlreadyRegistered.selector, keyId));
            registry.registerKey(members[0].key, members[0].proof);
        }
        vm.assertEq(registry.keyAccount(keyId), OPERATOR, "account");
    }

    function test_a_key_stands_once_in_an_epoch() external {
        bytes32[] memory keyIds = registerAll(members);
        for (uint256 i = 0; i < keyIds.length; ++i) {
            for (uint256 j = i + 1; j < keyIds.length; ++j) {
                bytes32[] memory twice = _copy(keyIds);
                twice[j] = twice[i];
                vm.prank(GOVERNANCE);
                vm.expectRevert(abi.encodeWithSelector(IEpochs.DuplicateKey.selector, keyIds[i]));
                registry.proposeEpoch(keysOf(twice), operators(5), 2, 4, 1, 0);
            }
        }
        // What the failed proposals saw is forgotten, and epochs of one transaction may share keys.
        vm.assertEq(propose(keyIds, 2, 4, 0), 1, "first epoch");
        vm.assertEq(propose(keyIds, 2, 4, 0), 2, "second epoch");
    }

    function test_a_key_that_nobody_registered_is_in_no_epoch() external {
        bytes32[] memory keyIds = registerAll(members);
        bytes memory keys = bytes.concat(Certify.slice(keysOf(keyIds), 0, 4 * 256), opposite.key);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IKeys.UnknownKey.selector, keccak256(opposite.key)));
        registry.proposeEpoch(keys, operators(5), 2, 4, 1, 0);
    }

    function test_coefficients_of_fp2_in_the_other_order() external {
        bytes memory key = members[0].key;
        bytes memory swapped = bytes.concat(
            Certify.slice(key, 64, 128), Certify.slice(key, 0, 64), Certify.slice(key, 192, 256), Certify.slice(key, 128, 192)
        );
        _refuse(swapped, members[0].proof, IKeys.BadProofOfPossession.selector);
        // Only one of the two coordinates.
        _refuse(
            bytes.concat(Certify.slice(swapped, 0, 128), Certify.slice(key, 128, 256)),
            members[0].proof,
            IKeys.BadProofOfPossession.selector
        );
    }

    function test_signatures_by_the_key_that_prove_nothing() external {
        string memory json = Golden.signed();
        bytes[] memory proofs = vm.parseJsonBytesArray(json, ".falseProofs.proofs");
        vm.assertEq(proofs.length, 8, "false proofs");
        for (uint256 i = 0; i < proofs.length; ++i) {
            _refuse(members[0].key, proofs[i], IKeys.BadProofOfPossession.selector);
        }
        register(members[0]);
    }

    /// Seen in the mempool, a proof is of no use to any other account, and after it no reason to be afraid.
    function test_a_proof_that_somebody_else_brings_first() external {
        address[4] memory others = [STRANGER, GOVERNANCE, GUARDIAN, address(this)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodePacked(IKeys.BadProofOfPossession.selector));
            registry.registerKey(members[0].key, members[0].proof);
        }
        register(members[0]);
    }

    /// A key may be in several registries and on several chains, but each time its holder must say so.
    function test_a_proof_for_another_registry_or_another_chain() external {
        Member[] memory there = Golden.membersOfOtherRegistry();
        _refuse(members[0].key, there[0].proof, IKeys.BadProofOfPossession.selector);
        vm.chainId(CHAIN_ID + 1);
        _refuse(members[0].key, members[0].proof, IKeys.BadProofOfPossession.selector);
        vm.chainId(CHAIN_ID);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, DELAY, OVERLAP);
        _refuse(members[0].key, members[0].proof, IKeys.BadProofOfPossession.selector);
        vm.prank(OPERATOR);
        registry.registerKey(members[0].key, there[0].proof);
    }

    function test_a_registered_key_is_told() external {
        vm.recordLogs();
        bytes32 keyId = register(members[0]);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].topics[0], IKeys.KeyRegistered.selector, "event");
        vm.assertEq(logs[0].topics[1], keyId, "key id");
        vm.assertEq(logs[0].topics[2], bytes32(uint256(uint160(OPERATOR))), "account");
        vm.assertEq(logs[0].data, abi.encode(members[0].compressedKey), "compressed key");
    }

    function test_the_proof_of_another_key() external {
        _refuse(members[0].key, members[1].proof, IKeys.BadProofOfPossession.selector);
        _refuse(members[0].key, opposite.proof, IKeys.BadProofOfPossession.selector);
    }

    function test_the_identity_is_no_key_and_no_proof() external {
        bytes4 reason = IKeys.PointAtInfinity.selector;
        _refuse(new bytes(256), new bytes(128), reason);
        _refuse(new bytes(256), members[0].proof, reason);
        _refuse(members[0].key, new bytes(128), reason);
    }

    function testFuzz_lengths_of_keys_and_proofs(uint256 keyBytes, uint256 proofBytes) external {
        (keyBytes, proofBytes) = (keyBytes % 600, proofBytes % 300);
        if (keyBytes == 256 && proofBytes == 128) return;
        _refuse(new bytes(keyBytes), new bytes(proofBytes), IKeys.BadLength.selector);
    }

    function test_opposite_keys_alone_are_no_committee() external {
        bytes32[] memory keyIds = new bytes32[](2);
        (keyIds[0], keyIds[1]) = (register(members[0]), register(opposite));
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodePacked(IEpochs.AggregateIsIdentity.selector));
        registry.proposeEpoch(keysOf(keyIds), operators(2), 1, 2, 1, 0);
    }

    function test_a_key_and_its_opposite_sign_nothing_together() external {
        // The vectors' epoch of this committee is the fifth.
        bytes32[] memory keyIds = registerAll(members);
        for (uint64 epoch = 1; epoch < 5; ++epoch) {
            propose(keyIds, 2, 4, activeFrom(epoch));
        }
        bytes32[] memory pair = new bytes32[](3);
        (pair[0], pair[1], pair[2]) = (keyIds[0], register(opposite), keyIds[1]);
        vm.assertEq(propose(pair, 1, 2, activeFrom(5)), 5, "epoch");
        vm.warp(during(5));

        // The two together have the identity as key and as signature, on any statement at all.
        Signed memory what = Golden.statement("pair");
        vm.assertEq(Certify.sum(what, 0x3), new bytes(128), "their signatures cancel out");
        expect(Certify.by(what, 0x3), Status.MALFORMED, "no signature");
        expect(Certify.with(what, 0x3, Certify.sum(what, 0x1)), Status.BAD_SIGNATURE, "some signature");
        // Their keys are proven, so with the third member they are what they claim to be: three signers.
        expect(Certify.by(what, 0x7), Status.OK, "all three");
        expect(Certify.by(what, 0x5), Status.OK, "the first and the third");
    }

    function test_an_endpoint_is_the_accounts_own_to_set() external {
        bytes32[] memory keyIds = registerAll(members);
        propose(keyIds, 2, 4, 0);
        bytes32 pin = keccak256("pin");
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IKeys.NotKeyAccount.selector, OPERATOR));
        registry.setEndpoint(keyIds[2], "https://stranger.example", pin);
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(IKeys.EndpointTooLong.selector, 256));
        registry.setEndpoint(keyIds[2], string(new bytes(256)), pin);

        vm.prank(OPERATOR);
        registry.setEndpoint(keyIds[1], string(new bytes(255)), pin);
        vm.prank(OPERATOR);
        registry.setEndpoint(keyIds[1], "", bytes32(0));

        vm.recordLogs();
        vm.prank(OPERATOR);
        registry.setEndpoint(keyIds[2], "https://member.example", pin);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs[0].topics[0], IKeys.EndpointSet.selector, "event");
        vm.assertEq(logs[0].topics[1], keyIds[2], "key id");
        vm.assertEq(logs[0].data, abi.encode("https://member.example", pin), "endpoint and pin");
        (string memory endpoint, bytes32 tlsPin) = registry.endpointOf(keyIds[2]);
        vm.assertEq(bytes(endpoint), bytes("https://member.example"), "endpoint");
        vm.assertEq(tlsPin, pin, "pin");
        Slot[] memory slots = registry.slotsOf(1);
        vm.assertEq(slots.length, 5, "slots");
        for (uint256 i = 0; i < slots.length; ++i) {
            vm.assertEq(slots[i].keyId, keyIds[i], "slots keep the order of the proposal");
            vm.assertEq(slots[i].account, OPERATOR, "account");
            vm.assertEq(bytes(slots[i].endpoint), bytes(i == 2 ? "https://member.example" : ""), "endpoint");
            vm.assertEq(slots[i].tlsPin, i == 2 ? pin : bytes32(0), "pin");
        }
    }

    function _copy(bytes32[] memory keyIds) private pure returns (bytes32[] memory copy) {
        copy = new bytes32[](keyIds.length);
        for (uint256 i = 0; i < keyIds.length; ++i) {
            copy[i] = keyIds[i];
        }
    }

    function _refuse(bytes memory key, bytes memory proof, bytes4 reason) private {
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodePacked(reason));
        registry.registerKey(key, proof);
    }
}
