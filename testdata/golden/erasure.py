"""erasure.json: payloads, their shards, roots, fingerprints, blob ids and leaf openings."""

import random

import holdfast_reference as reference
from holdfast_reference import Blob, keccak256, sha256

CODES = [(1, 3), (2, 5), (2, 7), (3, 10), (4, 7), (34, 100), (86, 126)]
SHARDS_IN_FULL_BYTES = 4096


def lengths(original: int) -> list[int]:
    """Payload lengths on both sides of every boundary: one group, one group a shard, one leaf a shard."""
    if original > 10:
        return [1, original * 128 + 1, original * 4096, original * 4097]
    edges = [1, 127, 128, 129]
    edges += [original * 128 - 1, original * 128, original * 128 + 1]
    edges += [original * 3968, original * 3968 + 1, original * 4095, original * 4096, original * 4096 + 1]
    edges += [original * 4097, 3 * original * 4096]
    return sorted(set(edges))


def payload_bytes(seed: int, length: int) -> bytes:
    stream = bytearray()
    counter = 0
    while len(stream) < length:
        stream += sha256(seed.to_bytes(8, "big") + counter.to_bytes(8, "big"))
        counter += 1
    return bytes(stream[:length])


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def vector(original: int, total: int, length: int, seed: int) -> dict:
    payload = payload_bytes(seed, length)
    matrix = reference.coding_matrix(original, total)
    shards = reference.extend(matrix, reference.cut(payload, original))
    roots = [reference.shard_root(shard) for shard in shards]
    root = reference.shards_root(roots)

    points = reference.fingerprint_points(total, original, length, root)
    fingerprinter = reference.Fingerprinter(points)
    rows = [fingerprinter.row(shard) for shard in shards]
    check_code(matrix, shards, rows, payload)
    fingerprints = b"".join(rows[:original])

    digest = keccak256(payload)
    committed = (original, total, root, sha256(fingerprints))
    shard_bytes = len(shards[0])
    entry = {
        "name": f"k{original}-n{total}-len{length}",
        "originalShards": original,
        "totalShards": total,
        "payloadLength": length,
        "payload": {"seed": seed},
        "shardLength": shard_bytes,
        "shardRoots": [hexed(each) for each in roots],
        "shardsRoot": hexed(root),
        "shardOfSlotZero": reference.shard_of_slot(0, total, root),
        "points": [hexed(point) for point in points],
        "fingerprints": hexed(fingerprints),
        "fingerprintsHash": hexed(committed[-1]),
        "payloadDigestByPayload": hexed(digest),
        "blobIdByShard": hexed(Blob(length, bytes(32), *committed).id()),
        "blobIdByPayload": hexed(Blob(length, digest, *committed).id()),
    }
    if shard_bytes * total <= SHARDS_IN_FULL_BYTES:
        entry["shards"] = [hexed(shard) for shard in shards]
    entry["openings"] = openings(shards, roots, shard_bytes)
    return entry


def check_code(matrix: list[bytes], shards: list[bytes], rows: list[bytes], payload: bytes) -> None:
    """What makes these vectors worth comparing with: the fingerprints commute with the code, and it decodes."""
    original, total = len(matrix[0]), len(matrix)
    if reference.extend(matrix, rows[:original]) != rows:
        raise AssertionError("fingerprints do not commute with the code")
    chosen = random.Random(0).sample(range(total), original)
    for indices in (range(total - original, total), chosen):
        decoded = b"".join(reference.decode(matrix, {i: shards[i] for i in indices}))
        if decoded[: len(payload)] != payload:
            raise AssertionError("decoding does not give the payload back")


def openings(shards: list[bytes], roots: list[bytes], shard_bytes: int) -> list[dict]:
    """First leaf of the first shard, last leaf of the last, and one between where shards are long enough."""
    shard_leaves = [reference.leaf_hash(root) for root in roots]
    last = -(-shard_bytes // reference.LEAF_BYTES) - 1
    places = [(0, 0), (len(shards) - 1, last)]
    if last > 1:
        places.append((len(shards) // 2, last // 2))
    opened = []
    for index, number in places:
        cut = reference.leaves(shards[index])
        leaf = cut[number]
        path = reference.tree_path([reference.leaf_hash(each) for each in cut], number)
        opened.append(
            {
                "index": index,
                "leafNumber": number,
                "leafLength": len(leaf),
                "leafSha256": hexed(sha256(leaf)),
                **({"leaf": hexed(leaf)} if len(leaf) <= 128 else {}),
                "leafPath": [hexed(each) for each in path],
                "shardPath": [hexed(each) for each in reference.tree_path(shard_leaves, index)],
            }
        )
    return opened


def vectors() -> list[dict]:
    cases = [(k, n, length) for k, n in CODES for length in lengths(k)]
    cases.append((2, 7, (1 << 20) + 1))
    return [vector(*case, seed) for seed, case in enumerate(cases, start=1)]
