// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epochs} from "../../src/Epochs.sol";
import {IAvailability} from "../../src/IAvailability.sol";
import {Namespaces} from "../../src/Namespaces.sol";
import {Status} from "../../src/Status.sol";

/// CommitteeRegistry as its callers see it. Tests import this in its place, since they are compiled without the
/// optimizer, which it needs.
abstract contract Registry is IAvailability, Epochs, Namespaces {
    event Published(
        bytes32 indexed blobId,
        bytes32 indexed namespace,
        bytes32 indexed payloadDigest,
        uint64 epoch,
        uint64 retainUntil
    );
    event CheckpointPublished(
        bytes32 indexed checkpointId,
        bytes32 indexed namespace,
        bytes32 indexed blobsRoot,
        uint64 epoch,
        uint32 count,
        uint64 retainUntil
    );

    error NotAvailable(Status status);

    function publish(bytes calldata certificate) external virtual;
    function publishCheckpoint(bytes calldata checkpoint) external virtual;
    function checkpointPublishedAt(bytes32 checkpointId) external view virtual returns (uint64);
    function domainSeparator() external view virtual returns (bytes32);
}
