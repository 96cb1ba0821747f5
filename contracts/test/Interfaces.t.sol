// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {ICommitteeRegistry} from "../interfaces/ICommitteeRegistry.sol";
import {IEpochs} from "../interfaces/IEpochs.sol";
import {IKeys} from "../interfaces/IKeys.sol";
import {INamespaces} from "../interfaces/INamespaces.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// What a registry says of itself by the common standards.
contract InterfacesTest is Fixture {
    function setUp() external {
        deploy();
    }

    function test_erc_165() external view {
        bytes4[7] memory has = [
            ICommitteeRegistry.supportsInterface.selector,
            ICommitteeRegistry.eip712Domain.selector,
            type(IAvailability).interfaceId,
            type(IRoles).interfaceId,
            type(IKeys).interfaceId,
            type(IEpochs).interfaceId,
            type(INamespaces).interfaceId
        ];
        vm.assertEq(bytes32(has[0]), bytes32(bytes4(0x01ffc9a7)), "ERC-165");
        vm.assertEq(bytes32(has[1]), bytes32(bytes4(0x84b0196e)), "ERC-5267");
        for (uint256 i = 0; i < has.length; ++i) {
            vm.assertTrue(registry.supportsInterface(has[i]), vm.toString(i));
        }
        // As the standard says, and any other.
        vm.assertFalse(registry.supportsInterface(0xffffffff), "0xffffffff");
        vm.assertFalse(registry.supportsInterface(0x00000000), "0x00000000");
    }

    /// ERC-5267, from which wallets make the domain separator themselves.
    function test_the_domain_is_the_one_that_statements_are_signed_under() external {
        _domain();
        // Also on a fork.
        vm.chainId(CHAIN_ID + 1);
        _domain();
    }

    function test_version() external view {
        vm.assertEq(bytes(registry.version()), bytes("1"), "version");
    }

    function _domain() private view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        ) = registry.eip712Domain();
        vm.assertEq(uint8(fields), 0x0f, "fields");
        vm.assertEq(bytes(name), bytes("Holdfast"), "name");
        vm.assertEq(bytes(version), bytes("1"), "version");
        vm.assertEq(chainId, block.chainid, "chain id");
        vm.assertEq(verifyingContract, address(registry), "registry");
        vm.assertEq(uint256(salt) + extensions.length, 0, "nothing else");
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 separator = keccak256(
            abi.encode(domainType, keccak256(bytes(name)), keccak256(bytes(version)), chainId, verifyingContract)
        );
        vm.assertEq(registry.domainSeparator(), separator, "separator");
    }
}
