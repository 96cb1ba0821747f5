"""Messages of holdfast.v1 by hand: what the independent reader needs of Protocol Buffers, and no more.

Numbers and types of the fields are those of proto/proto/holdfast/v1/types.proto and retrieval.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import holdfast_reference as reference
from holdfast_reference import ROW_BYTES, Blob


class Lie(Exception):
    """What a member sent contradicts the certificate, or is no message at all."""


@dataclass
class Held:
    """What a member says of a blob, after it was checked against the blob."""

    indices: list[int]
    shard_roots: list[bytes]
    rows: list[bytes]


def blob_request(blob: Blob) -> bytes:
    """GetBlobRequest."""
    return bytes_field(1, blob.id())


def shard_request(blob: Blob, index: int) -> bytes:
    """GetShardRequest."""
    return bytes_field(1, blob.id()) + number_field(2, index)


def parse_chunk(message: bytes) -> bytes:
    """GetShardResponse."""
    return last(parse_message(message), 1, bytes, b"")


def parse_blob_response(message: bytes, blob: Blob) -> Held:
    """GetBlobResponse, whose commitment must be this blob's in every part."""
    response = parse_message(message)
    commitment = parse_message(last(response, 1, bytes, b""))
    if parse_blob(last(commitment, 1, bytes, b"")).id() != blob.id():
        raise Lie("its blob has another blob id")
    roots = last(commitment, 2, bytes, b"")
    rows = last(commitment, 3, bytes, b"")
    if len(roots) != 32 * blob.total_shards:
        raise Lie(f"shard roots: expected {32 * blob.total_shards} bytes, got {len(roots)}")
    if len(rows) != ROW_BYTES * blob.original_shards:
        raise Lie(f"fingerprints: expected {ROW_BYTES * blob.original_shards} bytes, got {len(rows)}")
    shard_roots = [roots[at : at + 32] for at in range(0, len(roots), 32)]
    if reference.shards_root(shard_roots) != blob.shards_root:
        raise Lie("its shard roots are not the committed ones")
    if reference.sha256(rows) != blob.fingerprints_hash:
        raise Lie("its fingerprints are not the committed ones")
    indices = {index for value in response.get(2, []) for index in unpacked(value)}
    if any(index >= blob.total_shards for index in indices):
        raise Lie(f"it holds shards that do not exist: {sorted(indices)}")
    return Held(sorted(indices), shard_roots, [rows[at : at + ROW_BYTES] for at in range(0, len(rows), ROW_BYTES)])


def parse_blob(message: bytes) -> Blob:
    fields = parse_message(message)
    numbers = {tag: last(fields, tag, int, 0) for tag in (1, 3, 4)}
    hashes = {tag: last(fields, tag, bytes, b"") for tag in (2, 5, 6)}
    if any(value >> 32 for value in numbers.values()) or any(len(value) != 32 for value in hashes.values()):
        raise Lie("its blob is malformed")
    return Blob(numbers[1], hashes[2], numbers[3], numbers[4], hashes[5], hashes[6])


def parse_message(message: bytes) -> dict[int, list[int | bytes]]:
    """Every field's values in order: numbers for varints, bytes for the rest. Unknown fields do no harm."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        wire_type = key & 7
        if wire_type == 0:
            value, at = varint(message, at)
        else:
            if wire_type == 2:
                length, at = varint(message, at)
            elif wire_type in (1, 5):
                length = 8 if wire_type == 1 else 4
            else:
                raise Lie(f"malformed message: wire type {wire_type}")
            value, at = message[at : at + length], at + length
            if at > len(message):
                raise Lie("malformed message: cut short")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise Lie("malformed message: bad number")


def last(fields: dict, tag: int, kind: type, default):
    """A singular field's value: its last occurrence, or proto3's default."""
    value = fields.get(tag, [default])[-1]
    if not isinstance(value, kind):
        raise Lie(f"malformed message: field {tag} has another type")
    return value


def unpacked(value: int | bytes) -> Iterator[int]:
    """The numbers of one occurrence of a repeated field, packed or not."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = varint(value, at)
        yield number


def encoded_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def bytes_field(tag: int, value: bytes) -> bytes:
    return encoded_varint(tag << 3 | 2) + encoded_varint(len(value)) + value


def number_field(tag: int, value: int) -> bytes:
    return encoded_varint(tag << 3) + encoded_varint(value)
