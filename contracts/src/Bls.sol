// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// A point of G1, laid out in memory exactly as EIP-2537 wants it: each coordinate is 64 bytes, 16 of them zero.
/// Infinity is all zeros.
struct G1Point {
    uint256 xHi;
    uint256 xLo;
    uint256 yHi;
    uint256 yLo;
}

/// A point of G2 as EIP-2537 wants it: an element of Fp2 is `c0 | c1` (compressed keys are the other way round).
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
/// Every precompile except the pairing is only ever called on input that this library has made valid, so that its
/// failure means lack of gas (or a chain without EIP-2537) and reverts. The pairing judges points that a stranger
/// chose: its failure is an answer, and the gas it may burn is bounded.
library Bls {
    /// A precompile failed on valid input: too little gas, or this chain does not have EIP-2537.
    error PrecompileFailed();
    /// Too little gas was sent to let the pairing decide.
    error InsufficientGas();

    /// Domain separation tag of signatures on statements.
    bytes internal constant SIGNATURE_DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    /// Domain separation tag of proofs of possession.
    bytes internal constant POSSESSION_DST = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    /// Gas given to the pairing, which needs 102,900 today. A point that is malformed burns all of it, so it also
    /// bounds what a bad certificate costs; the distance between the two is the room for a change of prices.
    uint256 internal constant PAIRING_GAS = 300_000;
    /// Gas that must remain after a pairing that burnt all it was given, so that the answer can still be returned.
    uint256 internal constant RESERVE_GAS = 20_000;

    /// The field's modulus: 16 bytes, then 32.
    uint256 internal constant P_HI = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 internal constant P_LO = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    /// (p - 1) / 2: of `y` and `-y` the larger one is the one above it.
    uint256 private constant HALF_HI = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LO = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    /// Whether `signature` is `key`'s on the message whose hash to G1 is `hash`:
    /// e(signature, -generator) * e(hash, key) = 1.
    ///
    /// Both pairs are checked by the precompile for curve and subgroup; infinity is the caller's to refuse. Reverts if
    /// there is not gas enough for the pairing to fail by itself, so that whoever picks the gas limit cannot turn a
    /// good signature into a bad one.
    function isSigned(G1Point memory signature, G1Point memory hash, G2Point memory key)
        internal
        view
        returns (bool signed)
    {
        // A call forwards at most 63/64 of what is left. RESERVE_GAS also covers the few instructions up to the call.
        if (gasleft() <= PAIRING_GAS * 64 / 63 + RESERVE_GAS) revert InsufficientGas();
        uint256 answered;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, signature, 128)
            // The generator of G2, negated.
            mstore(add(input, 0x080), 0x00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051)
            mstore(add(input, 0x0a0), 0xc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8)
            mstore(add(input, 0x0c0), 0x0000000000000000000000000000000013e02b6052719f607dacd3a088274f65)
            mstore(add(input, 0x0e0), 0x596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e)
            mstore(add(input, 0x100), 0x000000000000000000000000000000000d1b3cc2c7027888be51d9ef691d77bc)
            mstore(add(input, 0x120), 0xb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa)
            mstore(add(input, 0x140), 0x0000000000000000000000000000000013fa4d4a0ad8b1ce186ed5061789213d)
            mstore(add(input, 0x160), 0x993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed)
            mcopy(add(input, 0x180), hash, 128)
            mcopy(add(input, 0x200), key, 256)
            switch staticcall(PAIRING_GAS, 0x0f, input, 768, 0x00, 32)
            case 0 { answered := 1 }
            default {
                answered := eq(returndatasize(), 32)
                signed := eq(mload(0x00), 1)
            }
        }
        if (answered == 0) revert PrecompileFailed();
    }

    /// Hashes a message to G1: `BLS12381G1_XMD:SHA-256_SSWU_RO_` of RFC 9380 with the given tag (at most 255 bytes).
    function hashToG1(bytes memory message, bytes memory dst) internal view returns (G1Point memory point) {
        uint256 ok;
        assembly ("memory-safe") {
            // reduction: what MODEXP reads to take 64 bytes modulo p: three lengths, base, exponent 1, modulus.
            let reduction := mload(0x40)
            mstore(reduction, 64)
            mstore(add(reduction, 32), 1)
            mstore(add(reduction, 64), 48)
            mstore8(add(reduction, 160), 1)
            mstore(add(reduction, 161), shl(128, P_HI))
            mstore(add(reduction, 177), P_LO)

            // expand_message_xmd (section 5.3.1) for 128 bytes: b_0 = H(Z_pad | message | 0080 | 00 | tag').
            let tagLength := mload(dst)
            let input := add(reduction, 224)
            mstore(input, 0)
            mstore(add(input, 32), 0)
            let end := add(input, 64)
            mcopy(end, add(message, 32), mload(message))
            end := add(end, mload(message))
            mstore(end, shl(232, 0x008000))
            end := add(end, 3)
            mcopy(end, add(dst, 32), tagLength)
            end := add(end, tagLength)
            mstore8(end, tagLength)
            ok := staticcall(gas(), 0x02, input, sub(add(end, 1), input), 0x00, 32)
            let b0 := mload(0x00)

            // b_i = H((b_0 xor b_{i-1}) | i | tag'), with no b_{i-1} for the first.
            mcopy(add(input, 33), add(dst, 32), tagLength)
            mstore8(add(add(input, 33), tagLength), tagLength)
            let inputLength := add(tagLength, 34)
            let uniform := add(reduction, 96)
            mstore(input, b0)
            mstore8(add(input, 32), 1)
            ok := and(ok, staticcall(gas(), 0x02, input, inputLength, uniform, 32))
            mstore(input, xor(b0, mload(uniform)))
            mstore8(add(input, 32), 2)
            ok := and(ok, staticcall(gas(), 0x02, input, inputLength, add(uniform, 32), 32))
            mstore(input, xor(b0, mload(add(uniform, 32))))
            mstore8(add(input, 32), 3)
            // The last two are kept out of the way of the first reduction.
            ok := and(ok, staticcall(gas(), 0x02, input, inputLength, 0x00, 32))
            let b3 := mload(0x00)
            mstore(input, xor(b0, b3))
            mstore8(add(input, 32), 4)
            ok := and(ok, staticcall(gas(), 0x02, input, inputLength, 0x00, 32))
            let b4 := mload(0x00)

            // Two field elements, each mapped to the curve; their sum is the hash. `input` is free again.
            mstore(input, 0)
            ok := and(ok, staticcall(gas(), 0x05, reduction, 209, add(input, 16), 48))
            ok := and(ok, staticcall(gas(), 0x10, input, 64, add(input, 64), 128))
            mstore(uniform, b3)
            mstore(add(uniform, 32), b4)
            ok := and(ok, staticcall(gas(), 0x05, reduction, 209, add(input, 16), 48))
            ok := and(ok, staticcall(gas(), 0x10, input, 64, add(input, 192), 128))
            ok := and(ok, staticcall(gas(), 0x0b, add(input, 64), 256, point, 128))
            // Where there is no precompile a call succeeds and returns nothing.
            ok := and(ok, eq(returndatasize(), 128))
        }
        if (ok == 0) revert PrecompileFailed();
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
        if (ok == 0) revert PrecompileFailed();
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

    /// Whether the point is the identity.
    function isInfinity(G1Point memory a) internal pure returns (bool) {
        return (a.xHi | a.xLo | a.yHi | a.yLo) == 0;
    }

    /// Whether both coordinates are below the modulus, which includes that the 16 bytes before each are zero.
    function isInField(G1Point memory a) internal pure returns (bool) {
        return _isInField(a.xHi, a.xLo) && _isInField(a.yHi, a.yLo);
    }

    function _negate(uint256 hi, uint256 lo) private pure returns (uint256, uint256) {
        if (hi | lo == 0) return (0, 0);
        unchecked {
            return (P_HI - hi - (lo > P_LO ? 1 : 0), P_LO - lo);
        }
    }

    function _isInField(uint256 hi, uint256 lo) private pure returns (bool) {
        return hi < P_HI || (hi == P_HI && lo < P_LO);
    }

    function _isAboveHalf(uint256 hi, uint256 lo) private pure returns (bool) {
        return hi > HALF_HI || (hi == HALF_HI && lo > HALF_LO);
    }
}
