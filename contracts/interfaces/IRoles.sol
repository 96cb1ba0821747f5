// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// Who may change what, and how long beforehand it must be said. Fixed at deployment.
interface IRoles {
    /// Only governance may do this.
    error NotGovernance(address sender);
    /// Only the guardian may do this.
    error NotGuardian(address sender);
    /// Only the guardian or governance may do this.
    error NotGuardianOrGovernance(address sender);
    /// A registry needs a governance.
    error ZeroGovernance();
    /// More than 365 days.
    error DelayTooLong(uint64 delay);

    /// Who proposes epochs, and may take a proposal back.
    /// @return account The account.
    function governance() external view returns (address account);

    /// Who may cancel proposals, revoke an epoch or hold a namespace, and nothing else.
    /// @return account The account; zero if there is none.
    function guardian() external view returns (address account);

    /// Seconds from a proposal to its activation, at least, and from saying to taking effect where a namespace's
    /// retention is lowered.
    /// @return time The seconds.
    function delay() external view returns (uint64 time);

}
