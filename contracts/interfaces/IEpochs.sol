// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

import {Slot} from "./IKeys.sol";

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
    /// First second in which it no longer is, because a successor is; 0 while none is proposed, or if it was cancelled.
    uint64 activeUntil;
    /// First second in which its certificates are no longer good: `activeUntil` and the registry's overlap; 0 as it.
    uint64 acceptedUntil;
    /// First second for which the guardian has revoked it; 0 if it has not.
    uint64 revokedAt;
    /// Cancelled before it was active, which it will never be.
    bool cancelled;
    /// Its parameters and keys, as code: 32 bytes of parameters, the sum of all keys, then each slot's key negated.
    address keys;
}

/// Committee epochs: lists of slots, proposed by governance with a delay and immutable from then on.
///
/// Epochs are numbered from 1 and no number is used twice. Those that were not cancelled become active in the order of
/// their numbers, and each ends only when the next one is active: a cancelled proposal closes nothing. What has been
/// said of a time that has passed never changes: activation and revocation start after the current second, and only an
/// epoch that is not yet active can be cancelled.
///
/// After its end an epoch's certificates are good for the registry's overlap, so that a rotation loses nothing that is
/// on its way to L1. Its members sign no more: one epoch is active at a time.
interface IEpochs {
    /// Governance has proposed an epoch.
    /// @param epoch Its number.
    /// @param activeFrom First second in which it is active, unless it is cancelled.
    /// @param originalShards `k`.
    /// @param threshold `t`.
    /// @param maxPayload The longest payload, in bytes.
    /// @param keys The contract whose code is its parameters and keys.
    /// @param keyIds Its keys, in slot order.
    event EpochProposed(
        uint64 indexed epoch,
        uint64 activeFrom,
        uint16 originalShards,
        uint16 threshold,
        uint32 maxPayload,
        address keys,
        bytes32[] keyIds
    );
    /// An epoch will never be active.
    /// @param epoch Its number.
    event EpochCancelled(uint64 indexed epoch);
    /// An epoch's certificates are no longer good.
    /// @param epoch Its number.
    /// @param revokedAt First second in which they are not.
    event EpochRevoked(uint64 indexed epoch, uint64 revokedAt);

    /// Wanted: 1 <= k < n <= 126, k <= t <= n, 2t > n, 1 <= maxPayload <= 2^30.
    error BadParameters(uint256 originalShards, uint256 totalShards, uint256 threshold, uint256 maxPayload);
    /// A key stands twice in the proposal.
    error DuplicateKey(bytes32 keyId);
    /// The keys cancel out, so that anyone could sign for all of them.
    error AggregateIsIdentity();
    /// The delay, or the proposal before it, does not leave as much time.
    error ActiveTooEarly(uint64 activeFrom, uint64 earliest);
    /// Times are kept in 48 bits.
    error ActiveTooLate(uint64 activeFrom, uint64 latest);
    /// Eight epochs are proposed and not active yet.
    error TooManyProposals();
    /// The epoch's code could not be created: too little gas, or more slots than the chain lets a contract's code hold
    /// (94 where it is 24,576 bytes).
    error CreateFailed();
    /// There is no such epoch.
    error UnknownEpoch(uint64 epoch);
    /// What is or was active is not cancelled.
    error AlreadyActive(uint64 epoch);
    /// What is not active yet is not revoked.
    error NotYetActive(uint64 epoch);
    /// It was cancelled.
    error AlreadyCancelled(uint64 epoch);
    /// It was revoked.
    error AlreadyRevoked(uint64 epoch);
    /// More than 7 days.
    error OverlapTooLong(uint64 overlap);

    /// Proposes the next epoch. By governance. A proposal that is executed so late that the delay no longer fits before
    /// `activeFrom` is refused; with 0 it never is.
    /// Reverts with NotGovernance, BadLength, BadParameters, TooManyProposals, ActiveTooEarly, ActiveTooLate,
    /// DuplicateKey, UnknownKey, NotKeyAccount, AggregateIsIdentity or CreateFailed, and for lack of gas.
    /// @param keys The keys in slot order, 256 bytes each in EIP-2537 layout, all of them registered.
    /// @param accounts The account that each key belongs to, as whoever agreed on the proposal has seen it.
    /// @param originalShards `k`.
    /// @param threshold `t`.
    /// @param maxPayload The longest payload, in bytes.
    /// @param activeFrom First second in which it is active; 0 for as soon as the delay allows, and after the epoch
    /// before it.
    /// @return epoch Its number.
    function proposeEpoch(
        bytes calldata keys,
        address[] calldata accounts,
        uint16 originalShards,
        uint16 threshold,
        uint32 maxPayload,
        uint64 activeFrom
    ) external returns (uint64 epoch);

    /// Takes back a proposal that is not active yet and all that were made after it, for ever. By the guardian or
    /// governance. There are at most eight of them, so that it always fits a block.
    /// Reverts with NotGuardianOrGovernance, UnknownEpoch, AlreadyCancelled or AlreadyActive.
    /// @param epoch The first one to take back.
    function cancelFrom(uint64 epoch) external;

    /// Revokes an epoch that is or was active, from the next second on and for ever: the answers given up to now stand.
    /// By the guardian.
    /// Reverts with NotGuardian, UnknownEpoch, AlreadyCancelled, NotYetActive or AlreadyRevoked.
    /// @param epoch Its number.
    function revokeEpoch(uint64 epoch) external;

    /// An epoch's parameters and times.
    /// Reverts with UnknownEpoch.
    /// @param epoch Its number.
    /// @return what All of it.
    function getEpoch(uint64 epoch) external view returns (Epoch memory what);

    /// An epoch's slots, with all that their accounts may change.
    /// Reverts with UnknownEpoch.
    /// @param epoch Its number.
    /// @return slots In order.
    function slotsOf(uint64 epoch) external view returns (Slot[] memory slots);

    /// An epoch's keys.
    /// Reverts with UnknownEpoch.
    /// @param epoch Its number.
    /// @return keys In slot order, 256 bytes each in EIP-2537 layout.
    function slotKeys(uint64 epoch) external view returns (bytes memory keys);

    /// The epoch whose members sign at a time. It looks back from the last epoch, over each one that begins later.
    /// @param atTime The time.
    /// @return epoch Its number; 0 when there is none, or it is revoked at that time.
    function activeEpoch(uint64 atTime) external view returns (uint64 epoch);

    /// How many epochs were proposed, which is the number of the last one.
    /// @return count The number; 0 if none was.
    function epochCount() external view returns (uint64 count);

    /// For how long an epoch's certificates are good after its end. Fixed at deployment.
    /// @return time The seconds.
    function overlap() external view returns (uint64 time);




}
