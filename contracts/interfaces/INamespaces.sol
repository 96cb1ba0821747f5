// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

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
    /// When the pending change takes effect.
    uint64 nextFrom;
    /// Members drop nothing of this namespace before this second; 0 if it was never held.
    uint64 holdUntil;
    /// Whom the members serve, in no order.
    address[] dispersers;
}

/// Namespaces: one for each rollup. The owner says who may disperse in it and how long data must still be kept when a
/// certificate is used. The guardian may have the members keep everything for a while.
interface INamespaces {
    /// A namespace was created.
    /// @param namespace Its id.
    /// @param owner Who created it.
    /// @param minRetention Seconds for which data must still be kept when a certificate is used.
    /// @param existsFrom First second in which it exists.
    event NamespaceCreated(
        bytes32 indexed namespace, address indexed owner, uint64 minRetention, uint64 existsFrom
    );
    /// The owner allows a disperser, or no longer does.
    /// @param namespace The namespace.
    /// @param disperser Whom.
    /// @param allowed Whether.
    event DisperserSet(bytes32 indexed namespace, address indexed disperser, bool allowed);
    /// The minimum retention will change. A change that was pending will not.
    /// @param namespace The namespace.
    /// @param minRetention What it will be.
    /// @param from From which second on.
    event MinRetentionSet(bytes32 indexed namespace, uint64 minRetention, uint64 from);
    /// The change of the minimum retention that was pending will not be.
    /// @param namespace The namespace.
    /// @param minRetention What stays in force.
    event MinRetentionWithdrawn(bytes32 indexed namespace, uint64 minRetention);
    /// The guardian has the members drop nothing of a namespace for a while.
    /// @param namespace The namespace.
    /// @param until First second in which they may.
    event NamespaceHeld(bytes32 indexed namespace, uint64 until);

    /// The sender has created it with this salt.
    error NamespaceExists(bytes32 namespace);
    /// There is no such namespace.
    error UnknownNamespace(bytes32 namespace);
    /// Only the owner may do this.
    error NotNamespaceOwner(address owner);
    /// The zero address is no disperser.
    error ZeroDisperser();
    /// 64 are allowed already.
    error TooManyDispersers();
    /// More than 3650 days.
    error RetentionTooLong(uint64 minRetention);
    /// A hold can only be made longer, and must end in the future.
    error HoldTooShort(uint64 until, uint64 earliest);
    /// More than 90 days ahead.
    error HoldTooLong(uint64 until, uint64 latest);

    /// Creates the sender's namespace, which exists from the next second on.
    /// Reverts with NamespaceExists, RetentionTooLong, ZeroDisperser or TooManyDispersers.
    /// @param salt Which of the sender's.
    /// @param minRetention Seconds for which data must still be kept when a certificate is used.
    /// @param dispersers Whom the members serve; one that is named twice is allowed once.
    /// @return namespace `keccak256(abi.encode(sender, salt))`.
    function createNamespace(bytes32 salt, uint64 minRetention, address[] calldata dispersers)
        external
        returns (bytes32 namespace);

    /// Allows a disperser or takes that back, at once. By the owner. Saying what already holds changes nothing.
    /// Reverts with NotNamespaceOwner, ZeroDisperser or TooManyDispersers.
    /// @param namespace The namespace.
    /// @param disperser Whom.
    /// @param allowed Whether.
    function setDisperser(bytes32 namespace, address disperser, bool allowed) external;

    /// Sets how long data must still be kept when a certificate is used. By the owner. More than now holds after
    /// an hour, less only after the registry's delay, so that nobody who relies on it is surprised. It takes the
    /// place of a change that is still pending; the value in force withdraws that.
    /// Reverts with NotNamespaceOwner or RetentionTooLong.
    /// @param namespace The namespace.
    /// @param minRetention The seconds.
    function setMinRetention(bytes32 namespace, uint64 minRetention) external;

    /// Has the members drop nothing of a namespace before a date, only ever a later one than before, and at most 90 days
    /// ahead. By the guardian. What the registry says of certificates does not depend on it.
    /// Reverts with NotGuardian, UnknownNamespace, HoldTooShort or HoldTooLong.
    /// @param namespace The namespace.
    /// @param until First second in which they may.
    function holdNamespace(bytes32 namespace, uint64 until) external;

    /// All about a namespace.
    /// @param namespace The namespace.
    /// @return what All zeros if it does not exist.
    function namespaceOf(bytes32 namespace) external view returns (NamespaceInfo memory what);
}
