// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {IProofValidator} from "./IProofValidator.sol";

/// Holdfast's certificates for the fraud proofs of one Arbitrum Nitro chain. Nothing of it can be changed after its
/// deployment, as the address of the validator in Nitro's one-step prover cannot.
///
/// A certificate is `01 | 48 | certificate in the L1 encoding 321`: Nitro's header byte of a DA provider, and whose.
///
/// # Valid
///
/// Of the chain's own namespace, dispersed by payload, and genuine: signed by the threshold of its epoch's committee. No
/// time enters, neither retention nor revocation: whoever replays the chain must find what the first node found. What is
/// true once is true for ever; an epoch that does not exist yet is the one thing that can still change, and its members
/// sign nothing before it is active.
///
/// # Opened by one leaf
///
/// What opens 32 bytes is one leaf of 4 KiB and its path, whatever the payload's length. Leaves begin at multiples of 128
/// bytes of the payload, so 32 bytes at a multiple of 32 never lie in two.
///
/// # A call that fails is no verdict
///
/// Lack of gas reverts, here and in the registry. No bytes of a certificate do.
contract NitroValidator is IProofValidator {
    /// Nitro's header byte of a DA provider.
    bytes1 private constant HEADER = 0x01;
    /// "H".
    bytes1 private constant PROVIDER = 0x48;
    /// The two of them, and a certificate in the L1 encoding.
    uint256 private constant CERTIFICATE_BYTES = 2 + 321;
    /// The certificate's length, before it.
    uint256 private constant LENGTH_BYTES = 8;
    /// The first byte of what opens a payload.
    bytes1 private constant OPENING_VERSION = 0x01;

    /// What the machine reads at once.
    uint256 private constant WORD_BYTES = 32;
    /// As in protocol section 3.
    uint256 private constant LEAF_BYTES = 4096;
    uint256 private constant GROUP_BYTES = 128;

    bytes32 private constant BLOB_TYPEHASH = keccak256(
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );

    /// Whose certificates these are.
    IAvailability public immutable registry;
    /// The chain's namespace.
    bytes32 public immutable namespace;

    /// The proof has no certificate in it.
    error NoCertificate();
    /// It is not the certificate that the machine asks for.
    error OtherCertificate(bytes32 got);
    /// A certificate that is not valid has no payload.
    error InvalidCertificate();
    /// Not a multiple of 32.
    error BadOffset(uint256 offset);
    /// The opening is of another version or length, or its leaf is not the payload's.
    error BadOpening();

    constructor(IAvailability registry_, bytes32 namespace_) {
        registry = registry_;
        namespace = namespace_;
    }

    /// @inheritdoc IProofValidator
    function validateCertificate(bytes calldata proof) external view returns (bool) {
        (bool whole, bytes calldata certificate,) = _split(proof);
        return whole && _isValid(certificate);
    }

    /// `proof` is, after the certificate, `01 | leaf | path`: the leaf of an original shard that the bytes are in, and its
    /// path to the shard's root and from there to `shardsRoot`. Nothing is needed from the payload's end on, where there
    /// are no bytes to give.
    /// @inheritdoc IProofValidator
    function validateReadPreimage(bytes32 certHash, uint256 offset, bytes calldata proof)
        external
        view
        returns (bytes memory)
    {
        (bool whole, bytes calldata certificate, bytes calldata opening) = _split(proof);
        if (!whole) revert NoCertificate();
        bytes32 got = keccak256(certificate);
        if (got != certHash) revert OtherCertificate(got);
        if (!_isValid(certificate)) revert InvalidCertificate();
        if (offset % WORD_BYTES != 0) revert BadOffset(offset);
        Blob memory blob = _blob(certificate[2:]);
        if (offset >= blob.payloadLength) return "";
        return _open(blob, offset, opening);
    }

    function _open(Blob memory blob, uint256 offset, bytes calldata opening) private view returns (bytes memory) {
        (uint256 leafBytes, uint256 inLeaf) = _place(blob, offset);
        if (opening.length < 1 + leafBytes || opening[0] != OPENING_VERSION) revert BadOpening();
        bytes calldata leaf = opening[1:1 + leafBytes];
        bytes32[] memory path = _path(opening[1 + leafBytes:]);
        uint256 payloadBytes = registry.openPayload(_id(blob), blob, offset - inLeaf, leaf, path);
        // Above zero it is the bytes of the leaf that are payload, and the offset is in the payload.
        if (payloadBytes <= inLeaf) revert BadOpening();
        uint256 end = inLeaf + WORD_BYTES;
        return leaf[inLeaf:end < payloadBytes ? end : payloadBytes];
    }

    /// How long the leaf is that a byte of the payload is in, and where in it.
    function _place(Blob memory blob, uint256 offset) private pure returns (uint256 leafBytes, uint256 inLeaf) {
        uint256 k = blob.originalShards;
        // The payload is cut into k shards, each padded to whole groups.
        uint256 shardBytes = ((blob.payloadLength + k - 1) / k + GROUP_BYTES - 1) / GROUP_BYTES * GROUP_BYTES;
        uint256 inShard = offset % shardBytes;
        inLeaf = inShard % LEAF_BYTES;
        uint256 left = shardBytes - (inShard - inLeaf);
        leafBytes = left < LEAF_BYTES ? left : LEAF_BYTES;
    }

    /// Whether a certificate is valid. Judged by the registry last: it is what costs.
    function _isValid(bytes calldata certificate) private view returns (bool) {
        if (certificate.length != CERTIFICATE_BYTES) return false;
        if (certificate[0] != HEADER || certificate[1] != PROVIDER) return false;
        bytes calldata encoded = certificate[2:];
        if (bytes32(encoded[1:33]) != namespace) return false;
        // By shard nobody has vouched for what a leaf opens.
        if (bytes32(encoded[45:77]) == 0) return false;
        return registry.verifySignature(encoded) == Status.OK;
    }

    /// The certificate of a proof, and what is behind it.
    function _split(bytes calldata proof)
        private
        pure
        returns (bool whole, bytes calldata certificate, bytes calldata rest)
    {
        (certificate, rest) = (proof[0:0], proof[0:0]);
        if (proof.length < LENGTH_BYTES) return (false, certificate, rest);
        uint256 end = LENGTH_BYTES + uint64(bytes8(proof[0:LENGTH_BYTES]));
        if (proof.length < end) return (false, certificate, rest);
        return (true, proof[LENGTH_BYTES:end], proof[end:]);
    }

    /// The blob of a certificate in the L1 encoding.
    function _blob(bytes calldata encoded) private pure returns (Blob memory) {
        return Blob({
            payloadLength: uint32(bytes4(encoded[41:45])),
            payloadDigest: bytes32(encoded[45:77]),
            originalShards: uint16(bytes2(encoded[77:79])),
            totalShards: uint16(bytes2(encoded[79:81])),
            shardsRoot: bytes32(encoded[81:113]),
            fingerprintsHash: bytes32(encoded[113:145])
        });
    }

    function _id(Blob memory blob) private pure returns (bytes32) {
        return keccak256(abi.encode(BLOB_TYPEHASH, blob));
    }

    function _path(bytes calldata joined) private pure returns (bytes32[] memory path) {
        if (joined.length % WORD_BYTES != 0) revert BadOpening();
        path = new bytes32[](joined.length / WORD_BYTES);
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = bytes32(joined[WORD_BYTES * i:WORD_BYTES * (i + 1)]);
        }
    }
}
