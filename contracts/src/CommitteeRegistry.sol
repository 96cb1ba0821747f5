// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, SignatureCheck} from "./Bls.sol";
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
        // Reverts on a chain without the precompiles; what is hashed does not matter. The signature and the key are at
        // infinity, so the pairing must say yes; the hash would still be at infinity if nothing had computed it.
        SignatureCheck check = Bls.newCheck();
        Bls.clear(check);
        Bls.hashToG1(check, 0, Bls.SIGNATURE_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        if (!Bls.hasHash(check) || !Bls.isSigned(check)) revert Bls.PrecompileFailed();
    }

    /// Emits Published if the certificate is good in this block, and reverts with the status if not.
    function publish(bytes calldata certificate) external {
        (Status status, Certificate c, bytes32 blobId) = _verify(certificate, block.timestamp);
        if (status != Status.OK) revert NotAvailable(status);
        emit Published(blobId, c.namespace(), c.payloadDigest(), uint64(c.epoch()), uint64(c.retainUntil()));
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
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status status) {
        (status,,) = _verify(certificate, atTime);
    }

    /// @inheritdoc IAvailability
    function verifySignature(bytes calldata certificate) external view returns (Status status) {
        (bool wellFormed, Certificate c) = Certificates.decode(certificate);
        if (!wellFormed) return Status.MALFORMED;
        SignatureCheck check = Bls.newCheck();
        (Parameters p, address blob) = _find(c.epoch(), check);
        if (blob == address(0)) return Status.UNKNOWN_EPOCH;
        if (!_hasParameters(c, p)) return Status.WRONG_PARAMETERS;
        (status,) = _verifySigners(c, p, blob, check);
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
        if (_isRevokedAt(c.epoch, atTime)) return Status.REVOKED;
        Status retention = _retention(c.namespace, c.retainUntil, atTime);
        if (retention != Status.OK) return retention;
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

    function _verify(bytes calldata certificate, uint256 atTime)
        private
        view
        returns (Status status, Certificate c, bytes32 blobId)
    {
        bool wellFormed;
        (wellFormed, c) = Certificates.decode(certificate);
        if (!wellFormed) return (Status.MALFORMED, c, blobId);
        SignatureCheck check = Bls.newCheck();
        (Status activity, Parameters p, address blob) = _activeAt(c.epoch(), atTime, check);
        if (activity != Status.OK) return (activity, c, blobId);
        if (!_hasParameters(c, p)) return (Status.WRONG_PARAMETERS, c, blobId);
        status = _retention(c.namespace(), c.retainUntil(), atTime);
        if (status != Status.OK) return (status, c, blobId);
        (status, blobId) = _verifySigners(c, p, blob, check);
    }

    function _verifyCheckpoint(bytes calldata encoded, uint256 atTime)
        private
        view
        returns (Status status, Checkpoint memory c, bytes32 id)
    {
        bool wellFormed;
        uint256 signers;
        uint256 signature;
        (wellFormed, c, signers, signature) = Checkpoints.decode(encoded);
        if (!wellFormed) return (Status.MALFORMED, c, id);
        SignatureCheck check = Bls.newCheck();
        (Status activity, Parameters p, address blob) = _activeAt(c.epoch, atTime, check);
        if (activity != Status.OK) return (activity, c, id);
        if (signers >> p.totalShards() != 0) return (Status.WRONG_PARAMETERS, c, id);
        status = _retention(c.namespace, c.retainUntil, atTime);
        if (status != Status.OK) return (status, c, id);
        id = Checkpoints.id(c, domainSeparator());
        if (!_isThreshold(signers, p, blob, check)) return (Status.BELOW_THRESHOLD, c, id);
        status = _isSigned(check, id, signature) ? Status.OK : Status.BAD_SIGNATURE;
    }

    function _hasParameters(Certificate c, Parameters p) private pure returns (bool) {
        return c.shards() == p.shards() && c.payloadLength() <= p.maxPayload();
    }

    /// Whether what is kept until `retainUntil` is kept for long enough at `atTime`, as OK or the reason why not.
    function _retention(bytes32 namespace, uint256 retainUntil, uint256 atTime) private view returns (Status) {
        (bool exists, uint256 minRetention) = _retentionAt(namespace, atTime);
        if (!exists) return Status.UNKNOWN_NAMESPACE;
        unchecked {
            return retainUntil < atTime + minRetention ? Status.RETENTION_TOO_SHORT : Status.OK;
        }
    }

    /// Judges a certificate whose parameters are its epoch's, and gives its blob's id. The check has the sum of all keys.
    function _verifySigners(Certificate c, Parameters p, address blob, SignatureCheck check)
        private
        view
        returns (Status, bytes32 blobId)
    {
        if (!_isThreshold(c.signers(), p, blob, check)) return (Status.BELOW_THRESHOLD, blobId);
        bytes32 digest;
        (digest, blobId) = Certificates.digest(c, domainSeparator(), Bls.messageOf(check));
        return (_isSigned(check, digest, c.signature()) ? Status.OK : Status.BAD_SIGNATURE, blobId);
    }

    /// Whether the signers, all slots of the epoch, are enough. If so, their keys are the key of the check.
    function _isThreshold(uint256 signers, Parameters p, address blob, SignatureCheck check)
        private
        view
        returns (bool)
    {
        uint256 n = p.totalShards();
        unchecked {
            uint256 missing = signers ^ ((1 << n) - 1);
            return missing == 0 || EpochBlob.subtract(blob, check, missing) <= n - p.threshold();
        }
    }

    /// Whether the signature, which stands at this place of the calldata, is the check's key's on a digest.
    function _isSigned(SignatureCheck check, bytes32 digest, uint256 signature) private view returns (bool) {
        uint256 message = Bls.messageOf(check);
        assembly ("memory-safe") {
            mstore(message, digest)
        }
        Bls.setSignature(check, signature);
        Bls.hashToG1(check, 32, Bls.SIGNATURE_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        return Bls.isSigned(check);
    }
}
