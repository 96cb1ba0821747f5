// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {Epoch, IEpochs} from "../interfaces/IEpochs.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Proposals taken back, by a guardian or a governance that has looked again.
contract CancellationTest is Fixture {
    bytes32[] private keyIds;
    bytes private keys;
    address[] private accounts;
    bytes private good;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(1);
        keyIds = keyIdsOf(1);
        keys = keysOf(keyIds);
        accounts = operators(5);
        good = Certify.by(Golden.statement("n5"), 0x1f);
        vm.warp(during(1));
    }

    function test_cancelled_proposals_close_nothing() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        uint64 third = propose(keyIds, 2, 4, activeFrom(3));
        vm.assertEq(registry.getEpoch(1).activeUntil, activeFrom(2), "closed by the second");
        vm.assertEq(registry.getEpoch(second).activeUntil, activeFrom(3), "closed by the third");
        vm.prank(GUARDIAN);
        registry.cancelFrom(third);
        vm.assertEq(registry.getEpoch(1).activeUntil, activeFrom(2), "still closed by the second");
        vm.assertEq(registry.getEpoch(second).activeUntil, 0, "closed by none");
        vm.assertEq(registry.activeEpoch(activeFrom(3)), second, "the second goes on");
        propose(keyIds, 2, 4, activeFrom(3));
        vm.prank(GOVERNANCE);
        registry.cancelFrom(second);
        vm.assertEq(registry.getEpoch(1).activeUntil, 0, "closed by none");
        vm.assertEq(registry.getEpoch(1).acceptedUntil, 0, "closed by none");
        vm.warp(activeFrom(3));
        expectAt(good, activeFrom(3), Status.OK, "the first goes on");
        for (uint64 epoch = second; epoch <= 4; ++epoch) {
            Epoch memory cancelled = registry.getEpoch(epoch);
            vm.assertTrue(cancelled.cancelled, "cancelled");
            vm.assertEq(cancelled.revokedAt, 0, "not revoked");
            vm.assertEq(uint256(cancelled.activeUntil) + cancelled.acceptedUntil, 0, "it has no end that it could reach");
        }
        vm.assertEq(propose(keyIds, 2, 4, 0), 5, "numbers are not used again");
    }

    /// Cancelled is cancelled, at every time and also by the signature alone: not "not yet", which would be tried again.
    function test_a_cancelled_epoch_has_a_status_of_its_own() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        bytes memory moved = Certify.edit(good, Certify.EPOCH, abi.encodePacked(second));
        expect(moved, Status.NOT_YET, "proposed");
        expectGenuine(moved, Status.NOT_YET, "proposed");
        vm.prank(GUARDIAN);
        registry.cancelFrom(second);
        uint64[5] memory times = [0, uint64(block.timestamp), activeFrom(2), activeFrom(3), type(uint64).max];
        for (uint256 i = 0; i < times.length; ++i) {
            expectAt(moved, times[i], Status.EPOCH_CANCELLED, "verify");
        }
        expectGenuine(moved, Status.EPOCH_CANCELLED, "verifySignature");
        vm.warp(activeFrom(3));
        expectGenuine(moved, Status.EPOCH_CANCELLED, "for ever");
    }

    function test_what_is_active_is_not_cancelled() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        address[2] memory allowed = [GUARDIAN, GOVERNANCE];
        vm.warp(activeFrom(2));
        for (uint256 i = 0; i < allowed.length; ++i) {
            for (uint64 epoch = 1; epoch <= second; ++epoch) {
                vm.prank(allowed[i]);
                vm.expectRevert(abi.encodeWithSelector(IEpochs.AlreadyActive.selector, epoch));
                registry.cancelFrom(epoch);
            }
        }
        vm.warp(activeFrom(2) - 1);
        address[2] memory others = [STRANGER, OPERATOR];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IRoles.NotGuardianOrGovernance.selector, others[i]));
            registry.cancelFrom(second);
        }
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.NotYetActive.selector, second));
        registry.revokeEpoch(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.UnknownEpoch.selector, second + 1));
        registry.cancelFrom(second + 1);
        vm.prank(GUARDIAN);
        registry.cancelFrom(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.AlreadyCancelled.selector, second));
        registry.cancelFrom(second);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.AlreadyCancelled.selector, second));
        registry.revokeEpoch(second);
    }

    /// In its first second it can no longer be cancelled, so it can be revoked.
    function test_an_epoch_is_revoked_from_its_first_second_on() external {
        uint64 second = propose(keyIds, 2, 4, activeFrom(2));
        vm.warp(activeFrom(2));
        vm.prank(GUARDIAN);
        registry.revokeEpoch(second);
        vm.assertEq(registry.getEpoch(second).revokedAt, activeFrom(2) + 1, "revokedAt");
    }

    /// A governance that has been taken over cannot make more proposals than the guardian can take back in one go.
    function test_a_flood_of_proposals_is_cancelled_at_a_cost_that_is_bounded() external {
        uint64 first = propose(keyIds, 2, 4, 0);
        uint256 one = _cancellationGas(first);
        for (uint256 round = 0; round < 5; ++round) {
            first = propose(keyIds, 2, 4, 0);
            for (uint256 i = 1; i < 8; ++i) {
                propose(keyIds, 2, 4, 0);
            }
            for (uint256 i = 0; i < 3; ++i) {
                vm.prank(GOVERNANCE);
                vm.expectRevert(abi.encodePacked(IEpochs.TooManyProposals.selector));
                registry.proposeEpoch(keys, accounts, 2, 4, 1, 0);
            }
            vm.assertLt(_cancellationGas(first), one + 7 * 13_000, "gas, however many were cancelled before");
            vm.assertEq(registry.activeEpoch(type(uint64).max), 1, "the epoch before the flood");
            vm.assertEq(registry.getEpoch(1).activeUntil, 0, "goes on");
        }
        vm.assertEq(registry.epochCount(), 1 + 1 + 5 * 8, "epochs");
    }

    /// What is active is no proposal any more, so that a committee that is renewed for years never runs into the bound.
    function test_active_epochs_do_not_count_as_proposals() external {
        for (uint256 i = 0; i < 8; ++i) {
            propose(keyIds, 2, 4, 0);
        }
        uint64 first = registry.getEpoch(2).activeFrom;
        vm.warp(first - 1);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodePacked(IEpochs.TooManyProposals.selector));
        registry.proposeEpoch(keys, accounts, 2, 4, 1, 0);
        vm.warp(first);
        propose(keyIds, 2, 4, 0);
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodePacked(IEpochs.TooManyProposals.selector));
        registry.proposeEpoch(keys, accounts, 2, 4, 1, 0);
        for (uint256 i = 0; i < 20; ++i) {
            vm.warp(block.timestamp + 2 * DELAY);
            propose(keyIds, 2, 4, 0);
        }
    }

    function _cancellationGas(uint64 epoch) private returns (uint256 used) {
        vm.prank(GUARDIAN);
        uint256 before = gasleft();
        registry.cancelFrom(epoch);
        used = before - gasleft();
    }
}

