// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PastRetention, Retention, Retentions} from "./Retention.sol";
import {Roles} from "./Roles.sol";

/// What is public of a namespace.
struct NamespaceInfo {
    /// Zero if the namespace does not exist.
    address owner;
    /// First second in which it exists.
    uint64 existsFrom;
    /// Seconds for which data must still be kept when a certificate is used, now.
    uint64 minRetention;
    /// What that will be from `nextFrom` on; both 0 when no change is pending.
    uint64 nextMinRetention;
    uint64 nextFrom;
    /// Members drop nothing of this namespace before this second; 0 if it was never held.
    uint64 holdUntil;
    /// Whom the members serve, in no order.
    address[] dispersers;
}

/// Namespaces: one for each rollup. The owner says who may disperse in it and how long data must still be kept when a
/// certificate is used. The guardian may have the members keep everything for a while.
abstract contract Namespaces is Roles {
    using Retentions for Retention;

    event NamespaceCreated(bytes32 indexed namespace, address indexed owner, uint64 minRetention);
    event DisperserSet(bytes32 indexed namespace, address indexed disperser, bool allowed);
    event MinRetentionSet(bytes32 indexed namespace, uint64 minRetention, uint64 from);
    event NamespaceHeld(bytes32 indexed namespace, uint64 until);

    error NamespaceExists(bytes32 namespace);
    error UnknownNamespace(bytes32 namespace);
    error NotNamespaceOwner(address owner);
    error ZeroDisperser();
    error TooManyDispersers();
    error RetentionTooLong(uint64 minRetention);
    /// A hold can only be made longer, and must end in the future.
    error HoldTooShort(uint64 until, uint64 earliest);
    error HoldTooLong(uint64 until, uint64 latest);

    /// The most dispersers of a namespace.
    uint256 public constant MAX_DISPERSERS = 64;
    /// The longest minimum retention, in seconds: ten years.
    uint64 public constant MAX_MIN_RETENTION = 3650 days;
    /// How far ahead a hold may reach, in seconds.
    uint64 public constant MAX_HOLD = 90 days;

    struct Namespace {
        /// All that `verify` reads.
        Retention retention;
        address owner;
        address[] dispersers;
        /// Position in `dispersers` plus one, 0 if not allowed.
        mapping(address disperser => uint256) positions;
        /// What was in force before `retention`, oldest first.
        PastRetention[] past;
    }

    mapping(bytes32 namespace => Namespace) private _namespaces;

    /// Creates the sender's namespace `keccak256(abi.encode(sender, salt))`, which exists from the next second on.
    function createNamespace(bytes32 salt, uint64 minRetention, address[] calldata dispersers)
        external
        returns (bytes32 namespace)
    {
        namespace = keccak256(abi.encode(msg.sender, salt));
        Namespace storage entry = _namespaces[namespace];
        if (entry.owner != address(0)) revert NamespaceExists(namespace);
        if (minRetention > MAX_MIN_RETENTION) revert RetentionTooLong(minRetention);
        entry.owner = msg.sender;
        uint48 from = uint48(block.timestamp) + 1;
        (entry.retention.existsFrom, entry.retention.from) = (from, from);
        entry.retention.current = uint32(minRetention);
        emit NamespaceCreated(namespace, msg.sender, minRetention);
        for (uint256 i = 0; i < dispersers.length; ++i) {
            _setDisperser(namespace, entry, dispersers[i], true);
        }
    }

    /// Allows a disperser or takes that back, at once. By the owner. Saying what already holds changes nothing.
    function setDisperser(bytes32 namespace, address disperser, bool allowed) external {
        _setDisperser(namespace, _owned(namespace), disperser, allowed);
    }

    /// Sets how long data must still be kept when a certificate is used. By the owner. More than now holds from the
    /// next second on, less only after the registry's delay. It takes the place of a change that is still pending, so
    /// the value in force takes that back.
    function setMinRetention(bytes32 namespace, uint64 minRetention) external {
        Namespace storage entry = _owned(namespace);
        if (minRetention > MAX_MIN_RETENTION) revert RetentionTooLong(minRetention);
        uint256 inForce = _inForce(entry);
        uint256 from = minRetention < inForce ? _afterDelay() : block.timestamp + 1;
        entry.retention.set(entry.past, uint32(minRetention), minRetention == inForce ? 0 : uint48(from));
        emit MinRetentionSet(namespace, minRetention, uint64(from));
    }

    /// Has the members drop nothing of a namespace before `until`. By the guardian, only ever longer than before, and at
    /// most MAX_HOLD ahead. What `verify` says does not depend on it.
    function holdNamespace(bytes32 namespace, uint64 until) external onlyGuardian {
        Namespace storage entry = _namespaces[namespace];
        if (entry.owner == address(0)) revert UnknownNamespace(namespace);
        uint64 time = uint64(block.timestamp);
        uint64 before = entry.retention.holdUntil;
        uint64 earliest = (before > time ? before : time) + 1;
        if (until < earliest) revert HoldTooShort(until, earliest);
        if (until > time + MAX_HOLD) revert HoldTooLong(until, time + MAX_HOLD);
        entry.retention.holdUntil = uint48(until);
        emit NamespaceHeld(namespace, until);
    }

    /// All about a namespace.
    function namespaceOf(bytes32 namespace) external view returns (NamespaceInfo memory) {
        Namespace storage entry = _namespaces[namespace];
        Retention memory r = entry.retention;
        bool pending = r.nextFrom > block.timestamp;
        return NamespaceInfo({
            owner: entry.owner,
            existsFrom: r.existsFrom,
            minRetention: uint64(_inForce(entry)),
            nextMinRetention: pending ? r.next : 0,
            nextFrom: pending ? r.nextFrom : 0,
            holdUntil: r.holdUntil,
            dispersers: entry.dispersers
        });
    }

    /// Whether the members serve this disperser.
    function isDisperser(bytes32 namespace, address disperser) external view returns (bool) {
        return _namespaces[namespace].positions[disperser] != 0;
    }

    /// Whether the namespace exists at `atTime`, and its minimum retention then.
    function _retentionAt(bytes32 namespace, uint256 atTime) internal view returns (bool exists, uint256 minRetention) {
        Namespace storage entry = _namespaces[namespace];
        return entry.retention.inForceAt(entry.past, atTime);
    }

    /// The minimum retention in force in this second; in the second of its creation, the one the namespace begins with.
    function _inForce(Namespace storage entry) private view returns (uint256 minRetention) {
        Retention storage r = entry.retention;
        if (block.timestamp < r.existsFrom) return r.current;
        (, minRetention) = r.inForceAt(entry.past, block.timestamp);
    }

    function _owned(bytes32 namespace) private view returns (Namespace storage entry) {
        entry = _namespaces[namespace];
        if (entry.owner != msg.sender) revert NotNamespaceOwner(entry.owner);
    }

    function _setDisperser(bytes32 namespace, Namespace storage entry, address disperser, bool allowed) private {
        if (disperser == address(0)) revert ZeroDisperser();
        address[] storage dispersers = entry.dispersers;
        uint256 position = entry.positions[disperser];
        if (allowed == (position != 0)) return;
        if (allowed) {
            if (dispersers.length == MAX_DISPERSERS) revert TooManyDispersers();
            dispersers.push(disperser);
            entry.positions[disperser] = dispersers.length;
        } else {
            // The last one takes the place of the one that goes.
            address moved = dispersers[dispersers.length - 1];
            dispersers[position - 1] = moved;
            entry.positions[moved] = position;
            dispersers.pop();
            delete entry.positions[disperser];
        }
        emit DisperserSet(namespace, disperser, allowed);
    }
}
