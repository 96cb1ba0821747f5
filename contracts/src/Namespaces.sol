// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {INamespaces, NamespaceInfo} from "../interfaces/INamespaces.sol";
import {PastRetention, Retention, Retentions} from "./Retention.sol";
import {Roles} from "./Roles.sol";

/// Namespaces: one for each rollup. See INamespaces.
abstract contract Namespaces is Roles, INamespaces {
    using Retentions for Retention;

    /// The most dispersers of a namespace.
    uint256 private constant MAX_DISPERSERS = 64;
    /// The longest minimum retention, in seconds: ten years.
    uint64 private constant MAX_MIN_RETENTION = 3650 days;
    /// How far ahead a hold may reach, in seconds.
    uint64 private constant MAX_HOLD = 90 days;
    /// Seconds from saying to taking effect where a minimum retention is raised.
    uint64 private constant RAISE_DELAY = 1 hours;

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

    /// @inheritdoc INamespaces
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
        emit NamespaceCreated(namespace, msg.sender, minRetention, from);
        for (uint256 i = 0; i < dispersers.length; ++i) {
            _setDisperser(namespace, entry, dispersers[i], true);
        }
    }

    /// @inheritdoc INamespaces
    function setDisperser(bytes32 namespace, address disperser, bool allowed) external {
        _setDisperser(namespace, _owned(namespace), disperser, allowed);
    }

    /// @inheritdoc INamespaces
    function setMinRetention(bytes32 namespace, uint64 minRetention) external {
        Namespace storage entry = _owned(namespace);
        if (minRetention > MAX_MIN_RETENTION) revert RetentionTooLong(minRetention);
        uint256 inForce = _inForce(entry);
        if (minRetention == inForce) {
            if (entry.retention.withdraw()) emit MinRetentionWithdrawn(namespace, minRetention);
            return;
        }
        uint256 from = minRetention < inForce ? _afterDelay() : block.timestamp + RAISE_DELAY;
        entry.retention.set(entry.past, uint32(minRetention), uint48(from));
        emit MinRetentionSet(namespace, minRetention, uint64(from));
    }

    /// @inheritdoc INamespaces
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

    /// @inheritdoc INamespaces
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
