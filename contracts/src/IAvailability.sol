// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "./Status.sol";

/// What a rollup contract needs of the registry.
///
/// A rollup that calls `verify` in its own commit transaction must also check that the registry is the one it was
/// deployed with, that the certificate's namespace is its own, and that the blob id (or a payload digest that is not
/// zero) is its proof's public input. A call that *fails* is no verdict: it means that the sender gave too little gas,
/// and must fail the commit too.
interface IAvailability {
    /// Judges a certificate, in the L1 encoding, as of `atTime`: the timestamp of the block that carries it.
    /// For an `atTime` that is not in the future, an answer other than UNKNOWN_EPOCH and UNKNOWN_NAMESPACE never changes.
    /// No certificate makes it revert; too little gas always does.
    function verify(bytes calldata certificate, uint64 atTime) external view returns (Status);

    /// The part of `verify` that knows no time and no namespace: is this certificate genuine? The answer never changes
    /// once the epoch exists.
    function verifySignature(bytes calldata certificate) external view returns (Status);
}
