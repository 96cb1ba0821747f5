"""Holdfast's coding and commitment in plain Python, written from docs/protocol.md alone.

Slow where Rust is fast, and short enough to be read beside the protocol. Standard library only. Used by
`reader.py` (the independent reader) and `golden/generate.py` (the golden vectors); it shares nothing with the Rust
code, so that an agreement between the two means that the protocol page was enough to build both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256 as _sha256

LEAF_BYTES = 4096
GROUP_BYTES = 128
FINGERPRINT_BYTES = 128
ROW_BYTES = 2 * FINGERPRINT_BYTES
MAX_SHARDS = 126
HOUR = 3600

BLOB_TYPE = (
    "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,"
    "bytes32 shardsRoot,bytes32 fingerprintsHash)"
)
AVAILABILITY_TYPE = (
    "Availability(bytes32 namespace,uint64 epoch,Blob blob,uint64 wholeUntil,uint64 retainUntil)" + BLOB_TYPE
)
CHECKPOINT_TYPE = (
    "Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)"
)
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


# --- Hashes -----------------------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return _sha256(data).digest()


def _keccak_constants() -> tuple[list[int], list[tuple[int, int, int]]]:
    """Round constants, and (from lane, to lane, rotation) of rho and pi together (FIPS 202, section 3.2)."""
    constants, lfsr = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if lfsr & 1:
                constant |= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
        constants.append(constant)
    moves, x, y = [(0, 0, 0)], 1, 0
    for step in range(24):
        rotation = (step + 1) * (step + 2) // 2 % 64
        moves.append((x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), rotation))
        x, y = y, (2 * x + 3 * y) % 5
    return constants, moves


_ROUND_CONSTANTS, _MOVES = _keccak_constants()
_MASK = (1 << 64) - 1


def _keccak_f(lanes: list[int]) -> list[int]:
    moved = [0] * 25
    for constant in _ROUND_CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        parity = []
        for x in range(5):
            right = columns[x - 4]
            parity.append(columns[x - 1] ^ ((right << 1 | right >> 63) & _MASK))
        for source, target, rotation in _MOVES:
            lane = lanes[source] ^ parity[source % 5]
            moved[target] = (lane << rotation | lane >> (64 - rotation)) & _MASK
        lanes = []
        for y in (0, 5, 10, 15, 20):
            a, b, c, d, e = moved[y : y + 5]
            lanes += [a ^ (~b & c), b ^ (~c & d), c ^ (~d & e), d ^ (~e & a), e ^ (~a & b)]
        lanes[0] ^= constant
    return lanes


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: the original padding, where SHA3-256 pads from 0x06."""
    return keccak_sponge(data, 0x01)


