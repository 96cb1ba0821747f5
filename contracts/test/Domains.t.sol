// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ICommitteeRegistry} from "../interfaces/ICommitteeRegistry.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Certificates that are properly signed, for somewhere else.
contract DomainsTest is Fixture {
    bytes private good;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(1);
        good = _all("n5");
        vm.warp(during(1));
        expect(good, Status.OK, "as signed");
    }

    function test_signed_for_another_chain() external {
        bytes memory other = _all("other chain");
        expect(other, Status.BAD_SIGNATURE, "here");
        expectGenuine(other, Status.BAD_SIGNATURE, "here");
        // A fork of the chain, with all its state: there it is the other way round.
        vm.chainId(vm.parseJsonUint(Golden.signed(), ".otherChainId"));
        expect(other, Status.OK, "on the fork");
        expect(good, Status.BAD_SIGNATURE, "on the fork");
        vm.chainId(CHAIN_ID);
        expect(good, Status.OK, "back here");
    }

    function test_signed_for_another_registry() external {
        bytes memory other = _all("other registry");
        expect(other, Status.BAD_SIGNATURE, "here");
        expectGenuine(other, Status.BAD_SIGNATURE, "here");

        // The other registry has the same members, epoch and namespace.
        ICommitteeRegistry here = registry;
        vm.warp(START);
        registry = deployRegistry(GOVERNANCE, GUARDIAN, DELAY, OVERLAP);
        vm.assertEq(address(registry), vm.parseJsonAddress(Golden.signed(), ".otherRegistry"), "address");
        createNamespace();
        propose(registerAll(Golden.membersOfOtherRegistry()), 2, 4, activeFrom(1));
        vm.warp(during(1));
        expect(other, Status.OK, "there");
        expect(good, Status.BAD_SIGNATURE, "there");
        registry = here;
        expect(good, Status.OK, "here");
    }

    function test_signed_for_another_namespace() external {
        bytes memory other = _all("other namespace");
        expect(other, Status.UNKNOWN_NAMESPACE, "which does not exist");
        expect(Certify.edit(other, Certify.NAMESPACE, abi.encode(namespace)), Status.BAD_SIGNATURE, "moved here");
        vm.prank(owner);
        registry.createNamespace(otherSalt, 0, new address[](0));
        expect(other, Status.UNKNOWN_NAMESPACE, "in the second of its creation");
        vm.warp(block.timestamp + 1);
        expect(other, Status.OK, "where it belongs");
        expect(Certify.edit(good, Certify.NAMESPACE, abi.encode(otherNamespace)), Status.BAD_SIGNATURE, "moved there");
    }

    function test_the_namespace_of_another_account_with_the_same_salt() external {
        bytes memory other = _all("other namespace");
        vm.prank(STRANGER);
        bytes32 created = registry.createNamespace(otherSalt, 0, new address[](0));
        vm.assertTrue(created != otherNamespace, "the id depends on the owner");
        vm.warp(block.timestamp + 1);
        expect(other, Status.UNKNOWN_NAMESPACE, "as before");
        expect(Certify.edit(other, Certify.NAMESPACE, abi.encode(created)), Status.BAD_SIGNATURE, "moved");
    }

    function test_moved_to_another_epoch_of_the_same_members() external {
        vm.assertEq(propose(keyIdsOf(1), 2, 4, 0), 2, "epoch");
        bytes memory moved = Certify.edit(good, Certify.EPOCH, abi.encodePacked(uint64(2)));
        expect(moved, Status.NOT_YET, "before");
        vm.warp(block.timestamp + DELAY + OVERLAP);
        expect(moved, Status.BAD_SIGNATURE, "moved");
        expectGenuine(moved, Status.BAD_SIGNATURE, "moved");
        expect(good, Status.EPOCH_CLOSED, "the old one");
        expectGenuine(good, Status.OK, "the old one");
        bytes memory ofNoEpoch = Certify.edit(good, Certify.EPOCH, abi.encodePacked(uint64(3)));
        expect(ofNoEpoch, Status.UNKNOWN_EPOCH, "no such epoch");
        expectGenuine(ofNoEpoch, Status.UNKNOWN_EPOCH, "no such epoch, at any time");
    }

    function test_signers_claimed_who_did_not_sign() external view {
        Signed memory what = Golden.statement("n5");
        // One signature, counted many times or put down to others.
        bytes memory one = what.signatures[0];
        bytes memory four = Certify.add(Certify.add(one, one), Certify.add(one, one));
        expect(Certify.with(what, 0x0f, one), Status.BAD_SIGNATURE, "one signed");
        expect(Certify.with(what, 0x0f, four), Status.BAD_SIGNATURE, "one signed four times");
        expect(Certify.with(what, 0x1e, Certify.sum(what, 0x0f)), Status.BAD_SIGNATURE, "another four");
        expect(Certify.with(what, 0x1f, Certify.sum(what, 0x0f)), Status.BAD_SIGNATURE, "one more");
        expect(Certify.with(what, 0x01, one), Status.BELOW_THRESHOLD, "one");
        for (uint256 slot = 5; slot < 256; ++slot) {
            expect(Certify.with(what, 0x1f | 1 << slot, Certify.sum(what, 0x1f)), Status.MALFORMED, "no such slot");
        }
    }

    function test_another_checkpoint_statement_of_the_same_bytes() external view {
        // The two kinds are told apart by their first byte and their length, and signed under different types.
        bytes memory checkpoint = Certify.by(Golden.checkpoint("of 5"), 0x1f);
        vm.assertEq(uint256(registry.verifyCheckpoint(checkpoint, during(1))), uint256(Status.OK), "checkpoint");
        expect(checkpoint, Status.MALFORMED, "as a certificate");
        vm.assertEq(uint256(registry.verifyCheckpoint(good, during(1))), uint256(Status.MALFORMED), "certificate");
        bytes memory mixed = Certify.with(Golden.statement("n5"), 0x1f, Certify.sum(Golden.checkpoint("of 5"), 0x1f));
        expect(mixed, Status.BAD_SIGNATURE, "the signatures of the other");
    }

    function _all(string memory name) private view returns (bytes memory) {
        Signed memory what = Golden.statement(name);
        return Certify.by(what, Certify.all(what));
    }
}
