// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G2Point, SignatureCheck} from "./Bls.sol";
import {KeyBlob} from "./KeyBlob.sol";

/// A slot of an epoch: its key, and what that key's account says of itself now.
struct Slot {
    bytes32 keyId;
    address account;
    string endpoint;
    bytes32 tlsPin;
}

/// Members' keys and where they are served. Anyone registers a key whose possession they prove.
///
/// The proof says that somebody knows the secret key, not who: a proof seen in the mempool can be registered by another
/// account first, which would then set the endpoint. So governance looks at `keyAccount` before it proposes a key.
abstract contract Keys {
    /// A key, named by the hash of its compressed form, now belongs to `account`.
    event KeyRegistered(bytes32 indexed keyId, address indexed account, bytes compressedKey);
    /// The key's account serves it at `endpoint` from now on, with this TLS key.
    event EndpointSet(bytes32 indexed keyId, string endpoint, bytes32 tlsPin);

    /// A key is 256 bytes and a proof 128, both in EIP-2537 layout.
    error BadLength();
    /// The point at infinity is no key and no proof.
    error PointAtInfinity();
    /// The proof is not this key's, or one of the two is no point of its subgroup.
    error BadProofOfPossession();
    error KeyAlreadyRegistered(bytes32 keyId);
    error UnknownKey(bytes32 keyId);
    error NotKeyAccount(address account);
    error EndpointTooLong(uint256 length);

    /// The most bytes that an endpoint may have.
    uint256 public constant MAX_ENDPOINT_BYTES = 255;

    struct Key {
        address account;
        /// A blob of one key: the negated one, which is what epochs are built from.
        address blob;
        string endpoint;
        bytes32 tlsPin;
    }

    mapping(bytes32 keyId => Key) private _keys;

    /// Registers a key for the sender: `pk` in G2, `pop` the proof of possession in G1 over the compressed key, by the
    /// ciphersuite BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_. Returns keccak256 of the compressed key.
    function registerKey(bytes calldata pk, bytes calldata pop) external returns (bytes32 keyId) {
        if (pk.length != 256 || pop.length != 128) revert BadLength();
        G2Point memory key = abi.decode(pk, (G2Point));
        // Both infinite they would satisfy the pairing equation.
        if (Bls.isInfinity(key) || _isZero(pop)) revert PointAtInfinity();

        bytes memory compressed = Bls.compress(key);
        keyId = keccak256(compressed);
        Key storage entry = _keys[keyId];
        if (entry.account != address(0)) revert KeyAlreadyRegistered(keyId);
        if (!_isPossessed(key, compressed, pop)) revert BadProofOfPossession();

        Bls.negate(key);
        entry.account = msg.sender;
        entry.blob = KeyBlob.create(abi.encodePacked(bytes1(0), abi.encode(key)));
        emit KeyRegistered(keyId, msg.sender, compressed);
    }

    /// Says where the key's member is reached: a URL of at most 255 bytes, and the SHA-256 of the public key (DER
    /// SubjectPublicKeyInfo, the pin of RFC 7469) that its TLS certificate has, zero for any. Only by the key's account.
    function setEndpoint(bytes32 keyId, string calldata endpoint, bytes32 tlsPin) external {
        Key storage entry = _keys[keyId];
        if (entry.account != msg.sender) revert NotKeyAccount(entry.account);
        if (bytes(endpoint).length > MAX_ENDPOINT_BYTES) revert EndpointTooLong(bytes(endpoint).length);
        (entry.endpoint, entry.tlsPin) = (endpoint, tlsPin);
        emit EndpointSet(keyId, endpoint, tlsPin);
    }

    /// The account that registered the key; zero when nobody has.
    function keyAccount(bytes32 keyId) external view returns (address) {
        return _keys[keyId].account;
    }

    /// Where the key's member is reached, and with which TLS key; empty until its account has said so.
    function endpointOf(bytes32 keyId) external view returns (string memory endpoint, bytes32 tlsPin) {
        return (_keys[keyId].endpoint, _keys[keyId].tlsPin);
    }

    /// The slot that has this key.
    function _slotOf(bytes32 keyId) internal view returns (Slot memory) {
        Key storage entry = _keys[keyId];
        return Slot({keyId: keyId, account: entry.account, endpoint: entry.endpoint, tlsPin: entry.tlsPin});
    }

    /// Copies the negated key over `key`.
    function _readNegatedKey(bytes32 keyId, G2Point memory key) internal view {
        address blob = _keys[keyId].blob;
        if (blob == address(0)) revert UnknownKey(keyId);
        KeyBlob.read(blob, 1, key);
    }

    function _isPossessed(G2Point memory key, bytes memory compressed, bytes calldata pop) private view returns (bool) {
        SignatureCheck check = Bls.newCheck();
        uint256 message = Bls.messageOf(check);
        uint256 proof;
        assembly ("memory-safe") {
            mcopy(add(check, 0x200), key, 256)
            mcopy(message, add(compressed, 32), 96)
            proof := pop.offset
        }
        Bls.setSignature(check, proof);
        Bls.hashToG1(check, 96, Bls.POSSESSION_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        return Bls.isSigned(check);
    }

    function _isZero(bytes calldata point) private pure returns (bool) {
        (bytes32 a, bytes32 b, bytes32 c, bytes32 d) = abi.decode(point, (bytes32, bytes32, bytes32, bytes32));
        return a | b | c | d == 0;
    }
}
