// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";

/// A contract that remembers what the registry said, for tests of what a sender who picks the gas limit can make it
/// remember.
contract RecordingConsumer {
    /// The last verdict, as a number; 0 while there is none.
    uint256 public recorded;

    /// Records the verdict, and fails if there is none.
    function record(IAvailability registry, bytes calldata certificate, uint64 atTime) external {
        recorded = uint256(registry.verify(certificate, atTime));
    }

    /// Records the verdict, and goes on without one if there is none: what is left after the registry ran out of gas is
    /// enough to record something.
    function tryRecord(IAvailability registry, bytes calldata certificate, uint64 atTime) external {
        try registry.verify(certificate, atTime) returns (Status status) {
            recorded = uint256(status);
        } catch {}
    }

    /// As `record`, for a checkpoint.
    function recordCheckpoint(IAvailability registry, bytes calldata checkpoint, uint64 atTime) external {
        recorded = uint256(registry.verifyCheckpoint(checkpoint, atTime));
    }

    /// As `tryRecord`, for a blob in a checkpoint.
    function tryRecordInCheckpoint(IAvailability registry, bytes32 blobId, bytes calldata proof, uint64 atTime) external {
        try registry.verifyInCheckpoint(blobId, proof, atTime) returns (Status status) {
            recorded = uint256(status);
        } catch {}
    }

    /// Records how many bytes of a leaf are payload, plus 1, and goes on if the registry does not say within so much gas.
    function tryRecordOpening(
        IAvailability registry,
        uint256 gasLimit,
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external {
        try registry.openPayload{gas: gasLimit}(blobId, blob, offset, leaf, path) returns (uint256 payloadBytes) {
            recorded = payloadBytes + 1;
        } catch {}
    }
}
