// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls, G1Point} from "./Bls.sol";

/// A certificate's fields. They lie in memory as EIP-712 encodes them, each struct behind the hash of its type, so that
/// hashing needs no copy. `signers` has bit `i` set when slot `i` signed.
struct Certificate {
    bytes32 blobType;
    uint256 payloadLength;
    bytes32 payloadDigest;
    uint256 originalShards;
    uint256 totalShards;
    bytes32 shardsRoot;
    bytes32 fingerprintsHash;
    bytes32 availabilityType;
    bytes32 namespace;
    uint256 epoch;
    /// `hashStruct` of the blob, which is the seven words up to here.
    bytes32 blobId;
    uint256 wholeUntil;
    uint256 retainUntil;
    uint256 signers;
    G1Point signature;
}

/// The L1 encoding of certificates and the EIP-712 digest that their signers signed.
///
/// Offsets (big-endian, 321 bytes): 0 version (01), 1 namespace 32, 33 epoch 8, 41 payloadLength 4, 45 payloadDigest 32,
/// 77 originalShards 2, 79 totalShards 2, 81 shardsRoot 32, 113 fingerprintsHash 32, 145 wholeUntil 8, 153 retainUntil 8,
/// 161 signers 32, 193 signature 128.
library Certificates {
    /// Bytes of a certificate.
    uint256 internal constant LENGTH = 321;
    /// Times of a statement are multiples of this many seconds.
    uint256 internal constant HOUR = 3600;

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant BLOB_TYPEHASH = keccak256(
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );
    bytes32 internal constant AVAILABILITY_TYPEHASH = keccak256(
        "Availability(bytes32 namespace,uint64 epoch,Blob blob,uint64 wholeUntil,uint64 retainUntil)"
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );

    /// Reads a certificate and checks all that can be checked of it alone. The fields mean something only if it is well
    /// formed.
    function decode(bytes calldata encoded) internal pure returns (bool wellFormed, Certificate memory c) {
        if (encoded.length != LENGTH) return (false, c);
        uint256 version;
        G1Point memory signature = c.signature;
        (c.blobType, c.availabilityType) = (BLOB_TYPEHASH, AVAILABILITY_TYPEHASH);
        assembly ("memory-safe") {
            let from := encoded.offset
            version := byte(0, calldataload(from))
            mstore(add(c, 0x100), calldataload(add(from, 1))) // namespace
            let word := calldataload(add(from, 33))
            mstore(add(c, 0x120), shr(192, word)) // epoch
            mstore(add(c, 0x020), and(shr(160, word), 0xffffffff)) // payloadLength
            mstore(add(c, 0x040), calldataload(add(from, 45))) // payloadDigest
            word := calldataload(add(from, 77))
            mstore(add(c, 0x060), shr(240, word)) // originalShards
            mstore(add(c, 0x080), and(shr(224, word), 0xffff)) // totalShards
            calldatacopy(add(c, 0x0a0), add(from, 81), 64) // shardsRoot, fingerprintsHash
            word := calldataload(add(from, 145))
            mstore(add(c, 0x160), shr(192, word)) // wholeUntil
            mstore(add(c, 0x180), and(shr(128, word), 0xffffffffffffffff)) // retainUntil
            mstore(add(c, 0x1a0), calldataload(add(from, 161))) // signers
            calldatacopy(signature, add(from, 193), 128)
            mstore(add(c, 0x140), keccak256(c, 0x0e0)) // blobId
        }
        wellFormed = version == 1 && c.payloadLength != 0 && c.wholeUntil % HOUR == 0 && c.retainUntil % HOUR == 0
            && (c.wholeUntil == 0) == (c.payloadDigest == 0) && c.wholeUntil <= c.retainUntil
            && c.signers >> c.totalShards == 0 && Bls.isInField(signature) && !Bls.isInfinity(signature);
    }

    /// The digest that the members signed: EIP-712 over the Availability.
    function digest(Certificate memory c, bytes32 separator) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, shl(240, 0x1901))
            mstore(add(input, 2), separator)
            mstore(add(input, 34), keccak256(add(c, 0x0e0), 0x0c0))
            hash := keccak256(input, 66)
        }
    }

    /// The EIP-712 domain separator of a registry.
    function domainSeparator(uint256 chainId, address registry) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Holdfast"), keccak256("1"), chainId, registry));
    }
}
