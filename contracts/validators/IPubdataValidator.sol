// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// What a batch's data is, for the chain's contract. The names and types are those of the ZK Stack.
struct L1DAValidatorOutput {
    /// keccak256 of the batch's state differences, uncompressed.
    bytes32 stateDiffHash;
    /// Hashes of the batch's blobs on L1, zero where there is none.
    bytes32[] blobsLinearHashes;
    /// Commitments to them, zero where there is none.
    bytes32[] blobsOpeningCommitments;
}

/// What a chain of the ZK Stack asks of its validator on L1 (`IL1DAValidator` there).
interface IPubdataValidator {
    /// Checks that a batch's data is available.
    /// Reverts if it is not.
    /// @param chainId The chain.
    /// @param batchNumber The batch.
    /// @param l2DAValidatorOutputHash What the chain's own side has committed to.
    /// @param operatorDAInput What the operator gives for the check.
    /// @param maxBlobsSupported The length of the arrays that are returned.
    /// @return output What the batch's data is.
    function checkDA(
        uint256 chainId,
        uint256 batchNumber,
        bytes32 l2DAValidatorOutputHash,
        bytes calldata operatorDAInput,
        uint256 maxBlobsSupported
    ) external returns (L1DAValidatorOutput memory output);
}
