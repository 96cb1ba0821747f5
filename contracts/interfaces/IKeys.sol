// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.4;

/// A slot of an epoch: its key, and what that key's account says of itself now.
struct Slot {
    /// keccak256 of the key in EIP-2537 layout.
    bytes32 keyId;
    /// Who registered the key.
    address account;
    /// Where the member is reached; empty until its account has said so.
    string endpoint;
    /// SHA-256 of the public key that its TLS certificate has; zero for any.
    bytes32 tlsPin;
}

/// Members' keys and where they are served. Anyone registers a key whose possession they prove.
///
/// A proof is for one chain, one registry and one account: seen in the mempool, it is of no use to any other account.
interface IKeys {
    /// A key now belongs to an account, for ever.
    /// @param keyId keccak256 of the key in EIP-2537 layout.
    /// @param account Who registered it.
    /// @param compressedKey The key, 96 bytes.
    event KeyRegistered(bytes32 indexed keyId, address indexed account, bytes compressedKey);
    /// The key's account serves it elsewhere from now on.
    /// @param keyId The key.
    /// @param endpoint Where.
    /// @param tlsPin With which TLS key.
    event EndpointSet(bytes32 indexed keyId, string endpoint, bytes32 tlsPin);

    /// A key is 256 bytes and a proof 128, both in EIP-2537 layout; of an epoch there is one account for each key.
    error BadLength();
    /// The point at infinity is no key and no proof.
    error PointAtInfinity();
    /// The proof is not this key's for this chain, registry and sender, or one of the two is no point of its subgroup.
    error BadProofOfPossession();
    /// Somebody has registered it.
    error KeyAlreadyRegistered(bytes32 keyId);
    /// Nobody has registered it.
    error UnknownKey(bytes32 keyId);
    /// The key belongs to this account, not to the one that was named or that calls.
    error NotKeyAccount(address account);
    /// More than 255 bytes.
    error EndpointTooLong(uint256 length);

    /// Registers a key for the sender.
    /// Reverts with BadLength, PointAtInfinity, KeyAlreadyRegistered or BadProofOfPossession, and for lack of gas.
    /// @param key A point of G2 in EIP-2537 layout, 256 bytes.
    /// @param proof A signature by the key over `compressed key 96 | chain id 32 | registry 20 | sender 20`, by the
    /// ciphersuite BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_: a point of G1 in EIP-2537 layout, 128 bytes.
    /// @return keyId keccak256 of the key as it was given.
    function registerKey(bytes calldata key, bytes calldata proof) external returns (bytes32 keyId);

    /// Says where the key's member is reached. By the key's account.
    /// Reverts with NotKeyAccount or EndpointTooLong.
    /// @param keyId The key.
    /// @param endpoint A URL of at most 255 bytes.
    /// @param tlsPin SHA-256 of the public key (DER SubjectPublicKeyInfo, the pin of RFC 7469) that its TLS certificate
    /// has; zero for any.
    function setEndpoint(bytes32 keyId, string calldata endpoint, bytes32 tlsPin) external;

    /// Whom a key belongs to.
    /// @param keyId The key.
    /// @return account Who registered it; zero when nobody has.
    function keyAccount(bytes32 keyId) external view returns (address account);

    /// Where a key's member is reached.
    /// @param keyId The key.
    /// @return endpoint The URL; empty until its account has said so.
    /// @return tlsPin SHA-256 of the public key that its TLS certificate has; zero for any.
    function endpointOf(bytes32 keyId) external view returns (string memory endpoint, bytes32 tlsPin);

}
