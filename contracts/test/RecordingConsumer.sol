// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../src/IAvailability.sol";
import {Blob} from "../src/Openings.sol";
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

    /// As `record`, for a checkpoint.
    function recordCheckpoint(IAvailability registry, bytes calldata checkpoint, uint64 atTime) external {
        recorded = uint256(registry.verifyCheckpoint(checkpoint, atTime)) + 1;
    }

    /// As `tryRecord`, for a blob in a checkpoint.
    function tryRecordInCheckpoint(IAvailability registry, bytes32 blobId, bytes calldata proof, uint64 atTime) external {
        try registry.verifyInCheckpoint(blobId, proof, atTime) returns (Status status) {
            recorded = uint256(status) + 1;
        } catch {}
    }

    /// Records whether a leaf is payload, as 1 for yes and 2 for no, and goes on if the registry does not say within so
    /// much gas.
    function tryRecordOpening(
        IAvailability registry,
        uint256 gasLimit,
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external {
        try registry.openPayload{gas: gasLimit}(blobId, blob, offset, leaf, path) returns (bool opened) {
            recorded = opened ? 1 : 2;
        } catch {}
    }
}
