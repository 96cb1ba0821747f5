// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Who may change what, and how long beforehand it must be said. Fixed at deployment.
abstract contract Roles {
    error NotGovernance(address sender);
    error NotGuardian(address sender);
    error ZeroGovernance();
    error DelayTooLong(uint64 delay);

    /// The longest delay, in seconds.
    uint64 public constant MAX_DELAY = 365 days;

    /// Proposes epochs, and may take a proposal back.
    address public immutable governance;
    /// May cancel a proposal, revoke an epoch or hold a namespace, and nothing else. Zero if there is none.
    address public immutable guardian;
    /// Seconds from a proposal to its activation, at least, and from saying to taking effect where a namespace's
    /// retention is lowered.
    uint64 public immutable delay;

    constructor(address governance_, address guardian_, uint64 delay_) {
        if (governance_ == address(0)) revert ZeroGovernance();
        if (delay_ > MAX_DELAY) revert DelayTooLong(delay_);
        governance = governance_;
        guardian = guardian_;
        delay = delay_;
    }

    modifier onlyGovernance() {
        if (msg.sender != governance) revert NotGovernance(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    /// The first second for which what is said now with the delay can hold. Never the current one: what was said of it
    /// must stand.
    function _afterDelay() internal view returns (uint256) {
        return block.timestamp + (delay == 0 ? 1 : delay);
    }
}
