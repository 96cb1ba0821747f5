// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

import {Blob} from "./Blob.sol";
import {IAvailability} from "./IAvailability.sol";
import {Epoch, IEpochs} from "./IEpochs.sol";
import {IKeys, Slot} from "./IKeys.sol";
import {INamespaces, NamespaceInfo} from "./INamespaces.sol";
import {IRoles} from "./IRoles.sol";
import {Status} from "./Status.sol";

/// The L1 side of Holdfast: who the committee is, and whether a certificate of it is good. Nothing of a registry can be
/// upgraded.
///
/// It says of itself by ERC-165 which of the interfaces here it has, and by ERC-5267 what statements are signed under.
interface ICommitteeRegistry is IAvailability, IRoles, IKeys, IEpochs, INamespaces {
    /// The registry was deployed.
    /// @param governance Who proposes epochs.
    /// @param guardian Who cancels, revokes and holds; zero if there is none.
    /// @param delay Seconds from a proposal to its activation, at least.
    /// @param overlap Seconds for which an epoch's certificates are good after its end.
    event RegistryDeployed(address indexed governance, address indexed guardian, uint64 delay, uint64 overlap);

    /// The EIP-712 domain separator that statements are signed under.
    /// @return separator Its hash.
    function domainSeparator() external view returns (bytes32 separator);

    /// The EIP-712 domain that statements are signed under (ERC-5267).
    /// @return fields Which of the following are in it: the first four.
    /// @return name "Holdfast".
    /// @return version_ "1".
    /// @return chainId This chain's.
    /// @return verifyingContract This registry.
    /// @return salt None.
    /// @return extensions None.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version_,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );

    /// The version of the protocol that the registry speaks, as in its EIP-712 domain.
    /// @return text "1".
    function version() external pure returns (string memory text);

    /// Whether the registry has an interface (ERC-165): that of ERC-165, that of ERC-5267, and each that this one is
    /// made of.
    /// @param interfaceId The exclusive or of its functions' selectors.
    /// @return supported Whether.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool supported);
}
