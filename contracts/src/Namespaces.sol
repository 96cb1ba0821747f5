// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Namespaces: one for each rollup. The owner says who may disperse in it and how long data must still be kept when a
/// certificate is used.
abstract contract Namespaces {
    event NamespaceCreated(bytes32 indexed namespace, address indexed owner, uint64 minRetention);
    event DisperserSet(bytes32 indexed namespace, address indexed disperser, bool allowed);

    error NamespaceExists(bytes32 namespace);
    error NotNamespaceOwner(address owner);
    error ZeroDisperser();
    error TooManyDispersers();
    error RetentionTooLong(uint64 minRetention);

    /// The most dispersers of a namespace.
    uint256 public constant MAX_DISPERSERS = 64;
    /// The longest minimum retention, in seconds: ten years.
    uint64 public constant MAX_MIN_RETENTION = 3650 days;

    struct Namespace {
        /// Seconds for which data must still be kept.
        uint64 minRetention;
        /// First second in which the namespace exists; 0 if it does not.
        uint64 existsFrom;
        address owner;
        address[] dispersers;
        /// Position in `dispersers` plus one, 0 if not allowed.
        mapping(address disperser => uint256) positions;
    }

    mapping(bytes32 namespace => Namespace) private _namespaces;

    /// Creates the sender's namespace `keccak256(abi.encode(sender, salt))`, which exists from the next second on.
    function createNamespace(bytes32 salt, uint64 minRetention, address[] calldata dispersers)
        external
        returns (bytes32 namespace)
    {
        namespace = keccak256(abi.encode(msg.sender, salt));
        Namespace storage entry = _namespaces[namespace];
        if (entry.existsFrom != 0) revert NamespaceExists(namespace);
        if (minRetention > MAX_MIN_RETENTION) revert RetentionTooLong(minRetention);
        entry.minRetention = minRetention;
        entry.existsFrom = uint64(block.timestamp) + 1;
        entry.owner = msg.sender;
        emit NamespaceCreated(namespace, msg.sender, minRetention);
        for (uint256 i = 0; i < dispersers.length; ++i) {
            _setDisperser(namespace, entry, dispersers[i], true);
        }
    }

    /// Allows a disperser or takes that back, at once. By the owner. Saying what already holds changes nothing.
    function setDisperser(bytes32 namespace, address disperser, bool allowed) external {
        Namespace storage entry = _namespaces[namespace];
        if (entry.owner != msg.sender) revert NotNamespaceOwner(entry.owner);
        _setDisperser(namespace, entry, disperser, allowed);
    }

    /// A namespace's owner, zero if it does not exist, and its minimum retention in seconds.
    function namespaceOf(bytes32 namespace) external view returns (address owner, uint64 minRetention) {
        Namespace storage entry = _namespaces[namespace];
        return (entry.owner, entry.minRetention);
    }

    /// Whether the members serve this disperser.
    function isDisperser(bytes32 namespace, address disperser) external view returns (bool) {
        return _namespaces[namespace].positions[disperser] != 0;
    }

    /// All dispersers of a namespace, in no order.
    function dispersersOf(bytes32 namespace) external view returns (address[] memory) {
        return _namespaces[namespace].dispersers;
    }

    /// Whether the namespace exists at `atTime`, and its minimum retention then.
    function _retentionAt(bytes32 namespace, uint256 atTime) internal view returns (bool exists, uint256 minRetention) {
        Namespace storage entry = _namespaces[namespace];
        uint256 existsFrom = entry.existsFrom;
        return (existsFrom != 0 && atTime >= existsFrom, entry.minRetention);
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
