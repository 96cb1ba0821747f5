// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bls} from "./Bls.sol";

/// A certificate in the L1 encoding, given by its place in the calldata.
///
/// Offsets (big-endian, 321 bytes): 0 version (01), 1 namespace 32, 33 epoch 8, 41 payloadLength 4, 45 payloadDigest 32,
/// 77 originalShards 2, 79 totalShards 2, 81 shardsRoot 32, 113 fingerprintsHash 32, 145 wholeUntil 8, 153 retainUntil 8,
/// 161 signers 32, 193 signature 128.
type Certificate is uint256;

using CertificateFields for Certificate global;

/// Reads the fields of a certificate.
library CertificateFields {
    function namespace(Certificate c) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(add(c, 1))
        }
    }

    function epoch(Certificate c) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(192, calldataload(add(c, 33)))
        }
    }

    function payloadLength(Certificate c) internal pure returns (uint256 length) {
        assembly ("memory-safe") {
            length := shr(224, calldataload(add(c, 41)))
        }
    }

    function payloadDigest(Certificate c) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(add(c, 45))
        }
    }

    /// Original and total shards, 16 bits each.
    function shards(Certificate c) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(add(c, 77)))
        }
    }

    function retainUntil(Certificate c) internal pure returns (uint256 time) {
        assembly ("memory-safe") {
            time := shr(192, calldataload(add(c, 153)))
        }
    }

    /// Bit `i` is set when slot `i` signed.
    function signers(Certificate c) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(c, 161))
        }
    }

    /// Where in the calldata the signature is.
    function signature(Certificate c) internal pure returns (uint256 from) {
        assembly ("memory-safe") {
            from := add(c, 193)
        }
    }
}

/// What certificates must look like, and the EIP-712 digest that their signers signed.
library Certificates {
    /// Bytes of a certificate.
    uint256 internal constant LENGTH = 321;
    /// Times of a statement are multiples of this many seconds.
    uint256 internal constant HOUR = 3600;

    /// Bytes of memory that `digest` uses.
    uint256 internal constant SCRATCH_BYTES = 224;

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant BLOB_TYPEHASH = keccak256(
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );
    bytes32 internal constant AVAILABILITY_TYPEHASH = keccak256(
        "Availability(bytes32 namespace,uint64 epoch,Blob blob,uint64 wholeUntil,uint64 retainUntil)"
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );

    /// Checks all that can be checked of a certificate alone. It may be read only if it is well formed.
    function decode(bytes calldata encoded) internal pure returns (bool wellFormed, Certificate c) {
        assembly ("memory-safe") {
            c := encoded.offset
            // Reading past the end of the calldata gives zeros.
            let times := calldataload(add(c, 145))
            let wholeUntil := shr(192, times)
            let retainUntil := and(shr(128, times), 0xffffffffffffffff)
            // Times off the grid, the payload whole for longer than its shards, or whole without a digest.
            let faults := or(mod(wholeUntil, HOUR), mod(retainUntil, HOUR))
            faults := or(faults, gt(wholeUntil, retainUntil))
            faults := or(faults, xor(iszero(wholeUntil), iszero(calldataload(add(c, 45)))))
            wellFormed := and(eq(encoded.length, LENGTH), eq(byte(0, calldataload(c)), 1))
            wellFormed := and(wellFormed, iszero(faults))
        }
        // Branches cost more than what they save here.
        bool hasPayload = c.payloadLength() != 0;
        bool hasSlots = c.signers() >> (c.shards() & 0xffff) == 0;
        bool isPoint = Bls.isCanonical(c.signature());
        assembly ("memory-safe") {
            wellFormed := and(and(wellFormed, hasPayload), and(hasSlots, isPoint))
        }
    }

    /// The digest that the members signed, EIP-712 over the Availability, and the blob's id, which is in it. Uses
    /// SCRATCH_BYTES of memory from `scratch` on.
    function digest(Certificate c, bytes32 separator, uint256 scratch) internal pure returns (bytes32 hash, bytes32 blobId) {
        (bytes32 blobType, bytes32 availabilityType) = (BLOB_TYPEHASH, AVAILABILITY_TYPEHASH);
        bytes32 structHash;
        assembly ("memory-safe") {
            mstore(scratch, blobType)
            let word := calldataload(add(c, 33))
            let epoch := shr(192, word)
            mstore(add(scratch, 0x20), and(shr(160, word), 0xffffffff)) // payloadLength
            mstore(add(scratch, 0x40), calldataload(add(c, 45))) // payloadDigest
            word := calldataload(add(c, 77))
            mstore(add(scratch, 0x60), shr(240, word)) // originalShards
            mstore(add(scratch, 0x80), and(shr(224, word), 0xffff)) // totalShards
            calldatacopy(add(scratch, 0xa0), add(c, 81), 64) // shardsRoot, fingerprintsHash
            blobId := keccak256(scratch, 0xe0)

            mstore(scratch, availabilityType)
            mstore(add(scratch, 0x20), calldataload(add(c, 1))) // namespace
            mstore(add(scratch, 0x40), epoch)
            mstore(add(scratch, 0x60), blobId)
            word := calldataload(add(c, 145))
            mstore(add(scratch, 0x80), shr(192, word)) // wholeUntil
            mstore(add(scratch, 0xa0), and(shr(128, word), 0xffffffffffffffff)) // retainUntil
            structHash := keccak256(scratch, 0xc0)
        }
        hash = typedDigest(separator, structHash, scratch);
    }

    /// The EIP-712 digest of a struct. Uses the memory from `scratch` on, 66 bytes.
    function typedDigest(bytes32 separator, bytes32 structHash, uint256 scratch) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(scratch, shl(240, 0x1901))
            mstore(add(scratch, 2), separator)
            mstore(add(scratch, 34), structHash)
            hash := keccak256(scratch, 66)
        }
    }

    /// The EIP-712 domain separator of a registry.
    function domainSeparator(uint256 chainId, address registry) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Holdfast"), keccak256("1"), chainId, registry));
    }
}
