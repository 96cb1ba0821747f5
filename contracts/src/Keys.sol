// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IKeys, Slot} from "../interfaces/IKeys.sol";
import {Bls, G2Point} from "./Bls.sol";
import {CHECK_KEY, SignatureCheck, SignatureChecks} from "./SignatureCheck.sol";

/// Members' keys and where they are served.
///
/// A key is stored by its hash alone: whoever proposes an epoch brings the keys along. Registered keys are points of the
/// right subgroup in their only encoding, since the pairing took them.
abstract contract Keys is IKeys {
    /// The most bytes that an endpoint may have.
    uint256 private constant MAX_ENDPOINT_BYTES = 255;

    /// Bytes of a key in EIP-2537 layout.
    uint256 internal constant KEY_BYTES = 256;

    struct Key {
        address account;
        string endpoint;
        bytes32 tlsPin;
    }

    mapping(bytes32 keyId => Key) private _keys;

    /// @inheritdoc IKeys
    function registerKey(bytes calldata key, bytes calldata proof) external returns (bytes32 keyId) {
        if (key.length != KEY_BYTES || proof.length != 128) revert BadLength();
        G2Point memory point = abi.decode(key, (G2Point));
        // Both infinite they would satisfy the pairing equation.
        if (Bls.isInfinity(point) || _isZero(proof)) revert PointAtInfinity();
        keyId = keccak256(key);
        Key storage entry = _keys[keyId];
        if (entry.account != address(0)) revert KeyAlreadyRegistered(keyId);
        bytes memory compressed = Bls.compress(point);
        if (!_isPossessed(point, compressed, proof)) revert BadProofOfPossession();
        entry.account = msg.sender;
        emit KeyRegistered(keyId, msg.sender, compressed);
    }

    /// @inheritdoc IKeys
    function setEndpoint(bytes32 keyId, string calldata endpoint, bytes32 tlsPin) external {
        Key storage entry = _keys[keyId];
        if (entry.account != msg.sender) revert NotKeyAccount(entry.account);
        if (bytes(endpoint).length > MAX_ENDPOINT_BYTES) revert EndpointTooLong(bytes(endpoint).length);
        (entry.endpoint, entry.tlsPin) = (endpoint, tlsPin);
        emit EndpointSet(keyId, endpoint, tlsPin);
    }

    /// @inheritdoc IKeys
    function keyAccount(bytes32 keyId) external view returns (address) {
        return _keys[keyId].account;
    }

    /// @inheritdoc IKeys
    function endpointOf(bytes32 keyId) external view returns (string memory endpoint, bytes32 tlsPin) {
        return (_keys[keyId].endpoint, _keys[keyId].tlsPin);
    }

    /// The slot that has this key.
    function _slotOf(bytes32 keyId) internal view returns (Slot memory) {
        Key storage entry = _keys[keyId];
        return Slot({keyId: keyId, account: entry.account, endpoint: entry.endpoint, tlsPin: entry.tlsPin});
    }

    /// Refuses a key that is not registered, or belongs to another account.
    function _requireKeyOf(bytes32 keyId, address account) internal view {
        address registered = _keys[keyId].account;
        if (registered == address(0)) revert UnknownKey(keyId);
        if (registered != account) revert NotKeyAccount(registered);
    }

    /// Whether the proof is the key's for this chain, this registry and the sender. What the pairing does not take is no
    /// proof, for whatever reason.
    function _isPossessed(G2Point memory key, bytes memory compressed, bytes calldata proof)
        private
        view
        returns (bool signed)
    {
        SignatureCheck check = SignatureChecks.allocate();
        bytes memory message = abi.encodePacked(compressed, block.chainid, address(this), msg.sender);
        uint256 place = check.message();
        uint256 from;
        assembly ("memory-safe") {
            mcopy(add(check, CHECK_KEY), key, 256)
            mcopy(place, add(message, 32), mload(message))
            from := proof.offset
        }
        check.setSignature(from);
        Bls.hashToG1(check, message.length, Bls.POSSESSION_TAG, Bls.TAG_END, Bls.TAG_BYTES);
        (, signed) = Bls.pair(check);
    }

    function _isZero(bytes calldata point) private pure returns (bool) {
        (bytes32 a, bytes32 b, bytes32 c, bytes32 d) = abi.decode(point, (bytes32, bytes32, bytes32, bytes32));
        return a | b | c | d == 0;
    }
}
