// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G1Point, G2Point} from "./Bls.sol";
import {Certificate, Certificates} from "./Certificates.sol";
import {Epochs} from "./Epochs.sol";
import {IAvailability} from "./IAvailability.sol";
import {Namespaces} from "./Namespaces.sol";
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

    /// The certificate is not good in this block.
    error NotAvailable(Status status);

    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    constructor(address governance_, address guardian_, uint64 delay_) Epochs(governance_, guardian_, delay_) {
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

    /// @inheritdoc IAvailability
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status) {
        (bool wellFormed, Certificate memory c) = Certificates.decode(certificate);
        return wellFormed ? _verify(c, atTime) : Status.MALFORMED;
    }

    /// @inheritdoc IAvailability
    function verifySignature(bytes calldata certificate) external view returns (Status) {
        (bool wellFormed, Certificate memory c) = Certificates.decode(certificate);
        if (!wellFormed) return Status.MALFORMED;
        StoredEpoch storage epoch = _epoch(c.epoch);
        if (epoch.keys == address(0)) return Status.UNKNOWN_EPOCH;
        if (!_hasParameters(c, epoch)) return Status.WRONG_PARAMETERS;
        return _verifySigners(c, epoch);
    }

    /// The EIP-712 domain separator that statements are signed under.
    function domainSeparator() public view returns (bytes32) {
        // A fork of the chain has another chain id, and there the certificates of the other side mean nothing.
        return block.chainid == _chainId ? _separator : Certificates.domainSeparator(block.chainid, address(this));
    }

    function _verify(Certificate memory c, uint256 atTime) private view returns (Status) {
        StoredEpoch storage epoch = _epoch(c.epoch);
        if (epoch.keys == address(0)) return Status.UNKNOWN_EPOCH;
        Status activity = _activity(epoch, atTime);
        if (activity != Status.OK) return activity;
        if (!_hasParameters(c, epoch)) return Status.WRONG_PARAMETERS;
        (bool exists, uint256 minRetention) = _retentionAt(c.namespace, atTime);
        if (!exists) return Status.UNKNOWN_NAMESPACE;
        if (c.retainUntil < atTime + minRetention) return Status.RETENTION_TOO_SHORT;
        return _verifySigners(c, epoch);
    }

    function _hasParameters(Certificate memory c, StoredEpoch storage epoch) private view returns (bool) {
        return c.originalShards == epoch.originalShards && c.totalShards == epoch.totalShards
            && c.payloadLength <= epoch.maxPayload;
    }

    function _verifySigners(Certificate memory c, StoredEpoch storage epoch) private view returns (Status) {
        if (_countBits(c.signers) < epoch.threshold) return Status.BELOW_THRESHOLD;
        G2Point memory key = _signersKey(epoch, c.signers);
        if (Bls.isInfinity(key)) return Status.BAD_SIGNATURE;
        bytes32 digest = Certificates.digest(c, domainSeparator());
        G1Point memory hash = Bls.hashToG1(abi.encode(digest), Bls.SIGNATURE_DST);
        return Bls.isSigned(c.signature, hash, key) ? Status.OK : Status.BAD_SIGNATURE;
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
