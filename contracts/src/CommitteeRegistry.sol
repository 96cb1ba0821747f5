// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G1Point, G2Point} from "./Bls.sol";
import {Certificate, Certificates} from "./Certificates.sol";
import {Checkpoint, Checkpoints} from "./Checkpoints.sol";
import {EpochBlob, Parameters} from "./EpochBlob.sol";
import {Epochs} from "./Epochs.sol";
import {IAvailability} from "./IAvailability.sol";
import {Namespaces} from "./Namespaces.sol";
import {Blob, Openings} from "./Openings.sol";
import {Roles} from "./Roles.sol";
import {Status} from "./Status.sol";

/// The L1 side of Holdfast: who the committee is, and whether a certificate of it is good.
///
/// Nothing here can be upgraded. The chain must have EIP-2537 (hard fork Prague or later); the constructor sees to that.
contract CommitteeRegistry is IAvailability, Epochs, Namespaces {
    /// A certificate was good in the block of this event. Payload digest zero: dispersed by shard.
    event Published(
        bytes32 indexed blobId,
        bytes32 indexed namespace,
        bytes32 indexed payloadDigest,
        uint64 epoch,
        uint64 retainUntil
    );
    /// A checkpoint was good in the block of this event.
    event CheckpointPublished(
        bytes32 indexed checkpointId,
        bytes32 indexed namespace,
        bytes32 indexed blobsRoot,
        uint64 epoch,
        uint32 count,
        uint64 retainUntil
    );

    /// The certificate or checkpoint is not good in this block.
    error NotAvailable(Status status);

    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    /// The second in which each checkpoint was first published.
    mapping(bytes32 checkpointId => uint64) public checkpointPublishedAt;

    constructor(address governance_, address guardian_, uint64 delay_) Roles(governance_, guardian_, delay_) {
        _chainId = block.chainid;
        _separator = Certificates.domainSeparator(block.chainid, address(this));
        // Reverts on a chain without the precompiles; what is hashed and paired does not matter.
        G2Point memory infinity;
        G1Point memory point = Bls.hashToG1("", Bls.SIGNATURE_DST);
        if (Bls.isSigned(point, point, infinity)) revert Bls.PrecompileFailed();
    }

    /// Emits Published if the certificate is good in this block, and reverts with the status if not.
    function publish(bytes calldata certificate) external {
        (bool wellFormed, Certificate memory c) = Certificates.decode(certificate);
        Status status = wellFormed ? _verify(c, block.timestamp) : Status.MALFORMED;
        if (status != Status.OK) revert NotAvailable(status);
        emit Published(c.blobId, c.namespace, c.payloadDigest, uint64(c.epoch), uint64(c.retainUntil));
    }

    /// Emits CheckpointPublished if the checkpoint is good in this block, and reverts with the status if not. From then
    /// on `verifyInCheckpoint` knows it.
    function publishCheckpoint(bytes calldata checkpoint) external {
        (Status status, Checkpoint memory c, bytes32 id) = _verifyCheckpoint(checkpoint, block.timestamp);
        if (status != Status.OK) revert NotAvailable(status);
        // The first publication stays: what was said of the time since must stand.
        if (checkpointPublishedAt[id] == 0) checkpointPublishedAt[id] = uint64(block.timestamp);
        emit CheckpointPublished(
            id, c.namespace, c.blobsRoot, uint64(c.epoch), uint32(c.count), uint64(c.retainUntil)
        );
    }

    /// @inheritdoc IAvailability
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status) {
        (bool wellFormed, Certificate memory c) = Certificates.decode(certificate);
        return wellFormed ? _verify(c, atTime) : Status.MALFORMED;
    }

    /// @inheritdoc IAvailability
    function verifySignature(bytes calldata certificate) external view returns (Status) {
        (bool wellFormed, Certificate memory c) = Certificates.decode(certificate);
        if (!wellFormed) return Status.MALFORMED;
        address blob = _epoch(c.epoch).blob;
        if (blob == address(0)) return Status.UNKNOWN_EPOCH;
        Parameters memory p = EpochBlob.parameters(blob);
        if (!_hasParameters(c, p)) return Status.WRONG_PARAMETERS;
        return _verifySigners(c.signers, c.signature, Certificates.digest(c, domainSeparator()), blob, p);
    }

    /// @inheritdoc IAvailability
    function verifyCheckpoint(bytes calldata checkpoint, uint64 atTime) external view returns (Status status) {
        (status,,) = _verifyCheckpoint(checkpoint, atTime);
    }

    /// @inheritdoc IAvailability
    function verifyInCheckpoint(bytes32 blobId, bytes calldata proof, uint64 atTime) external view returns (Status) {
        (bool wellFormed, Checkpoint memory c, uint256 index) = Checkpoints.decodeProof(proof);
        if (!wellFormed) return Status.MALFORMED;
        uint256 publishedAt = checkpointPublishedAt[Checkpoints.id(c, domainSeparator())];
        if (publishedAt == 0) return Status.UNKNOWN_CHECKPOINT;
        if (atTime < publishedAt) return Status.NOT_YET;
        if (_isRevoked(_epoch(c.epoch).revokedAt, atTime)) return Status.REVOKED;
        (bool exists, uint256 minRetention) = _retentionAt(c.namespace, atTime);
        if (!exists) return Status.UNKNOWN_NAMESPACE;
        if (c.retainUntil < atTime + minRetention) return Status.RETENTION_TOO_SHORT;
        return Checkpoints.isIncluded(c, blobId, index, proof) ? Status.OK : Status.NOT_INCLUDED;
    }

    /// @inheritdoc IAvailability
    function openPayload(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (bool) {
        return Openings.id(blob) == blobId && Openings.isLeafAt(blob, offset, leaf, path);
    }

    /// The EIP-712 domain separator that statements are signed under.
    function domainSeparator() public view returns (bytes32) {
        // A fork of the chain has another chain id, and there the certificates of the other side mean nothing.
        return block.chainid == _chainId ? _separator : Certificates.domainSeparator(block.chainid, address(this));
    }

    function _verify(Certificate memory c, uint256 atTime) private view returns (Status) {
        StoredEpoch memory epoch = _epoch(c.epoch);
        if (epoch.blob == address(0)) return Status.UNKNOWN_EPOCH;
        Parameters memory p = EpochBlob.parameters(epoch.blob);
        Status activity = _activity(epoch, p.activeFrom, atTime);
        if (activity != Status.OK) return activity;
        if (!_hasParameters(c, p)) return Status.WRONG_PARAMETERS;
        (bool exists, uint256 minRetention) = _retentionAt(c.namespace, atTime);
        if (!exists) return Status.UNKNOWN_NAMESPACE;
        if (c.retainUntil < atTime + minRetention) return Status.RETENTION_TOO_SHORT;
        return _verifySigners(c.signers, c.signature, Certificates.digest(c, domainSeparator()), epoch.blob, p);
    }

    function _verifyCheckpoint(bytes calldata encoded, uint256 atTime)
        private
        view
        returns (Status, Checkpoint memory c, bytes32 id)
    {
        bool wellFormed;
        uint256 signers;
        G1Point memory signature;
        (wellFormed, c, signers, signature) = Checkpoints.decode(encoded);
        if (!wellFormed) return (Status.MALFORMED, c, id);
        StoredEpoch memory epoch = _epoch(c.epoch);
        if (epoch.blob == address(0)) return (Status.UNKNOWN_EPOCH, c, id);
        Parameters memory p = EpochBlob.parameters(epoch.blob);
        Status activity = _activity(epoch, p.activeFrom, atTime);
        if (activity != Status.OK) return (activity, c, id);
        if (signers >> p.totalShards != 0) return (Status.WRONG_PARAMETERS, c, id);
        (bool exists, uint256 minRetention) = _retentionAt(c.namespace, atTime);
        if (!exists) return (Status.UNKNOWN_NAMESPACE, c, id);
        if (c.retainUntil < atTime + minRetention) return (Status.RETENTION_TOO_SHORT, c, id);
        id = Checkpoints.id(c, domainSeparator());
        return (_verifySigners(signers, signature, id, epoch.blob, p), c, id);
    }

    function _hasParameters(Certificate memory c, Parameters memory p) private pure returns (bool) {
        return c.originalShards == p.originalShards && c.totalShards == p.totalShards
            && c.payloadLength <= p.maxPayload;
    }

    /// Whether enough members signed the digest. Signers must be slots of the epoch.
    function _verifySigners(
        uint256 signers,
        G1Point memory signature,
        bytes32 digest,
        address blob,
        Parameters memory p
    ) private view returns (Status) {
        if (_countBits(signers) < p.threshold) return Status.BELOW_THRESHOLD;
        G2Point memory key = EpochBlob.sumWithout(blob, ~signers & ((1 << p.totalShards) - 1));
        if (Bls.isInfinity(key)) return Status.BAD_SIGNATURE;
        G1Point memory hash = Bls.hashToG1(abi.encode(digest), Bls.SIGNATURE_DST);
        return Bls.isSigned(signature, hash, key) ? Status.OK : Status.BAD_SIGNATURE;
    }

    /// The number of ones in a word of at most 128 bits: the usual sums of neighbours, in place.
    function _countBits(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x55555555555555555555555555555555;
            x = (x & 0x33333333333333333333333333333333) + ((x >> 2) & 0x33333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return (x * 0x01010101010101010101010101010101 >> 120) & 0xff;
        }
    }
}
