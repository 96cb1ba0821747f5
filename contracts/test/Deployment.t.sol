// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls} from "../src/Bls.sol";
import {Roles} from "../src/Roles.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

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
        vm.assertEq(registry.epochCount(), 0, "epochs");
        vm.assertEq(registry.activeEpoch(type(uint64).max), 0, "active epoch");
    }

    function test_a_registry_needs_a_governance_and_a_sensible_delay() external {
        vm.expectRevert(abi.encodePacked(Roles.ZeroGovernance.selector));
        this.deployWith(address(0), DELAY);
        vm.expectRevert(abi.encodeWithSelector(Roles.DelayTooLong.selector, 365 days + 1));
        this.deployWith(GOVERNANCE, 365 days + 1);
        this.deployWith(GOVERNANCE, 365 days);
    }

    function deployWith(address governance, uint64 delay) external {
        deployRegistry(governance, GUARDIAN, delay);
    }
}

/// A chain that does not have EIP-2537.
/// forge-config: default.hardfork = "cancun"
contract DeploymentBeforePragueTest is Fixture {
    function test_a_chain_without_the_precompiles_is_refused() external {
        vm.expectRevert(abi.encodePacked(Bls.PrecompileFailed.selector));
        this.deployHere();
    }

    function deployHere() external {
        deploy();
    }
}
