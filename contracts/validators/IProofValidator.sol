// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// What Arbitrum Nitro's one-step prover asks of a DA provider's validator (`ICustomDAProofValidator` there, described in
/// Nitro's documentation of the DA API; the names and types of the functions are what matters, and these are Nitro's).
///
/// Both proofs begin with the certificate's length in 8 bytes, big-endian, and the certificate.
interface IProofValidator {
    /// The bytes of the payload from `offset` on: 32, or as many as it still has.
    /// Reverts if the proof is not good.
    /// @param certHash keccak256 of the certificate, as the machine has it.
    /// @param offset Where in the payload, a multiple of 32.
    /// @param proof Length, certificate, and what opens the payload.
    /// @return preimageChunk The bytes.
    function validateReadPreimage(bytes32 certHash, uint256 offset, bytes calldata proof)
        external
        view
        returns (bytes memory preimageChunk);

    /// Whether a certificate is valid, at this and at any later time.
    /// Never reverts on a bad certificate.
    /// @param proof Length, certificate, one byte that says what the prover claims, and no more than that.
    /// @return isValid Whether.
    function validateCertificate(bytes calldata proof) external view returns (bool isValid);
}
