// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Epoch, IEpochs} from "../interfaces/IEpochs.sol";
import {Slot} from "../interfaces/IKeys.sol";
import {Status} from "../interfaces/Status.sol";
import {Bls, G2Point} from "./Bls.sol";
import {EpochBlob, Parameters} from "./EpochBlob.sol";
import {Keys} from "./Keys.sol";
import {Roles} from "./Roles.sol";
import {SignatureCheck} from "./SignatureCheck.sol";

/// Committee epochs. See IEpochs.
///
/// Those that are not cancelled are a stack: a proposal goes on top, and only the topmost ones are taken off. So the one
/// below another never changes.
abstract contract Epochs is Roles, Keys, IEpochs {
    /// The most slots, as certificates and checkpoints can name.
    uint256 private constant MAX_SLOTS = 126;
    /// The longest payload that an epoch may allow.
    uint256 private constant MAX_PAYLOAD = 1 << 30;
    /// The most epochs that are proposed and not active yet.
    uint256 private constant MAX_PROPOSALS = 8;
    /// The longest overlap, in seconds.
    uint64 private constant MAX_OVERLAP = 7 days;

    /// What of an epoch changes, in the one storage slot that `verify` reads.
    struct StoredEpoch {
        /// Parameters and keys, as an EpochBlob. Zero if there is no such epoch.
        address blob;
        uint48 activeUntil;
        /// CANCELLED if it was cancelled.
        uint48 revokedAt;
    }

    /// In the place of the time of a revocation. No time gets there: see MAX_TIME.
    uint48 private constant CANCELLED = type(uint48).max;
    /// The last second in which an epoch may become active: times are kept in 48 bits.
    uint64 private constant MAX_TIME = type(uint48).max - 1;

    /// @inheritdoc IEpochs
    uint64 public immutable overlap;

    mapping(uint64 epoch => StoredEpoch) private _epochs;
    /// How many numbers lie between an epoch and the one below it, all of them cancelled.
    mapping(uint64 epoch => uint64) private _cancelledBelow;
    /// @inheritdoc IEpochs
    uint64 public epochCount;
    /// The last epoch that is not cancelled, 0 if none.
    uint64 private _last;

    constructor(uint64 overlap_) {
        if (overlap_ > MAX_OVERLAP) revert OverlapTooLong(overlap_);
        overlap = overlap_;
    }

    /// @inheritdoc IEpochs
    function proposeEpoch(
        bytes calldata keys,
        address[] calldata accounts,
        uint16 originalShards,
        uint16 threshold,
        uint32 maxPayload,
        uint64 activeFrom
    ) external onlyGovernance returns (uint64 epoch) {
        uint256 n = accounts.length;
        if (keys.length != n * KEY_BYTES) revert BadLength();
        if (
            originalShards == 0 || originalShards >= n || originalShards > threshold || threshold > n
                || 2 * uint256(threshold) <= n || n > MAX_SLOTS || maxPayload == 0 || maxPayload > MAX_PAYLOAD
        ) revert BadParameters(originalShards, n, threshold, maxPayload);

        uint64 predecessor = _last;
        uint64 earliest = _earliestActivation(predecessor);
        if (activeFrom == 0) activeFrom = earliest;
        if (activeFrom < earliest) revert ActiveTooEarly(activeFrom, earliest);
        if (activeFrom > MAX_TIME) revert ActiveTooLate(activeFrom, MAX_TIME);

        epoch = ++epochCount;
        _last = epoch;
        if (epoch != predecessor + 1) _cancelledBelow[epoch] = epoch - predecessor - 1;
        if (predecessor != 0) _epochs[predecessor].activeUntil = uint48(activeFrom);
        bytes memory code = EpochBlob.build(originalShards, n, threshold, maxPayload, activeFrom);
        bytes32[] memory keyIds = _collectKeys(code, keys, accounts, epoch);
        address blob = EpochBlob.create(code);
        _epochs[epoch].blob = blob;
        emit EpochProposed(epoch, activeFrom, originalShards, threshold, maxPayload, blob, keyIds);
    }

    /// @inheritdoc IEpochs
    function cancelFrom(uint64 epoch) external onlyGuardianOrGovernance {
        StoredEpoch storage entry = _existing(epoch);
        if (entry.revokedAt == CANCELLED) revert AlreadyCancelled(epoch);
        if (block.timestamp >= EpochBlob.parameters(entry.blob).activeFrom()) revert AlreadyActive(epoch);

        uint64 each = _last;
        while (each >= epoch) {
            (_epochs[each].activeUntil, _epochs[each].revokedAt) = (0, CANCELLED);
            emit EpochCancelled(each);
            each = _below(each);
        }
        _last = each;
        if (each != 0) _epochs[each].activeUntil = 0;
    }

    /// @inheritdoc IEpochs
    function revokeEpoch(uint64 epoch) external onlyGuardian {
        StoredEpoch storage entry = _existing(epoch);
        if (entry.revokedAt == CANCELLED) revert AlreadyCancelled(epoch);
        if (block.timestamp < EpochBlob.parameters(entry.blob).activeFrom()) revert NotYetActive(epoch);
        if (entry.revokedAt != 0) revert AlreadyRevoked(epoch);
        entry.revokedAt = uint48(block.timestamp) + 1;
        emit EpochRevoked(epoch, entry.revokedAt);
    }

    /// @inheritdoc IEpochs
    function getEpoch(uint64 epoch) external view returns (Epoch memory) {
        StoredEpoch memory entry = _existing(epoch);
        Parameters p = EpochBlob.parameters(entry.blob);
        bool cancelled = entry.revokedAt == CANCELLED;
        return Epoch({
            originalShards: uint16(p.originalShards()),
            totalShards: uint16(p.totalShards()),
            threshold: uint16(p.threshold()),
            maxPayload: uint32(p.maxPayload()),
            activeFrom: uint64(p.activeFrom()),
            activeUntil: entry.activeUntil,
            acceptedUntil: entry.activeUntil == 0 ? 0 : entry.activeUntil + overlap,
            revokedAt: cancelled ? 0 : entry.revokedAt,
            cancelled: cancelled,
            keys: entry.blob
        });
    }

    /// @inheritdoc IEpochs
    function slotsOf(uint64 epoch) external view returns (Slot[] memory slots) {
        address blob = _existing(epoch).blob;
        slots = new Slot[](EpochBlob.parameters(blob).totalShards());
        G2Point memory key;
        for (uint256 slot = 0; slot < slots.length; ++slot) {
            EpochBlob.readSlot(blob, slot, key);
            slots[slot] = _slotOf(_hash(key));
        }
    }

    /// @inheritdoc IEpochs
    function slotKeys(uint64 epoch) external view returns (bytes memory keys) {
        address blob = _existing(epoch).blob;
        uint256 n = EpochBlob.parameters(blob).totalShards();
        keys = new bytes(n * KEY_BYTES);
        G2Point memory key;
        for (uint256 slot = 0; slot < n; ++slot) {
            EpochBlob.readSlot(blob, slot, key);
            assembly ("memory-safe") {
                mcopy(add(add(keys, 32), mul(slot, 256)), key, 256)
            }
        }
    }

    /// @inheritdoc IEpochs
    function activeEpoch(uint64 atTime) external view returns (uint64 epoch) {
        epoch = _last;
        while (epoch != 0 && EpochBlob.parameters(_epochs[epoch].blob).activeFrom() > atTime) {
            epoch = _below(epoch);
        }
        if (epoch != 0 && _isRevoked(_epochs[epoch].revokedAt, atTime)) epoch = 0;
    }

    /// Whether certificates of an epoch of any number are good at `atTime`, as OK or the reason why not. If they are, its
    /// parameters, and the sum of all its keys as the key of the check.
    function _acceptedAt(uint256 epoch, uint256 atTime, SignatureCheck check)
        internal
        view
        returns (Status, Parameters p, address blob)
    {
        StoredEpoch storage entry = _epochs[uint64(epoch)];
        (blob, p) = (entry.blob, Parameters.wrap(0));
        (uint256 activeUntil, uint256 revokedAt) = (entry.activeUntil, entry.revokedAt);
        if (blob == address(0)) return (Status.UNKNOWN_EPOCH, p, blob);
        p = EpochBlob.load(blob, check);
        bool notYet = atTime < p.activeFrom();
        // Mostly neither is set.
        if (activeUntil | revokedAt != 0) {
            if (revokedAt == CANCELLED) return (Status.EPOCH_CANCELLED, p, blob);
            if (!notYet && activeUntil != 0 && atTime >= activeUntil + overlap) return (Status.EPOCH_CLOSED, p, blob);
            if (!notYet && _isRevoked(revokedAt, atTime)) return (Status.REVOKED, p, blob);
        }
        if (notYet) return (Status.NOT_YET, p, blob);
        return (Status.OK, p, blob);
    }

    /// As `_acceptedAt`, but only whether the epoch is active by now, whatever has become of it since.
    function _activatedByNow(uint256 epoch, SignatureCheck check)
        internal
        view
        returns (Status, Parameters p, address blob)
    {
        StoredEpoch storage entry = _epochs[uint64(epoch)];
        (blob, p) = (entry.blob, Parameters.wrap(0));
        if (blob == address(0)) return (Status.UNKNOWN_EPOCH, p, blob);
        if (entry.revokedAt == CANCELLED) return (Status.EPOCH_CANCELLED, p, blob);
        p = EpochBlob.load(blob, check);
        return (block.timestamp < p.activeFrom() ? Status.NOT_YET : Status.OK, p, blob);
    }

    /// Whether an epoch that has been active is revoked at `atTime`.
    function _isRevokedAt(uint256 epoch, uint256 atTime) internal view returns (bool) {
        return _isRevoked(_epochs[uint64(epoch)].revokedAt, atTime);
    }

    /// Whether an epoch is revoked at `atTime`, given when it was, which is 0 for never.
    function _isRevoked(uint256 revokedAt, uint256 atTime) private pure returns (bool) {
        return revokedAt != 0 && atTime >= revokedAt;
    }

    /// Writes the aggregate and the negated keys, and refuses a key that is not registered, not of the account named or
    /// listed twice, and an aggregate that is the identity.
    function _collectKeys(bytes memory blob, bytes calldata keys, address[] calldata accounts, uint64 epoch)
        private
        returns (bytes32[] memory keyIds)
    {
        keyIds = new bytes32[](accounts.length);
        G2Point memory aggregate;
        G2Point memory key;
        for (uint256 slot = 0; slot < accounts.length; ++slot) {
            assembly ("memory-safe") {
                calldatacopy(key, add(keys.offset, mul(slot, 256)), 256)
            }
            bytes32 keyId = _hash(key);
            keyIds[slot] = keyId;
            // Seen keys are marked with the epoch's number for the length of the transaction, which may propose more
            // than one. Nothing else here uses transient storage.
            uint256 seenIn;
            assembly ("memory-safe") {
                seenIn := tload(keyId)
                tstore(keyId, epoch)
            }
            if (seenIn == epoch) revert DuplicateKey(keyId);
            _requireKeyOf(keyId, accounts[slot]);
            Bls.negate(key);
            EpochBlob.setNegatedKey(blob, slot, key);
            Bls.addTo(aggregate, key);
        }
        if (Bls.isInfinity(aggregate)) revert AggregateIsIdentity();
        Bls.negate(aggregate);
        EpochBlob.setAggregate(blob, aggregate);
    }

    /// When the next epoch may be active at the earliest. Refuses one proposal too many.
    function _earliestActivation(uint64 predecessor) private view returns (uint64) {
        uint256 earliest = _afterDelay();
        if (predecessor == 0) return uint64(earliest);
        uint256 activeFrom = EpochBlob.parameters(_epochs[predecessor].blob).activeFrom();
        if (activeFrom >= earliest) earliest = activeFrom + 1;
        uint64 each = predecessor;
        for (uint256 proposals = 0; each != 0 && activeFrom > block.timestamp;) {
            if (++proposals == MAX_PROPOSALS) revert TooManyProposals();
            each = _below(each);
            if (each != 0) activeFrom = EpochBlob.parameters(_epochs[each].blob).activeFrom();
        }
        return uint64(earliest);
    }

    /// The epoch below this one among those not cancelled, 0 for the first.
    function _below(uint64 epoch) private view returns (uint64) {
        return epoch - 1 - _cancelledBelow[epoch];
    }

    function _existing(uint64 epoch) private view returns (StoredEpoch storage entry) {
        entry = _epochs[epoch];
        if (entry.blob == address(0)) revert UnknownEpoch(epoch);
    }

    function _hash(G2Point memory key) private pure returns (bytes32 keyId) {
        assembly ("memory-safe") {
            keyId := keccak256(key, 256)
        }
    }
}