def keccak_sponge(data: bytes, first_padding_byte: int) -> bytes:
    rate = 136
    padding = bytearray(rate - len(data) % rate)
    padding[0] |= first_padding_byte
    padding[-1] |= 0x80
    data = bytes(data) + padding
    lanes = [0] * 25
    for start in range(0, len(data), rate):
        for lane in range(17):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(data[at : at + 8], "little")
        lanes = _keccak_f(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


# --- Reed-Solomon over GF(2^8), protocol section 2 --------------------------------------------------------------


def _multiplication_tables() -> tuple[list[bytes], list[int]]:
    """`tables[c]` maps a byte to its product with c, for bytes.translate; `inverse[c]` is 1 / c."""
    exponent, logarithm, value = [], [0] * 256, 1
    for power in range(255):
        exponent.append(value)
        logarithm[value] = power
        value <<= 1
        if value & 0x100:
            value ^= 0x11D
    exponent += exponent
    tables = [bytes(256)]
    for c in range(1, 256):
        tables.append(bytes([0] + [exponent[logarithm[c] + logarithm[b]] for b in range(1, 256)]))
    return tables, [0] + [exponent[255 - logarithm[c]] for c in range(1, 256)]


_TIMES, _INVERSE = _multiplication_tables()


def combine(coefficients: Iterable[int], rows: Sequence[bytes]) -> bytes:
    """The sum over GF(2^8) of rows[i] * coefficients[i]."""
    total = 0
    for coefficient, row in zip(coefficients, rows, strict=True):
        if coefficient:
            total ^= int.from_bytes(row.translate(_TIMES[coefficient]), "little")
    return total.to_bytes(len(rows[0]), "little")


def invert(matrix: Sequence[bytes]) -> list[bytes]:
    """The inverse of a square matrix of bytes, by Gauss-Jordan elimination."""
    size = len(matrix)
    rows = [bytes(row) + bytes(int(i == j) for j in range(size)) for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = rows[column].translate(_TIMES[_INVERSE[rows[column][column]]])
        for i in range(size):
            if i != column and rows[i][column]:
                rows[i] = combine((1, rows[i][column]), (rows[i], rows[column]))
    return [row[size:] for row in rows]


def coding_matrix(original: int, total: int) -> list[bytes]:
    """total x original. Vandermonde V[r][c] = r^c (with 0^0 = 1), times the inverse of its top square."""
    vandermonde = []
    for r in range(total):
        row = [1]
        while len(row) < original:
            row.append(_TIMES[r][row[-1]])
        vandermonde.append(bytes(row))
    top = invert(vandermonde[:original])
    return [combine(row, top) for row in vandermonde]


def extend(matrix: Sequence[bytes], originals: Sequence[bytes]) -> list[bytes]:
    """All rows of the code, the originals first. Works for shards and for their fingerprints alike."""
    return list(originals) + [combine(row, originals) for row in matrix[len(originals) :]]


def decode(matrix: Sequence[bytes], shards: dict[int, bytes]) -> list[bytes]:
    """The original shards from exactly as many shards as there are originals, given by index."""
    indices = sorted(shards)
    inverse = invert([matrix[i] for i in indices])
    rows = [shards[i] for i in indices]
    return [shards[i] if i in shards else combine(inverse[i], rows) for i in range(len(indices))]


def shard_length(payload_length: int, original: int) -> int:
    share = -(-payload_length // original)
    return -(-share // GROUP_BYTES) * GROUP_BYTES


def cut(payload: bytes, original: int) -> list[bytes]:
    """The payload, padded with zeros, as `original` contiguous shards."""
    length = shard_length(len(payload), original)
    padded = payload + bytes(original * length - len(payload))
    return [padded[i * length : (i + 1) * length] for i in range(original)]


def shard_of_slot(slot: int, total: int, shards_root: bytes) -> int:
    return (slot + int.from_bytes(shards_root[:2], "big") % total) % total


# --- Merkle trees of RFC 6962, protocol section 3 ---------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def tree_root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    middle = _split(len(hashes))
    return node_hash(tree_root(hashes[:middle]), tree_root(hashes[middle:]))


def tree_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Sibling hashes from leaf `index` up to the root (the audit path of RFC 6962, section 2.1.1)."""
    if len(hashes) == 1:
        return []
    middle = _split(len(hashes))
    if index < middle:
        return tree_path(hashes[:middle], index) + [tree_root(hashes[middle:])]
    return tree_path(hashes[middle:], index - middle) + [tree_root(hashes[:middle])]


def leaves(shard: bytes) -> list[bytes]:
    return [shard[at : at + LEAF_BYTES] for at in range(0, len(shard), LEAF_BYTES)]


def shard_root(shard: bytes) -> bytes:
    return tree_root([leaf_hash(leaf) for leaf in leaves(shard)])


def shards_root(shard_roots: Sequence[bytes]) -> bytes:
    return tree_root([leaf_hash(root) for root in shard_roots])


# --- Fingerprints, protocol section 3 ---------------------------------------------------------------------------

# x^128 + x^127 + x^126 + x^121 + 1. Elements are integers, bit i the coefficient of x^i.
_POLYVAL_MODULUS = 1 << 128 | 1 << 127 | 1 << 126 | 1 << 121 | 1


def polyval_dot(a: int, b: int) -> int:
    """a * b * x^-128 (RFC 8452, section 3)."""
    product = 0
    while b:
        lowest = b & -b
        product ^= a * lowest
        b ^= lowest
    for _ in range(128):
        # The modulus has the constant term 1, so adding it makes the product divisible by x.
        if product & 1:
            product ^= _POLYVAL_MODULUS
        product >>= 1
    return product


class Polyval:
    """POLYVAL under one key, with a table of the key's products for each byte at each of 16 places."""

    def __init__(self, key: bytes):
        point = int.from_bytes(key, "little")
        self.tables = []
        for place in range(16):
            table = [0]
            for bit in range(8):
                product = polyval_dot(1 << (8 * place + bit), point)
                table += [entry ^ product for entry in table]
            self.tables.append(table)

    def hash(self, blocks: bytes) -> int:
        """The hash of whole 16-byte blocks, as an integer (`to_bytes(16, "little")` gives RFC 8452's bytes)."""
        t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15 = self.tables
        total = 0
        for at in range(0, len(blocks), 16):
            mixed = total ^ int.from_bytes(blocks[at : at + 16], "little")
            b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15 = mixed.to_bytes(16, "little")
            total = (
                t0[b0] ^ t1[b1] ^ t2[b2] ^ t3[b3] ^ t4[b4] ^ t5[b5] ^ t6[b6] ^ t7[b7]
                ^ t8[b8] ^ t9[b9] ^ t10[b10] ^ t11[b11] ^ t12[b12] ^ t13[b13] ^ t14[b14] ^ t15[b15]
            )  # fmt: skip
        return total


_PLANE_DIGITS = [bytes(ord("0") + (byte >> plane & 1) for byte in range(256)) for plane in range(8)]


def bit_planes(shard: bytes) -> list[bytes]:
    """Eight strings of len(shard) / 8 bytes; bit i of string p (least significant first) is bit p of shard byte i."""
    backwards = shard[::-1]
    return [int(backwards.translate(digits), 2).to_bytes(len(shard) // 8, "little") for digits in _PLANE_DIGITS]


def fingerprint_points(total: int, original: int, payload_length: int, root: bytes) -> list[bytes]:
    return [
        sha256(
            b"holdfast/v1/fingerprint"
            + bytes([j])
            + total.to_bytes(2, "big")
            + original.to_bytes(2, "big")
            + payload_length.to_bytes(4, "big")
            + root
        )[:16]
        for j in (0, 1)
    ]


class Fingerprinter:
    """Both fingerprints of a shard, under the two points of one commitment."""

    def __init__(self, points: Sequence[bytes]):
        self.hashes = [Polyval(point) for point in points]

    def row(self, shard: bytes) -> bytes:
        """The two fingerprints of `shard`, 256 bytes: bit p of byte u is bit u of plane p's POLYVAL."""
        planes = bit_planes(shard)
        row = bytearray()
        for polyval in self.hashes:
            words = [polyval.hash(plane) for plane in planes]
            row += bytes(sum((words[p] >> u & 1) << p for p in range(8)) for u in range(FINGERPRINT_BYTES))
        return bytes(row)


# --- EIP-712, protocol sections 3 and 4 -------------------------------------------------------------------------


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def domain_separator(chain_id: int, registry: bytes, name: bytes = b"Holdfast") -> bytes:
    return keccak256(
        keccak256(DOMAIN_TYPE.encode()) + keccak256(name) + keccak256(b"1") + _word(chain_id) + bytes(12) + registry
    )


@dataclass(frozen=True)
class Blob:
    payload_length: int
    payload_digest: bytes
    original_shards: int
    total_shards: int
    shards_root: bytes
    fingerprints_hash: bytes

    def id(self) -> bytes:
        return keccak256(
            keccak256(BLOB_TYPE.encode())
            + _word(self.payload_length)
            + self.payload_digest
            + _word(self.original_shards)
            + _word(self.total_shards)
            + self.shards_root
            + self.fingerprints_hash
        )

    def by_payload(self) -> bool:
        return any(self.payload_digest)

    def shard_length(self) -> int:
        return shard_length(self.payload_length, self.original_shards)


@dataclass(frozen=True)
class Statement:
    namespace: bytes
    epoch: int
    blob: Blob
    whole_until: int
    retain_until: int

    def digest(self, separator: bytes) -> bytes:
        struct = keccak256(
            keccak256(AVAILABILITY_TYPE.encode())
            + self.namespace
            + _word(self.epoch)
            + self.blob.id()
            + _word(self.whole_until)
            + _word(self.retain_until)
        )
        return keccak256(b"\x19\x01" + separator + struct)

    def encode(self) -> bytes:
        """The certificate's bytes up to the bitmap: version and statement."""
        return (
            b"\x01"
            + self.namespace
            + self.epoch.to_bytes(8, "big")
            + self.blob.payload_length.to_bytes(4, "big")
            + self.blob.payload_digest
            + self.blob.original_shards.to_bytes(2, "big")
            + self.blob.total_shards.to_bytes(2, "big")
            + self.blob.shards_root
            + self.blob.fingerprints_hash
            + self.whole_until.to_bytes(8, "big")
            + self.retain_until.to_bytes(8, "big")
        )


@dataclass(frozen=True)
class Checkpoint:
    namespace: bytes
    epoch: int
    blobs_root: bytes
    count: int
    retain_until: int

    def digest(self, separator: bytes) -> bytes:
        struct = keccak256(
            keccak256(CHECKPOINT_TYPE.encode())
            + self.namespace
            + _word(self.epoch)
            + self.blobs_root
            + _word(self.count)
            + _word(self.retain_until)
        )
        return keccak256(b"\x19\x01" + separator + struct)

    def encode(self) -> bytes:
        """The bytes that a signed checkpoint and a proof begin with."""
        return (
            b"\xc1"
            + self.namespace
            + self.epoch.to_bytes(8, "big")
            + self.blobs_root
            + self.count.to_bytes(4, "big")
            + self.retain_until.to_bytes(8, "big")
        )
