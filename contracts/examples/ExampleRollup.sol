// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

import {IAvailability} from "../interfaces/IAvailability.sol";

/// Whatever proves the rollup's state transitions.
interface IProofVerifier {
    /// Whether a proof is good for this public input.
    function verify(bytes calldata proof, bytes32 publicInput) external view returns (bool);
}

/// A validium's commit, to be copied: a new state counts only if the data that leads to it is available *and* is the data
/// that the proof is about.
///
/// Four things make it safe, and each has a test that takes it away:
///
/// - The registry is fixed when the rollup is deployed. Nobody hands one in with a batch.
/// - The namespace is the rollup's own: what another rollup's operator has had certified does not count.
/// - The blob id that the registry returns goes into the proof's public input. So the proof must be about the very blob
///   that is available. (A blob id commits to the payload by its shards' roots and fingerprints, and the proof must
///   recompute both. A rollup that has its blobs dispersed by payload may bind `payloadDigest`, the payload's keccak256,
///   instead; it must then refuse a digest of zero.)
/// - There is no `try`: a registry that gives no answer has not said yes.
///
/// And the event names the blob, so that readers find the data of every batch.
contract ExampleRollup {
    /// A batch was committed.
    event BatchCommitted(uint256 indexed batch, bytes32 indexed blobId, bytes32 stateRoot);

    /// The proof is not good for this state, this blob and that new state.
    error BadProof();

    IAvailability public immutable registry;
    bytes32 public immutable namespace;
    IProofVerifier public immutable verifier;

    uint256 public batches;
    bytes32 public stateRoot;

    constructor(IAvailability registry_, bytes32 namespace_, IProofVerifier verifier_, bytes32 genesis) {
        registry = registry_;
        namespace = namespace_;
        verifier = verifier_;
        stateRoot = genesis;
    }

    /// Commits a batch whose data a certificate is about, in the transaction that carries the certificate.
    function commit(bytes calldata certificate, bytes32 newStateRoot, bytes calldata proof) external {
        (bytes32 blobId,) = registry.requireAvailable(certificate, namespace);
        _commit(blobId, newStateRoot, proof);
    }

    /// Commits a batch whose data is in a checkpoint that was published.
    function commitInCheckpoint(bytes32 blobId, bytes calldata inclusion, bytes32 newStateRoot, bytes calldata proof)
        external
    {
        registry.requireInCheckpoint(blobId, inclusion, namespace);
        _commit(blobId, newStateRoot, proof);
    }

    function _commit(bytes32 blobId, bytes32 newStateRoot, bytes calldata proof) private {
        bytes32 publicInput = keccak256(abi.encode(stateRoot, newStateRoot, blobId));
        if (!verifier.verify(proof, publicInput)) revert BadProof();
        stateRoot = newStateRoot;
        emit BatchCommitted(++batches, blobId, newStateRoot);
    }
}
