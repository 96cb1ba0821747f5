// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point} from "./Bls.sol";
import {KeyBlob} from "./KeyBlob.sol";
import {Keys} from "./Keys.sol";
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
    /// Its keys, as code: 00, aggregate, then the negated key of each slot.
    address keys;
}

/// Committee epochs: lists of slots, proposed by governance with a delay and immutable from then on.
///
/// Epochs are numbered from 1 and no number is used twice. Those that were not cancelled become active in the order of
/// their numbers, and each ends only when the next one is active: a cancelled proposal closes nothing. What has been
/// said of a time that has passed never changes: activation and revocation start after the current second, and only an
/// epoch that is not yet active can be cancelled.
abstract contract Epochs is Keys {
    event EpochProposed(uint64 indexed epoch, uint64 activeFrom, bytes32[] keyIds);
    event EpochCancelled(uint64 indexed epoch);
    event EpochRevoked(uint64 indexed epoch, uint64 revokedAt);

    error NotGovernance(address sender);
    error NotGuardian(address sender);
    error ZeroGovernance();
    /// Wanted: 1 <= k < n <= 94, k <= t <= n, 2t > n, 1 <= maxPayload <= 2^30.
    error BadParameters(uint256 originalShards, uint256 totalShards, uint256 threshold, uint256 maxPayload);
    error DuplicateKey(bytes32 keyId);
    /// The keys cancel out, so that anyone could sign for all of them.
    error AggregateIsIdentity();
    error ActiveTooEarly(uint64 activeFrom, uint64 earliest);
    error UnknownEpoch(uint64 epoch);
    error AlreadyActive(uint64 epoch);
    error NotYetActive(uint64 epoch);
    error AlreadyCancelled(uint64 epoch);
    error AlreadyRevoked(uint64 epoch);

    /// The most slots, one less than the keys of a blob since that holds the aggregate too.
    uint256 public constant MAX_SLOTS = KeyBlob.MAX_KEYS - 1;
    /// The longest payload that an epoch may allow.
    uint256 public constant MAX_PAYLOAD = 1 << 30;

    /// Proposes epochs, and may take a proposal back.
    address public immutable governance;
    /// May cancel a proposal or revoke an epoch, and nothing else. Zero if there is none.
    address public immutable guardian;
    /// Seconds from a proposal to its activation, at least.
    uint64 public immutable delay;

    struct StoredEpoch {
        address keys;
        uint16 originalShards;
        uint16 totalShards;
        uint16 threshold;
        uint32 maxPayload;
        bool cancelled;
        uint64 activeFrom;
        uint64 activeUntil;
        uint64 revokedAt;
        /// The epoch before it among those not cancelled, 0 for the first.
        uint64 predecessor;
    }

    mapping(uint64 epoch => StoredEpoch) private _epochs;
    /// Epochs proposed so far, which is also the number of the last one.
    uint64 public epochCount;
    /// The last epoch that is not cancelled, 0 if none.
    uint64 private _last;

    constructor(address governance_, address guardian_, uint64 delay_) {
        if (governance_ == address(0)) revert ZeroGovernance();
        governance = governance_;
        guardian = guardian_;
        delay = delay_;
    }

    /// Proposes the next epoch, with the keys in slot order. It is active from `activeFrom`, or, if that is 0, as soon
    /// as the delay allows and after the epoch before it.
    function proposeEpoch(
        bytes32[] calldata keyIds,
        uint16 originalShards,
        uint16 threshold,
        uint32 maxPayload,
        uint64 activeFrom
    ) external returns (uint64 epoch) {
        if (msg.sender != governance) revert NotGovernance(msg.sender);
        uint256 n = keyIds.length;
        if (
            originalShards == 0 || originalShards >= n || originalShards > threshold || threshold > n
                || 2 * uint256(threshold) <= n || n > MAX_SLOTS || maxPayload == 0 || maxPayload > MAX_PAYLOAD
        ) revert BadParameters(originalShards, n, threshold, maxPayload);

        uint64 predecessor = _last;
        uint64 earliest = _earliestActivation(predecessor);
        if (activeFrom == 0) activeFrom = earliest;
        else if (activeFrom < earliest) revert ActiveTooEarly(activeFrom, earliest);

        epoch = ++epochCount;
        _last = epoch;
        if (predecessor != 0) _epochs[predecessor].activeUntil = activeFrom;
        _epochs[epoch] = StoredEpoch({
            keys: KeyBlob.create(_collectKeys(keyIds, epoch)),
            originalShards: originalShards,
            totalShards: uint16(n),
            threshold: threshold,
            maxPayload: maxPayload,
            cancelled: false,
            activeFrom: activeFrom,
            activeUntil: 0,
            revokedAt: 0,
            predecessor: predecessor
        });
        emit EpochProposed(epoch, activeFrom, keyIds);
    }

    /// Takes back a proposal that is not active yet, for ever. By the guardian or governance.
    function cancelEpoch(uint64 epoch) external {
        if (msg.sender != guardian && msg.sender != governance) revert NotGuardian(msg.sender);
        StoredEpoch storage entry = _existing(epoch);
        if (entry.cancelled) revert AlreadyCancelled(epoch);
        if (block.timestamp >= entry.activeFrom) revert AlreadyActive(epoch);

        entry.cancelled = true;
        uint64 predecessor = entry.predecessor;
        if (predecessor != 0) _epochs[predecessor].activeUntil = entry.activeUntil;
        if (_last == epoch) {
            _last = predecessor;
        } else {
            uint64 successor = epoch + 1;
            while (_epochs[successor].cancelled) ++successor;
            _epochs[successor].predecessor = predecessor;
        }
        emit EpochCancelled(epoch);
    }

    /// Revokes an epoch that is or was active, from the next second on and for ever: the answers given up to now stand.
    /// By the guardian.
    function revokeEpoch(uint64 epoch) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        StoredEpoch storage entry = _existing(epoch);
        if (entry.cancelled) revert AlreadyCancelled(epoch);
        if (block.timestamp < entry.activeFrom) revert NotYetActive(epoch);
        if (entry.revokedAt != 0) revert AlreadyRevoked(epoch);
        entry.revokedAt = uint64(block.timestamp) + 1;
        emit EpochRevoked(epoch, entry.revokedAt);
    }

    /// An epoch's parameters and times.
    function getEpoch(uint64 epoch) external view returns (Epoch memory) {
        StoredEpoch storage entry = _existing(epoch);
        return Epoch({
            originalShards: entry.originalShards,
            totalShards: entry.totalShards,
            threshold: entry.threshold,
            maxPayload: entry.maxPayload,
            activeFrom: entry.activeFrom,
            activeUntil: entry.activeUntil,
            revokedAt: entry.revokedAt,
            cancelled: entry.cancelled,
            keys: entry.keys
        });
    }

    /// The ids of an epoch's keys, in slot order.
    function epochKeys(uint64 epoch) external view returns (bytes32[] memory keyIds) {
        StoredEpoch storage entry = _existing(epoch);
        keyIds = new bytes32[](entry.totalShards);
        G2Point memory key;
        for (uint256 slot = 0; slot < keyIds.length; ++slot) {
            KeyBlob.read(entry.keys, slot + 1, key);
            Bls.negate(key);
            keyIds[slot] = keccak256(Bls.compress(key));
        }
    }

    /// An epoch's keys in EIP-2537 layout, 256 bytes each, in slot order.
    function slotKeys(uint64 epoch) external view returns (bytes memory keys) {
        StoredEpoch storage entry = _existing(epoch);
        keys = new bytes(uint256(entry.totalShards) * KeyBlob.KEY_BYTES);
        for (uint256 slot = 0; slot < entry.totalShards; ++slot) {
            G2Point memory key = _keyAt(keys, slot);
            KeyBlob.read(entry.keys, slot + 1, key);
            Bls.negate(key);
        }
    }

    /// The epoch whose certificates are good at `atTime`; 0 when there is none, or it is revoked at that time.
    function activeEpoch(uint64 atTime) external view returns (uint64 epoch) {
        epoch = _last;
        while (epoch != 0 && _epochs[epoch].activeFrom > atTime) epoch = _epochs[epoch].predecessor;
        if (_epochs[epoch].revokedAt != 0 && atTime >= _epochs[epoch].revokedAt) epoch = 0;
    }

    /// The epoch of any number; its `keys` are zero if it does not exist.
    function _epoch(uint256 epoch) internal view returns (StoredEpoch storage) {
        return _epochs[uint64(epoch)];
    }

    /// Whether certificates of the epoch are good at `atTime`, as OK or the reason why not.
    function _activity(StoredEpoch storage entry, uint256 atTime) internal view returns (Status) {
        if (entry.cancelled || atTime < entry.activeFrom) return Status.NOT_YET;
        if (entry.activeUntil != 0 && atTime >= entry.activeUntil) return Status.EPOCH_CLOSED;
        if (entry.revokedAt != 0 && atTime >= entry.revokedAt) return Status.REVOKED;
        return Status.OK;
    }

    /// The sum of the keys of the slots in `signers`, which must all exist: the aggregate plus the negated keys of the
    /// others.
    function _signersKey(StoredEpoch storage entry, uint256 signers) internal view returns (G2Point memory) {
        return KeyBlob.sum(entry.keys, ~signers & ((1 << entry.totalShards) - 1));
    }

    /// `[aggregate | -pk_0 | -pk_1 ...]`, refused if a key is unknown or listed twice or the aggregate is the identity.
    function _collectKeys(bytes32[] calldata keyIds, uint64 epoch) private returns (bytes memory keys) {
        keys = new bytes((keyIds.length + 1) * KeyBlob.KEY_BYTES);
        G2Point memory aggregate = _keyAt(keys, 0);
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
            G2Point memory key = _keyAt(keys, slot + 1);
            _readNegatedKey(keyId, key);
            Bls.addTo(aggregate, key);
        }
        if (Bls.isInfinity(aggregate)) revert AggregateIsIdentity();
        Bls.negate(aggregate);
    }

    /// The key number `index` of `keys`, in place.
    function _keyAt(bytes memory keys, uint256 index) private pure returns (G2Point memory key) {
        assembly ("memory-safe") {
            key := add(add(keys, 32), mul(index, 256))
        }
    }

    function _earliestActivation(uint64 predecessor) private view returns (uint64 earliest) {
        // Never in the current second: what was said of it must stand.
        earliest = uint64(block.timestamp) + (delay == 0 ? 1 : delay);
        if (predecessor != 0 && _epochs[predecessor].activeFrom >= earliest) {
            earliest = _epochs[predecessor].activeFrom + 1;
        }
    }

    function _existing(uint64 epoch) private view returns (StoredEpoch storage entry) {
        entry = _epochs[epoch];
        if (entry.keys == address(0)) revert UnknownEpoch(epoch);
    }
}
