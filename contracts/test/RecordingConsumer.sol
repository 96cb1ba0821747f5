// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../src/IAvailability.sol";
import {Status} from "../src/Status.sol";

/// A contract that remembers what the registry said, for tests of what a sender who picks the gas limit can make it
/// remember.
contract RecordingConsumer {
    /// The last verdict plus one; 0 while there is none.
    uint256 public recorded;

    /// Records the verdict, and fails if there is none.
    function record(IAvailability registry, bytes calldata certificate, uint64 atTime) external {
        recorded = uint256(registry.verify(certificate, atTime)) + 1;
    }

    /// Records the verdict, and goes on without one if there is none: what is left after the registry ran out of gas is
    /// enough to record something.
    function tryRecord(IAvailability registry, bytes calldata certificate, uint64 atTime) external {
        try registry.verify(certificate, atTime) returns (Status status) {
            recorded = uint256(status) + 1;
        } catch {}
    }
}
