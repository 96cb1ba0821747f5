"""BLS12-381 and secp256k1 as docs/protocol.md section 4 uses them, over PyPI py_ecc (see README.md)."""

import hashlib

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.optimized_bls12_381 import G2, add, curve_order, field_modulus, is_inf, multiply, neg, normalize, pairing
from py_ecc.secp256k1 import secp256k1

from holdfast_reference import keccak256, sha256

SIGNATURE_SUITE = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POSSESSION_SUITE = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"

HIGHEST_BIT = 1 << 383
# Compressed points of G1's curve with a small x, in and out of the subgroup, on the curve and off it.
SMALL_X = range(HIGHEST_BIT + 1, HIGHEST_BIT + 99)


def hash_to_point(message: bytes, suite: bytes):
    return hash_to_G1(message, suite, hashlib.sha256)


class SecretKey:
    def __init__(self, label: str):
        """A key that anybody can derive again: SHA-256 of the label, reduced by the group order."""
        self.scalar = int.from_bytes(sha256(label.encode()), "big") % curve_order
        self.public = multiply(G2, self.scalar)

    def to_bytes(self) -> bytes:
        return self.scalar.to_bytes(32, "big")

    def sign(self, message: bytes):
        return multiply(hash_to_point(message, SIGNATURE_SUITE), self.scalar)

    def prove_possession(self, chain_id: int, registry: bytes, account: bytes):
        message = possession_message(self.public, chain_id, registry, account)
        return multiply(hash_to_point(message, POSSESSION_SUITE), self.scalar)


def possession_message(public, chain_id: int, registry: bytes, account: bytes) -> bytes:
    return g2_compressed(public) + chain_id.to_bytes(32, "big") + registry + account


def verify(public, message: bytes, signature, suite: bytes = SIGNATURE_SUITE) -> bool:
    return pairing(G2, signature) == pairing(public, hash_to_point(message, suite))


def total(points):
    result = points[0]
    for point in points[1:]:
        result = add(result, point)
    return result


def g1_compressed(point) -> bytes:
    return int(compress_G1(point)).to_bytes(48, "big")


def g2_compressed(point) -> bytes:
    return b"".join(int(half).to_bytes(48, "big") for half in compress_G2(point))


def g1_eip2537(point) -> bytes:
    x, y = normalize(point)
    return b"".join(int(value).to_bytes(64, "big") for value in (x, y))


def g2_eip2537(point) -> bytes:
    """x.c0 | x.c1 | y.c0 | y.c1, where the compressed form above puts c1 before c0."""
    x, y = normalize(point)
    return b"".join(int(value).to_bytes(64, "big") for value in (*x.coeffs, *y.coeffs))


def refused_g1() -> list[dict]:
    """Encodings of 48 bytes that are no signature, whatever was signed."""
    valid = int.from_bytes(g1_compressed(hash_to_point(b"valid", SIGNATURE_SUITE)), "big")
    x = valid % (1 << 381)
    encodings = {
        "infinity": HIGHEST_BIT | 1 << 382,
        "infinity with a sign bit": HIGHEST_BIT | 1 << 382 | 1 << 381,
        "infinity with a coordinate": HIGHEST_BIT | 1 << 382 | x,
        "not marked as compressed": valid ^ HIGHEST_BIT,
        "x is the field modulus": HIGHEST_BIT | field_modulus,
        "x past the field modulus": HIGHEST_BIT | field_modulus + 4,
        "not on the curve": next(z for z in SMALL_X if outside(decompress_G1, z)),
        "not in the subgroup": next(z for z in SMALL_X if stray(decompress_G1, z)),
        "x is zero, a point of order three": HIGHEST_BIT,
        "all zero": 0,
    }
    return [{"name": name, "compressed": "0x" + z.to_bytes(48, "big").hex()} for name, z in encodings.items()]


def refused_g2() -> list[dict]:
    """Encodings of 96 bytes that are no public key."""
    valid = g2_compressed(multiply(G2, 5))
    first, second = (int.from_bytes(half, "big") for half in (valid[:48], valid[48:]))
    encodings = {
        "infinity": (HIGHEST_BIT | 1 << 382, 0),
        "infinity with a coordinate": (HIGHEST_BIT | 1 << 382, second),
        "not marked as compressed": (first ^ HIGHEST_BIT, second),
        "c1 is the field modulus": (HIGHEST_BIT | field_modulus, second),
        "c0 is the field modulus": (first, field_modulus),
        "c0 carries a flag": (first, second | HIGHEST_BIT),
        "not on the curve": (HIGHEST_BIT, next(c for c in range(1, 99) if outside(decompress_G2, (HIGHEST_BIT, c)))),
        "not in the subgroup": (HIGHEST_BIT, next(c for c in range(1, 99) if stray(decompress_G2, (HIGHEST_BIT, c)))),
        "all zero": (0, 0),
    }
    return [
        {"name": name, "compressed": "0x" + b"".join(z.to_bytes(48, "big") for z in halves).hex()}
        for name, halves in encodings.items()
    ]


def outside(decompress, encoding) -> bool:
    try:
        decompress(encoding)
    except ValueError:
        return True
    return False


def stray(decompress, encoding) -> bool:
    """On the curve, but not in the subgroup of the right order."""
    return not outside(decompress, encoding) and not is_inf(multiply(decompress(encoding), curve_order))


def stray_g1_point():
    return next(decompress_G1(z) for z in SMALL_X if stray(decompress_G1, z))


class DisperserKey:
    def __init__(self, label: str):
        self.secret = sha256(label.encode())
        self.public = secp256k1.privtopub(self.secret)

    def address(self) -> bytes:
        return keccak256(b"".join(value.to_bytes(32, "big") for value in self.public))[12:]

    def sign(self, digest: bytes) -> bytes:
        """r | s | v over the digest itself, deterministic (RFC 6979), s low, v 27 or 28."""
        v, r, s = secp256k1.ecdsa_raw_sign(digest, self.secret)
        if secp256k1.ecdsa_raw_recover(digest, (v, r, s)) != self.public or 2 * s >= secp256k1.N:
            raise AssertionError("disperser signature does not recover to its key with a low s")
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
