// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {ICommitteeRegistry} from "../interfaces/ICommitteeRegistry.sol";
import {IEpochs} from "../interfaces/IEpochs.sol";
import {IKeys} from "../interfaces/IKeys.sol";
import {INamespaces} from "../interfaces/INamespaces.sol";
import {IRoles} from "../interfaces/IRoles.sol";
import {Status} from "../interfaces/Status.sol";
import {Bls, G2Point} from "./Bls.sol";
import {Certificate, Certificates} from "./Certificates.sol";
import {Checkpoint, Checkpoints} from "./Checkpoints.sol";
import {EpochBlob, Parameters} from "./EpochBlob.sol";
import {Epochs} from "./Epochs.sol";
import {Namespaces} from "./Namespaces.sol";
import {Openings} from "./Openings.sol";
import {Roles} from "./Roles.sol";
import {CHECK_SIGNATURE, SignatureCheck, SignatureChecks} from "./SignatureCheck.sol";

/// The L1 side of Holdfast: who the committee is, and whether a certificate of it is good. See ICommitteeRegistry.
///
/// Nothing here can be upgraded. The chain must have EIP-2537 (hard fork Prague or later); the constructor sees to that.
contract CommitteeRegistry is ICommitteeRegistry, Epochs, Namespaces {
    string private constant NAME = "Holdfast";
    string private constant VERSION = "1";

    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    /// @inheritdoc IAvailability
    mapping(bytes32 checkpointId => uint64) public checkpointPublishedAt;

    /// Reverts with ZeroGovernance, DelayTooLong or OverlapTooLong, and with PrecompileFailed on a chain without the
    /// precompiles of EIP-2537.
    /// @param governance_ Who proposes epochs.
    /// @param guardian_ Who cancels, revokes and holds; zero for nobody.
    /// @param delay_ Seconds from a proposal to its activation, at least.
    /// @param overlap_ Seconds for which an epoch's certificates are good after its end.
    constructor(address governance_, address guardian_, uint64 delay_, uint64 overlap_)
        Roles(governance_, guardian_, delay_)
        Epochs(overlap_)
    {
        _chainId = block.chainid;
        _separator = Certificates.domainSeparator(block.chainid, address(this));
        _requirePrecompiles();
        emit RegistryDeployed(governance_, guardian_, delay_, overlap_);
    }

    /// @inheritdoc IAvailability
    function judge(bytes calldata certificate)
        external
        view
        returns (Status status, bytes32 namespace, bytes32 blobId, bytes32 payloadDigest)
    {
        Certificate c;
        (status, c, blobId,) = _verify(certificate, block.timestamp);
        if (status != Status.OK) return (status, 0, 0, 0);
        (namespace, payloadDigest) = (c.namespace(), c.payloadDigest());
    }

    /// @inheritdoc IAvailability
    function requireAvailable(bytes calldata certificate, bytes32 namespace)
        external
        view
        returns (bytes32 blobId, bytes32 payloadDigest)
    {
        Status status;
        Certificate c;
        (status, c, blobId,) = _verify(certificate, block.timestamp);
        _require(status, c.namespace(), namespace);
        payloadDigest = c.payloadDigest();
    }

    /// @inheritdoc IAvailability
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status status) {
        (status,,,) = _verify(certificate, _passed(atTime));
    }

    /// @inheritdoc IAvailability
    function verifySignature(bytes calldata certificate) external view returns (Status status) {
        (bool wellFormed, Certificate c) = Certificates.decode(certificate);
        if (!wellFormed) return Status.MALFORMED;
        SignatureCheck check = SignatureChecks.allocate();
        Parameters p;
        address blob;
        (status, p, blob) = _activatedByNow(c.epoch(), check);
        if (status != Status.OK) return status;
        if (!_hasParameters(c, p)) return Status.WRONG_PARAMETERS;
        (status,,) = _verifySigners(c, p, blob, check);
    }

    /// @inheritdoc IAvailability
    function publish(bytes calldata certificate) external returns (bytes32 blobId) {
        Status status;
        Certificate c;
        bytes32 digest;
        (status, c, blobId, digest) = _verify(certificate, block.timestamp);
        if (status != Status.OK) revert NotAvailable(status);
        emit Published(
            blobId, c.namespace(), c.payloadDigest(), msg.sender, digest, uint64(c.epoch()), uint64(c.retainUntil())
        );
    }

    /// @inheritdoc IAvailability
    function judgeCheckpoint(bytes calldata checkpoint)
        external
        view
        returns (Status status, bytes32 namespace, bytes32 checkpointId, bytes32 blobsRoot)
    {
        Checkpoint memory c;
        (status, c, checkpointId) = _verifyCheckpoint(checkpoint, block.timestamp);
        if (status != Status.OK) return (status, 0, 0, 0);
        (namespace, blobsRoot) = (c.namespace, c.blobsRoot);
    }

    /// @inheritdoc IAvailability
    function verifyCheckpoint(bytes calldata checkpoint, uint64 atTime) external view returns (Status status) {
        (status,,) = _verifyCheckpoint(checkpoint, _passed(atTime));
    }

    /// @inheritdoc IAvailability
    function publishCheckpoint(bytes calldata checkpoint) external returns (bytes32 checkpointId) {
        Status status;
        Checkpoint memory c;
        (status, c, checkpointId) = _verifyCheckpoint(checkpoint, block.timestamp);
        if (status != Status.OK) revert NotAvailable(status);
        // The first publication stays: what was said of the time since must stand.
        if (checkpointPublishedAt[checkpointId] == 0) checkpointPublishedAt[checkpointId] = uint64(block.timestamp);
        emit CheckpointPublished(
            checkpointId,
            c.namespace,
            c.blobsRoot,
            msg.sender,
            uint64(c.epoch),
            uint32(c.count),
            uint64(c.retainUntil)
        );
    }

    /// @inheritdoc IAvailability
    function judgeInCheckpoint(bytes32 blobId, bytes calldata proof)
        external
        view
        returns (Status status, bytes32 namespace)
    {
        (status, namespace) = _verifyInCheckpoint(blobId, proof, block.timestamp);
        if (status != Status.OK) namespace = 0;
    }

    /// @inheritdoc IAvailability
    function requireInCheckpoint(bytes32 blobId, bytes calldata proof, bytes32 namespace) external view {
        (Status status, bytes32 actual) = _verifyInCheckpoint(blobId, proof, block.timestamp);
        _require(status, actual, namespace);
    }

    /// @inheritdoc IAvailability
    function verifyInCheckpoint(bytes32 blobId, bytes calldata proof, uint64 atTime)
        external
        view
        returns (Status status)
    {
        (status,) = _verifyInCheckpoint(blobId, proof, _passed(atTime));
    }

    /// @inheritdoc IAvailability
    function openPayload(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (uint256 payloadBytes) {
        if (blob.payloadDigest == 0) return 0;
        return _openCommittedLeaf(blobId, blob, offset, leaf, path);
    }

    /// @inheritdoc IAvailability
    function openCommittedLeaf(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) external view returns (uint256 payloadBytes) {
        return _openCommittedLeaf(blobId, blob, offset, leaf, path);
    }

    /// @inheritdoc ICommitteeRegistry
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        // Name, version, chain id and verifying contract: the lowest four bits.
        return (0x0f, NAME, VERSION, block.chainid, address(this), 0, new uint256[](0));
    }

    /// @inheritdoc ICommitteeRegistry
    function version() external pure returns (string memory) {
        return VERSION;
    }

    /// @inheritdoc ICommitteeRegistry
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        // ERC-165 itself, and ERC-5267.
        if (interfaceId == 0x01ffc9a7 || interfaceId == 0x84b0196e) return true;
        return interfaceId == type(IAvailability).interfaceId || interfaceId == type(IRoles).interfaceId
            || interfaceId == type(IKeys).interfaceId || interfaceId == type(IEpochs).interfaceId
            || interfaceId == type(INamespaces).interfaceId;
    }

    /// @inheritdoc ICommitteeRegistry
    function domainSeparator() public view returns (bytes32) {
        // A fork of the chain has another chain id, and there the certificates of the other side mean nothing.
        return block.chainid == _chainId ? _separator : Certificates.domainSeparator(block.chainid, address(this));
    }

    /// A time that has passed; of one that is to come, the beginning of all times, when nothing was active yet.
    function _passed(uint256 atTime) private view returns (uint256) {
        return atTime > block.timestamp ? 0 : atTime;
    }

    /// Judges a certificate, and gives its blob's id and its digest if it comes to that.
    function _verify(bytes calldata certificate, uint256 atTime)
        private
        view
        returns (Status status, Certificate c, bytes32 blobId, bytes32 digest)
    {
        bool wellFormed;
        (wellFormed, c) = Certificates.decode(certificate);
        if (!wellFormed) return (Status.MALFORMED, c, blobId, digest);
        SignatureCheck check = SignatureChecks.allocate();
        Parameters p;
        address blob;
        (status, p, blob) = _acceptedAt(c.epoch(), atTime, check);
        if (status != Status.OK) return (status, c, blobId, digest);
        if (!_hasParameters(c, p)) return (Status.WRONG_PARAMETERS, c, blobId, digest);
        status = _retention(c.namespace(), c.retainUntil(), atTime);
        if (status != Status.OK) return (status, c, blobId, digest);
        (status, blobId, digest) = _verifySigners(c, p, blob, check);
    }

    /// Judges a checkpoint, and gives its id if it comes to that.
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
        SignatureCheck check = SignatureChecks.allocate();
        Parameters p;
        address blob;
        (status, p, blob) = _acceptedAt(c.epoch, atTime, check);
        if (status != Status.OK) return (status, c, id);
        if (signers >> p.totalShards() != 0) return (Status.WRONG_PARAMETERS, c, id);
        status = _retention(c.namespace, c.retainUntil, atTime);
        if (status != Status.OK) return (status, c, id);
        id = Checkpoints.id(c, domainSeparator());
        if (!_sumKeys(signers, p, blob, check)) return (Status.BELOW_THRESHOLD, c, id);
        status = _checkSignature(check, id, signature) ? Status.OK : Status.BAD_SIGNATURE;
    }

    /// Judges a proof that a blob is in a checkpoint, and gives the checkpoint's namespace.
    function _verifyInCheckpoint(bytes32 blobId, bytes calldata proof, uint256 atTime)
        private
        view
        returns (Status status, bytes32)
    {
        (bool wellFormed, Checkpoint memory c, uint256 index) = Checkpoints.decodeProof(proof);
        if (!wellFormed) return (Status.MALFORMED, c.namespace);
        uint256 publishedAt = checkpointPublishedAt[Checkpoints.id(c, domainSeparator())];
        if (publishedAt == 0) return (Status.UNKNOWN_CHECKPOINT, c.namespace);
        if (atTime < publishedAt) return (Status.NOT_YET, c.namespace);
        if (_isRevokedAt(c.epoch, atTime)) return (Status.REVOKED, c.namespace);
        status = _retention(c.namespace, c.retainUntil, atTime);
        if (status != Status.OK) return (status, c.namespace);
        bool included = Checkpoints.isIncluded(c, blobId, index, proof);
        return (included ? Status.OK : Status.NOT_INCLUDED, c.namespace);
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

    /// Judges a certificate whose parameters are its epoch's, and gives its blob's id and its digest. The check has the
    /// sum of all keys.
    function _verifySigners(Certificate c, Parameters p, address blob, SignatureCheck check)
        private
        view
        returns (Status, bytes32 blobId, bytes32 digest)
    {
        if (!_sumKeys(c.signers(), p, blob, check)) return (Status.BELOW_THRESHOLD, blobId, digest);
        (digest, blobId) = Certificates.digest(c, domainSeparator(), check.message());
        bool signed = _checkSignature(check, digest, c.signature());
        return (signed ? Status.OK : Status.BAD_SIGNATURE, blobId, digest);
    }

    /// Makes the sum of the signers' keys, all slots of the epoch, the key of the check, which is the sum of all. Whether
    /// they are enough.
    function _sumKeys(uint256 signers, Parameters p, address blob, SignatureCheck check)
        private
        view
        returns (bool enough)
    {
        uint256 n = p.totalShards();
        unchecked {
            uint256 missing = signers ^ ((1 << n) - 1);
            return missing == 0 || EpochBlob.subtract(blob, check, missing) <= n - p.threshold();
        }
    }

    /// Whether the signature, which stands at this place of the calldata, is the check's key's on a digest.
    function _checkSignature(SignatureCheck check, bytes32 digest, uint256 signature) private view returns (bool) {
        check.setMessage(digest);
        check.setSignature(signature);
        Bls.hashToG1(check, 32, Bls.SIGNATURE_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        return Bls.isSigned(check);
    }

    function _openCommittedLeaf(
        bytes32 blobId,
        Blob calldata blob,
        uint256 offset,
        bytes calldata leaf,
        bytes32[] calldata path
    ) private view returns (uint256) {
        return Openings.id(blob) == blobId ? Openings.committedBytes(blob, offset, leaf, path) : 0;
    }

    function _require(Status status, bytes32 actual, bytes32 namespace) private pure {
        if (status != Status.OK) revert NotAvailable(status);
        if (actual != namespace) revert WrongNamespace(actual);
    }

    /// Asks every precompile that is used. What is hashed does not matter. The signature and the key are at infinity, so
    /// the pairing must say yes; the hash would still be at infinity if nothing had computed it.
    function _requirePrecompiles() private view {
        SignatureCheck check = SignatureChecks.allocate();
        check.clear();
        Bls.hashToG1(check, 0, Bls.SIGNATURE_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        bool all = Bls.hasHash(check) && Bls.isSigned(check) && Bls.isInG1(check, CHECK_SIGNATURE);
        if (!all) revert PrecompileFailed();
        G2Point memory sum;
        Bls.addTo(sum, sum);
    }
}
