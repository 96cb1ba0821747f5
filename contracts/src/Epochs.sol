// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point, SignatureCheck} from "./Bls.sol";
import {EpochBlob, Parameters} from "./EpochBlob.sol";
import {KeyBlob} from "./KeyBlob.sol";
import {Keys, Slot} from "./Keys.sol";
import {Roles} from "./Roles.sol";
import {Status} from "./Status.sol";

/// What is public of an epoch.
struct Epoch {
    /// `k`: shards that rebuild a blob.
    uint16 originalShards;
    /// `n`: slots of the committee.
    uint16 totalShards;
    /// `t`: signatures that make a certificate.
    uint16 threshold;
    /// The longest payload, in bytes.
    uint32 maxPayload;
    /// First second in which the epoch is active.
    uint64 activeFrom;
    /// First second in which it no longer is, because a successor is; 0 while none is proposed.
    uint64 activeUntil;
    /// First second for which the guardian has revoked it; 0 if it has not.
    uint64 revokedAt;
    /// Cancelled before it was active, which it will never be.
    bool cancelled;
    /// Its parameters and keys, as code: see EpochBlob.
    address keys;
}

/// Committee epochs: lists of slots, proposed by governance with a delay and immutable from then on.
///
/// Epochs are numbered from 1 and no number is used twice. Those that were not cancelled become active in the order of
/// their numbers, and each ends only when the next one is active: a cancelled proposal closes nothing. What has been
/// said of a time that has passed never changes: activation and revocation start after the current second, and only an
/// epoch that is not yet active can be cancelled.
abstract contract Epochs is Roles, Keys {
    event EpochProposed(uint64 indexed epoch, uint64 activeFrom, bytes32[] keyIds);
    event EpochCancelled(uint64 indexed epoch);
    event EpochRevoked(uint64 indexed epoch, uint64 revokedAt);

    /// Wanted: 1 <= k < n <= MAX_SLOTS, k <= t <= n, 2t > n, 1 <= maxPayload <= 2^30.
    error BadParameters(uint256 originalShards, uint256 totalShards, uint256 threshold, uint256 maxPayload);
    error DuplicateKey(bytes32 keyId);
    /// The keys cancel out, so that anyone could sign for all of them.
    error AggregateIsIdentity();
    error ActiveTooEarly(uint64 activeFrom, uint64 earliest);
    error ActiveTooLate(uint64 activeFrom, uint64 latest);
    error UnknownEpoch(uint64 epoch);
    error AlreadyActive(uint64 epoch);
    error NotYetActive(uint64 epoch);
    error AlreadyCancelled(uint64 epoch);
    error AlreadyRevoked(uint64 epoch);

    /// The most slots.
    uint256 public constant MAX_SLOTS = EpochBlob.MAX_SLOTS;
    /// The longest payload that an epoch may allow.
    uint256 public constant MAX_PAYLOAD = 1 << 30;

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

    /// How many numbers lie between an epoch and its neighbours among those not cancelled, all of them cancelled. So the
    /// neighbours are found in one step however many were cancelled, and nothing is stored where none was.
    struct Gaps {
        uint64 before;
        uint64 behind;
    }

    mapping(uint64 epoch => StoredEpoch) private _epochs;
    /// Of those not cancelled; 0 stands for the one before the first.
    mapping(uint64 epoch => Gaps) private _gaps;
    /// Epochs proposed so far, which is also the number of the last one.
    uint64 public epochCount;
    /// The last epoch that is not cancelled, 0 if none.
    uint64 private _last;

    /// Proposes the next epoch, with the keys in slot order. It is active from `activeFrom`, or, if that is 0, as soon
    /// as the delay allows and after the epoch before it. A proposal that is executed so late that the delay no longer
    /// fits before `activeFrom` is refused; with 0 it never is.
    function proposeEpoch(
        bytes32[] calldata keyIds,
        uint16 originalShards,
        uint16 threshold,
        uint32 maxPayload,
        uint64 activeFrom
    ) external onlyGovernance returns (uint64 epoch) {
        uint256 n = keyIds.length;
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
        _setGap(predecessor, epoch);
        if (predecessor != 0) _epochs[predecessor].activeUntil = uint48(activeFrom);
        bytes memory blob = EpochBlob.build(originalShards, n, threshold, maxPayload, activeFrom);
        _collectKeys(blob, keyIds, epoch);
        _epochs[epoch] = StoredEpoch({blob: KeyBlob.create(blob), activeUntil: 0, revokedAt: 0});
        emit EpochProposed(epoch, activeFrom, keyIds);
    }

    /// Takes back a proposal that is not active yet, for ever. By the guardian or governance.
    function cancelEpoch(uint64 epoch) external {
        if (msg.sender != guardian && msg.sender != governance) revert NotGuardian(msg.sender);
        StoredEpoch storage entry = _existing(epoch);
        if (entry.revokedAt == CANCELLED) revert AlreadyCancelled(epoch);
        if (block.timestamp >= EpochBlob.parameters(entry.blob).activeFrom()) revert AlreadyActive(epoch);

        entry.revokedAt = CANCELLED;
        uint64 predecessor = _predecessor(epoch);
        if (predecessor != 0) _epochs[predecessor].activeUntil = entry.activeUntil;
        if (_last == epoch) _last = predecessor;
        else _setGap(predecessor, epoch + 1 + _gaps[epoch].behind);
        emit EpochCancelled(epoch);
    }

    /// Revokes an epoch that is or was active, from the next second on and for ever: the answers given up to now stand.
    /// By the guardian.
    function revokeEpoch(uint64 epoch) external onlyGuardian {
        StoredEpoch storage entry = _existing(epoch);
        if (entry.revokedAt == CANCELLED) revert AlreadyCancelled(epoch);
        if (block.timestamp < EpochBlob.parameters(entry.blob).activeFrom()) revert NotYetActive(epoch);
        if (entry.revokedAt != 0) revert AlreadyRevoked(epoch);
        entry.revokedAt = uint48(block.timestamp) + 1;
        emit EpochRevoked(epoch, entry.revokedAt);
    }

    /// An epoch's parameters and times.
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
            revokedAt: cancelled ? 0 : entry.revokedAt,
            cancelled: cancelled,
            keys: entry.blob
        });
    }

    /// An epoch's slots, with all that their accounts may change.
    function slotsOf(uint64 epoch) external view returns (Slot[] memory slots) {
        address blob = _existing(epoch).blob;
        slots = new Slot[](EpochBlob.parameters(blob).totalShards());
        G2Point memory key;
        for (uint256 slot = 0; slot < slots.length; ++slot) {
            EpochBlob.readSlot(blob, slot, key);
            slots[slot] = _slotOf(keccak256(Bls.compress(key)));
        }
    }

    /// An epoch's keys in EIP-2537 layout, 256 bytes each, in slot order.
    function slotKeys(uint64 epoch) external view returns (bytes memory keys) {
        address blob = _existing(epoch).blob;
        uint256 n = EpochBlob.parameters(blob).totalShards();
        keys = new bytes(n * 256);
        G2Point memory key;
        for (uint256 slot = 0; slot < n; ++slot) {
            EpochBlob.readSlot(blob, slot, key);
            assembly ("memory-safe") {
                mcopy(add(add(keys, 32), mul(slot, 256)), key, 256)
            }
        }
    }

    /// The epoch whose certificates are good at `atTime`; 0 when there is none, or it is revoked at that time.
    ///
    /// It walks back from the last epoch, about 7,000 gas for each that begins after `atTime`. Only governance can make
    /// them many, and nothing here depends on it: `verify` looks at one epoch.
    function activeEpoch(uint64 atTime) external view returns (uint64 epoch) {
        epoch = _last;
        while (epoch != 0 && EpochBlob.parameters(_epochs[epoch].blob).activeFrom() > atTime) {
            epoch = _predecessor(epoch);
        }
        if (epoch != 0 && _isRevoked(_epochs[epoch].revokedAt, atTime)) epoch = 0;
    }

    /// Whether certificates of an epoch of any number are good at `atTime`, as OK or the reason why not. If they are, its
    /// parameters, and the sum of all its keys as the key of the check.
    function _activeAt(uint256 epoch, uint256 atTime, SignatureCheck check)
        internal
        view
        returns (Status, Parameters p, address blob)
    {
        StoredEpoch storage entry = _epochs[uint64(epoch)];
        (blob, p) = (entry.blob, Parameters.wrap(0));
        (uint256 activeUntil, uint256 revokedAt) = (entry.activeUntil, entry.revokedAt);
        if (blob == address(0)) return (Status.UNKNOWN_EPOCH, p, blob);
        p = EpochBlob.load(blob, check);
        if (atTime < p.activeFrom()) return (Status.NOT_YET, p, blob);
        if (activeUntil | revokedAt != 0) {
            if (revokedAt == CANCELLED) return (Status.NOT_YET, p, blob);
            if (activeUntil != 0 && atTime >= activeUntil) return (Status.EPOCH_CLOSED, p, blob);
            if (_isRevoked(revokedAt, atTime)) return (Status.REVOKED, p, blob);
        }
        return (Status.OK, p, blob);
    }

    /// As `_activeAt`, but for existence alone; the blob is zero if there is no such epoch.
    function _find(uint256 epoch, SignatureCheck check) internal view returns (Parameters p, address blob) {
        blob = _epochs[uint64(epoch)].blob;
        if (blob != address(0)) p = EpochBlob.load(blob, check);
    }

    /// Whether an epoch that has been active is revoked at `atTime`.
    function _isRevokedAt(uint256 epoch, uint256 atTime) internal view returns (bool) {
        return _isRevoked(_epochs[uint64(epoch)].revokedAt, atTime);
    }

    /// Whether an epoch is revoked at `atTime`, given when it was, which is 0 for never.
    function _isRevoked(uint256 revokedAt, uint256 atTime) private pure returns (bool) {
        return revokedAt != 0 && atTime >= revokedAt;
    }

    /// Fills in the aggregate and the negated keys, and refuses a key that is unknown or listed twice, and an aggregate
    /// that is the identity.
    function _collectKeys(bytes memory blob, bytes32[] calldata keyIds, uint64 epoch) private {
        G2Point memory aggregate;
        G2Point memory key;
        for (uint256 slot = 0; slot < keyIds.length; ++slot) {
            bytes32 keyId = keyIds[slot];
            // Seen keys are marked with the epoch's number for the length of the transaction, which may propose more
            // than one. Nothing else here uses transient storage.
            uint256 seenIn;
            assembly ("memory-safe") {
                seenIn := tload(keyId)
                tstore(keyId, epoch)
            }
            if (seenIn == epoch) revert DuplicateKey(keyId);
            _readNegatedKey(keyId, key);
            EpochBlob.setNegatedKey(blob, slot, key);
            Bls.addTo(aggregate, key);
        }
        if (Bls.isInfinity(aggregate)) revert AggregateIsIdentity();
        Bls.negate(aggregate);
        EpochBlob.setAggregate(blob, aggregate);
    }

    function _earliestActivation(uint64 predecessor) private view returns (uint64) {
        uint256 earliest = _afterDelay();
        if (predecessor != 0) {
            uint256 afterPredecessor = EpochBlob.parameters(_epochs[predecessor].blob).activeFrom() + 1;
            if (afterPredecessor > earliest) earliest = afterPredecessor;
        }
        return uint64(earliest);
    }

    /// The epoch before this one among those not cancelled, 0 for the first.
    function _predecessor(uint64 epoch) private view returns (uint64) {
        return epoch - 1 - _gaps[epoch].before;
    }

    /// Makes two epochs neighbours: all between them are cancelled.
    function _setGap(uint64 predecessor, uint64 epoch) private {
        uint64 gap = epoch - predecessor - 1;
        // A gap only ever grows.
        if (gap != 0) (_gaps[predecessor].behind, _gaps[epoch].before) = (gap, gap);
    }

    function _existing(uint64 epoch) private view returns (StoredEpoch storage entry) {
        entry = _epochs[epoch];
        if (entry.blob == address(0)) revert UnknownEpoch(epoch);
    }
}
