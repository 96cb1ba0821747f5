// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {ICommitteeRegistry} from "../interfaces/ICommitteeRegistry.sol";
import {IEpochs} from "../interfaces/IEpochs.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm, Vm} from "./support/Vm.sol";

/// Where a registry can be, and with what.
contract DeploymentTest is Fixture {
    /// The two runs of the suite are not twice the same: Osaka has the instruction CLZ (EIP-7939), Prague has not.
    function test_the_rules_are_those_of_the_hard_fork_named() external {
        // PUSH0 CLZ PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
        vm.etch(address(0x7777), hex"5f1e5f5260205ff3");
        (bool ok, bytes memory zeros) = address(0x7777).staticcall{gas: 100_000}("");
        bool osaka = keccak256(bytes(vm.envOr("FOUNDRY_HARDFORK", "prague"))) == keccak256("osaka");
        vm.assertTrue(ok == osaka, "CLZ");
        if (ok) vm.assertEq(abi.decode(zeros, (uint256)), 256, "leading zeros of zero");
    }

    function test_roles_and_delay_are_fixed() external {
        deploy();
        vm.assertEq(registry.governance(), GOVERNANCE, "governance");
        vm.assertEq(registry.guardian(), GUARDIAN, "guardian");
        vm.assertEq(registry.delay(), DELAY, "delay");
        vm.assertEq(registry.overlap(), OVERLAP, "overlap");
        vm.assertEq(registry.epochCount(), 0, "epochs");
        vm.assertEq(registry.activeEpoch(type(uint64).max), 0, "active epoch");
    }

    function test_the_deployment_is_told() external {
        vm.recordLogs();
        deploy();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1, "events");
        vm.assertEq(logs[0].emitter, address(registry), "emitter");
        vm.assertEq(logs[0].topics[0], ICommitteeRegistry.RegistryDeployed.selector, "event");
        vm.assertEq(logs[0].topics[1], bytes32(uint256(uint160(GOVERNANCE))), "governance");
        vm.assertEq(logs[0].topics[2], bytes32(uint256(uint160(GUARDIAN))), "guardian");
        vm.assertEq(logs[0].data, abi.encode(DELAY, OVERLAP), "delay and overlap");
    }

    function test_a_registry_needs_a_governance_and_sensible_times() external {
        vm.expectRevert(abi.encodePacked(IRoles.ZeroGovernance.selector));
        this.deployWith(address(0), DELAY, OVERLAP);
        vm.expectRevert(abi.encodeWithSelector(IRoles.DelayTooLong.selector, 365 days + 1));
        this.deployWith(GOVERNANCE, 365 days + 1, OVERLAP);
        vm.expectRevert(abi.encodeWithSelector(IEpochs.OverlapTooLong.selector, 7 days + 1));
        this.deployWith(GOVERNANCE, DELAY, 7 days + 1);
        this.deployWith(GOVERNANCE, 365 days, 7 days);
        this.deployWith(GOVERNANCE, 0, 0);
    }

    function deployWith(address governance, uint64 delay, uint64 overlap) external {
        registry = deployRegistry(governance, GUARDIAN, delay, overlap);
    }
}

/// A chain that does not have EIP-2537.
/// forge-config: default.hardfork = "cancun"
contract DeploymentBeforePragueTest is Fixture {
    function test_a_chain_without_the_precompiles_is_refused() external {
        vm.expectRevert(abi.encodePacked(IAvailability.PrecompileFailed.selector));
        this.deployHere();
    }

    function deployHere() external {
        deploy();
    }
}
