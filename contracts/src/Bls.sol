// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {
    CHECK_BLOCK,
    CHECK_GENERATOR,
    CHECK_HASH,
    CHECK_NUMBERS,
    CHECK_POINTS,
    CHECK_SIGNATURE,
    SignatureCheck
} from "./SignatureCheck.sol";

/// A point of G2 as EIP-2537 wants it, in memory: each coordinate is 64 bytes, 16 of them zero, and an element of Fp2 is
/// `c0 | c1` (compressed keys are the other way round). Infinity is all zeros.
struct G2Point {
    uint256 xC0Hi;
    uint256 xC0Lo;
    uint256 xC1Hi;
    uint256 xC1Lo;
    uint256 yC0Hi;
    uint256 yC0Lo;
    uint256 yC1Hi;
    uint256 yC1Lo;
}

/// BLS12-381 with the precompiles of EIP-2537: signatures in G1, keys in G2, hashing as in RFC 9380.
///
/// # Lack of gas is never an answer
///
/// Every precompile except the pairing is only ever called on input that this library has made valid. It then fails for
/// lack of gas alone, with less than 10,000 gas left, and `pair` reverts if there is less than PAIRING_GAS: so the calls
/// before it need no check of their own. The pairing judges points that a stranger chose, and the gas it may burn is
/// bounded. Its failure is an answer only if the point is at fault, which a second precompile tells: else the chain asks
/// more for a pairing than is paid here, and that is no certificate's fault.
library Bls {
    /// Domain separation tag of signatures on statements, followed by its length: the first 32 bytes, and the rest.
    bytes32 internal constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_S";
    /// Domain separation tag of proofs of possession, likewise.
    bytes32 internal constant POSSESSION_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_S";
    /// What both tags end with, and their length, 43.
    bytes32 internal constant TAG_END = "SWU_RO_POP_\x2b";
    /// Bytes of a tag with its length.
    uint256 internal constant TAG_BYTES = 44;

    /// Gas given to the pairing, which needs 102,900 today. A point that is malformed burns all of it, so it also bounds
    /// what a bad certificate costs. The distance to today's price is the room for a change of prices: above this one
    /// nothing is judged any more.
    uint256 internal constant PAIRING_GAS = 160_000;
    /// Gas given to the multiplication that tells whether a point is in G1, which needs 12,000 today.
    uint256 internal constant MULTIPLICATION_GAS = 25_000;
    /// Gas that must remain after a precompile that burnt all it was given, so that the answer can still be returned.
    uint256 internal constant RESERVE_GAS = 20_000;

    /// The field's modulus: 16 bytes, then 32.
    uint256 internal constant P_HI = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 internal constant P_LO = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    /// 2^512 / p, rounded down.
    uint256 private constant P_RECIPROCAL = 0x9d835d2f3cc9e45ce28101b0cc7a6ba29;
    /// (p - 1) / 2: of `y` and `-y` the larger one is the one above it.
    uint256 private constant HALF_HI = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LO = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// Whether the signature is the key's on the message that was hashed: e(signature, -generator) * e(hash, key) = 1. The
    /// key must be in its subgroup; a signature at infinity is the caller's to refuse. (A key at infinity signs nothing.)
    /// Reverts where it cannot be known: see above.
    function isSigned(SignatureCheck check) internal view returns (bool signed) {
        bool taken;
        (taken, signed) = pair(check);
        // The hash is a point of G1, so that the multiplication fails on it only for its price.
        if (!taken && (isInG1(check, CHECK_SIGNATURE) || !isInG1(check, CHECK_HASH))) {
            revert IAvailability.PrecompileFailed();
        }
    }

    /// Whether the pairing took the points, and whether it says that the signature is the key's. Both pairs are checked by
    /// the precompile for curve and subgroup. Reverts if there is not gas enough for the pairing to fail by itself, so
    /// that whoever picks the gas limit cannot turn a good signature into a bad one.
    function pair(SignatureCheck check) internal view returns (bool taken, bool signed) {
        assembly ("memory-safe") {
            let generator := add(check, CHECK_GENERATOR)
            mstore(generator, 0x024aa2b2f08f0a91260805272dc51051)
            mstore(add(generator, 0x20), 0xc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8)
            mstore(add(generator, 0x40), 0x13e02b6052719f607dacd3a088274f65)
            mstore(add(generator, 0x60), 0x596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e)
            mstore(add(generator, 0x80), 0x0d1b3cc2c7027888be51d9ef691d77bc)
            mstore(add(generator, 0xa0), 0xb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa)
            mstore(add(generator, 0xc0), 0x13fa4d4a0ad8b1ce186ed5061789213d)
            mstore(add(generator, 0xe0), 0x993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed)
        }
        _needGas(PAIRING_GAS);
        uint256 answered;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            taken := staticcall(PAIRING_GAS, 0x0f, check, 768, 0x00, 32)
            // Nothing is returned where there is no such precompile.
            answered := or(iszero(taken), eq(returndatasize(), 32))
            signed := and(taken, mload(0x00))
        }
        if (answered == 0) revert IAvailability.PrecompileFailed();
    }

    /// Whether the point at this place of a check is in G1, on the curve and in the subgroup, by multiplying it with 1. Or
    /// the chain asks more for that than is paid. Overwrites the word behind the point.
    function isInG1(SignatureCheck check, uint256 place) internal view returns (bool taken) {
        _needGas(MULTIPLICATION_GAS);
        assembly ("memory-safe") {
            let point := add(check, place)
            mstore(add(point, 128), 1)
            taken := staticcall(MULTIPLICATION_GAS, 0x0c, point, 160, point, 128)
            taken := and(taken, eq(returndatasize(), 128))
        }
    }

    /// Hashes the message of `length` bytes that stands in the check to G1:
    /// `BLS12381G1_XMD:SHA-256_SSWU_RO_` of RFC 9380 with the tag that `tag` and `tagEnd` make, `tagBytes` with its length.
    function hashToG1(SignatureCheck check, uint256 length, bytes32 tag, bytes32 tagEnd, uint256 tagBytes)
        internal
        view
    {
        uint256 uniform;
        assembly ("memory-safe") {
            // expand_message_xmd (section 5.3.1) for 128 bytes: b_0 = H(Z_pad | message | 0080 | 00 | tag').
            let input := add(check, CHECK_BLOCK)
            mstore(input, 0)
            mstore(add(input, 32), 0)
            // Where the tag stands.
            let tagAt := add(add(input, 67), length)
            mstore(sub(tagAt, 3), shl(232, 0x008000))
            mstore(tagAt, tag)
            mstore(add(tagAt, 32), tagEnd)
            pop(staticcall(gas(), 0x02, input, add(sub(tagAt, input), tagBytes), 0x00, 32))

            // b_i = H((b_0 xor b_{i-1}) | i | tag'), with no b_{i-1} for the first. The tag stands where it was.
            uniform := add(check, CHECK_NUMBERS)
            let b0 := mload(0x00)
            input := sub(tagAt, 33)
            tagAt := sub(tagAt, 1)
            tagBytes := add(tagBytes, 33)
            mstore(input, b0)
            mstore8(tagAt, 1)
            pop(staticcall(gas(), 0x02, input, tagBytes, uniform, 32))
            mstore(input, xor(b0, mload(uniform)))
            mstore8(tagAt, 2)
            pop(staticcall(gas(), 0x02, input, tagBytes, add(uniform, 32), 32))
            mstore(input, xor(b0, mload(add(uniform, 32))))
            mstore8(tagAt, 3)
            pop(staticcall(gas(), 0x02, input, tagBytes, add(uniform, 64), 32))
            mstore(input, xor(b0, mload(add(uniform, 64))))
            mstore8(tagAt, 4)
            pop(staticcall(gas(), 0x02, input, tagBytes, add(uniform, 96), 32))
        }
        // Two field elements, each mapped to the curve; their sum is the hash.
        reduce(uniform);
        uint256 second;
        assembly ("memory-safe") {
            second := add(uniform, 64)
        }
        reduce(second);
        assembly ("memory-safe") {
            let points := add(check, CHECK_POINTS)
            pop(staticcall(gas(), 0x10, uniform, 64, points, 128))
            pop(staticcall(gas(), 0x10, second, 64, add(points, 128), 128))
            pop(staticcall(gas(), 0x0b, points, 256, add(check, CHECK_HASH), 128))
        }
    }

    /// Whether the hash is not the point at infinity.
    function hasHash(SignatureCheck check) internal pure returns (bool has) {
        assembly ("memory-safe") {
            let hash := add(check, CHECK_HASH)
            has := gt(or(or(mload(hash), mload(add(hash, 32))), or(mload(add(hash, 64)), mload(add(hash, 96)))), 0)
        }
    }

    /// Adds `b` to `a`, in place. Both must be on the curve.
    function addTo(G2Point memory a, G2Point memory b) internal view {
        uint256 ok;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, a, 256)
            mcopy(add(input, 256), b, 256)
            ok := staticcall(gas(), 0x0d, input, 512, a, 256)
            ok := and(ok, eq(returndatasize(), 256))
        }
        if (ok == 0) revert IAvailability.PrecompileFailed();
    }

    /// Negates a point in place.
    function negate(G2Point memory a) internal pure {
        (a.yC0Hi, a.yC0Lo) = _negate(a.yC0Hi, a.yC0Lo);
        (a.yC1Hi, a.yC1Lo) = _negate(a.yC1Hi, a.yC1Lo);
    }

    /// The 96-byte encoding of a key: `x.c1 | x.c0` with the flags of the ZCash format in the first byte. The point must
    /// be on the curve with coordinates in the field, and not infinity.
    function compress(G2Point memory a) internal pure returns (bytes memory encoded) {
        // `y` is compared with `-y` by its most significant coefficient that is not zero.
        bool larger = a.yC1Hi | a.yC1Lo != 0 ? _isAboveHalf(a.yC1Hi, a.yC1Lo) : _isAboveHalf(a.yC0Hi, a.yC0Lo);
        encoded = abi.encodePacked(uint128(a.xC1Hi), a.xC1Lo, uint128(a.xC0Hi), a.xC0Lo);
        encoded[0] |= larger ? bytes1(0xa0) : bytes1(0x80);
    }

    /// Whether the point is the identity.
    function isInfinity(G2Point memory a) internal pure returns (bool) {
        return (a.xC0Hi | a.xC0Lo | a.xC1Hi | a.xC1Lo | a.yC0Hi | a.yC0Lo | a.yC1Hi | a.yC1Lo) == 0;
    }

    /// Whether the point of G1 at this place of the calldata has the right form: both coordinates below the modulus,
    /// which includes that the 16 bytes before each are zero, and not infinity.
    function isCanonical(uint256 from) internal pure returns (bool canonical) {
        assembly ("memory-safe") {
            let xHi := calldataload(from)
            let xLo := calldataload(add(from, 32))
            let yHi := calldataload(add(from, 64))
            let yLo := calldataload(add(from, 96))
            canonical := and(
                and(
                    or(lt(xHi, P_HI), and(eq(xHi, P_HI), lt(xLo, P_LO))),
                    or(lt(yHi, P_HI), and(eq(yHi, P_HI), lt(yLo, P_LO)))
                ),
                gt(or(or(xHi, xLo), or(yHi, yLo)), 0)
            )
        }
    }

    /// Replaces the number of 64 bytes at this place of the memory by its remainder modulo p.
    function reduce(uint256 place) internal pure {
        assembly ("memory-safe") {
            let hi := mload(place)
            let lo := mload(add(place, 32))
            // The quotient: the upper half of hi * 2^512 / p, at most 2 too small. The upper half of a product is what
            // it is modulo 2^256 - 1, less the lower half, less a borrow.
            let product := mul(hi, P_RECIPROCAL)
            let modulo := mulmod(hi, P_RECIPROCAL, not(0))
            let quotient := sub(sub(modulo, product), lt(modulo, product))
            // What remains is below 3p, so it fits 512 bits and so does each step that wraps around.
            product := mul(quotient, P_LO)
            modulo := mulmod(quotient, P_LO, not(0))
            hi := sub(sub(hi, mul(quotient, P_HI)), sub(sub(modulo, product), lt(modulo, product)))
            hi := sub(hi, lt(lo, product))
            lo := sub(lo, product)
            for {} or(gt(hi, P_HI), and(eq(hi, P_HI), iszero(lt(lo, P_LO)))) {} {
                hi := sub(sub(hi, P_HI), lt(lo, P_LO))
                lo := sub(lo, P_LO)
            }
            mstore(place, hi)
            mstore(add(place, 32), lo)
        }
    }

    /// A call forwards at most 63/64 of what is left. RESERVE_GAS also covers the few instructions up to the call.
    function _needGas(uint256 amount) private view {
        if (gasleft() <= amount * 64 / 63 + RESERVE_GAS) revert IAvailability.InsufficientGas();
    }

    function _negate(uint256 hi, uint256 lo) private pure returns (uint256, uint256) {
        if (hi | lo == 0) return (0, 0);
        unchecked {
            return (P_HI - hi - (lo > P_LO ? 1 : 0), P_LO - lo);
        }
    }

    function _isAboveHalf(uint256 hi, uint256 lo) private pure returns (bool) {
        return hi > HALF_HI || (hi == HALF_HI && lo > HALF_LO);
    }
}
