// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRoles} from "../interfaces/IRoles.sol";

/// Who may change what, and how long beforehand it must be said. Fixed at deployment.
abstract contract Roles is IRoles {
    /// The longest delay, in seconds.
    uint64 private constant MAX_DELAY = 365 days;

    /// @inheritdoc IRoles
    address public immutable governance;
    /// @inheritdoc IRoles
    address public immutable guardian;
    /// @inheritdoc IRoles
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

    modifier onlyGuardianOrGovernance() {
        if (msg.sender != guardian && msg.sender != governance) revert NotGuardianOrGovernance(msg.sender);
        _;
    }

    /// The first second for which what is said now with the delay can hold. Never the current one: what was said of it
    /// must stand.
    function _afterDelay() internal view returns (uint256) {
        return block.timestamp + (delay == 0 ? 1 : delay);
    }
}