/// A committee that has just been proposed.
contract ProposedCommitteeTest is Fixture {
    /// Whoever can propose a committee has nothing of it until the delay is over, however the question is asked.
    function test_a_committee_proposed_this_second_is_good_for_nothing() external {
        deploy();
        createNamespace();
        vm.warp(START + 1);
        propose(registerAll(Golden.committee(Golden.certificates(), 0).members), 2, 4, 0);
        bytes memory certificate = Certify.by(Golden.statement("n5"), 0x1f);
        uint64 from = START + 1 + DELAY;
        uint64[3] memory seconds_ = [START + 1, START + 2, from - 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(seconds_[i]);
            expect(certificate, Status.NOT_YET, "verify, now");
            expectAt(certificate, from, Status.NOT_YET, "verify, as of when it will be active");
            expectAt(certificate, from + 30 days, Status.NOT_YET, "verify, as of later");
            expectGenuine(certificate, Status.NOT_YET, "verifySignature");
            (Status judged,,,) = registry.judge(certificate);
            vm.assertEq(uint256(judged), uint256(Status.NOT_YET), "judge");
            vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.NOT_YET));
            registry.requireAvailable(certificate, namespace);
        }
        vm.warp(from);
        expect(certificate, Status.OK, "after the delay");
        expectGenuine(certificate, Status.OK, "after the delay");
    }
}
