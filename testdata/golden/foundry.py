"""foundry.json: what the Solidity tests need signed, since nothing in the EVM can sign with BLS.

The committees are those of certificate.json. Their namespaces there have no owner; here one does, so that a registry can
have it. Signatures are given singly: a test adds up those of any signer set.
"""

import certificate
import erasure
import holdfast_reference as reference
import signing
from certificate import ACCOUNT, CHAIN_ID, COMMITTEES, REGISTRY, RETAIN_UNTIL, WHOLE_UNTIL, domain, member
from erasure import hexed
from holdfast_reference import Statement, domain_separator, keccak256

OWNER = bytes([0x0B] * 20)
SALT, OTHER_SALT = bytes([1] * 32), bytes([2] * 32)
OTHER_CHAIN_ID = CHAIN_ID + 1
# The second contract of the account whose first one is REGISTRY.
OTHER_REGISTRY = bytes.fromhex("e7f1725e7734ce288f8367e1bb143e90bb3f0512")
# A committee of two opposite keys and a third.
PAIR_EPOCH, PAIR = 5, (3, 1, 2)
CHECKPOINT_TYPE = "Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)"
# Leaves of an opened payload: several a shard, the last of the last shard padded and short.
OPENED = [(2, 5, 100), (3, 10, 40_000), (4, 7, 4 * 4096)]


class Opposite:
    """Minus another key."""

    def __init__(self, key: signing.SecretKey):
        self.key, self.public = key, signing.neg(key.public)

    def to_bytes(self) -> bytes:
        return (signing.curve_order - self.key.scalar).to_bytes(32, "big")

    def sign(self, message: bytes):
        return signing.neg(self.key.sign(message))

    def prove_possession(self, chain_id: int, registry: bytes, account: bytes):
        message = signing.possession_message(self.public, chain_id, registry, account)
        point = signing.hash_to_point(message, signing.POSSESSION_SUITE)
        return signing.multiply(point, signing.curve_order - self.key.scalar)


def vectors() -> dict:
    committees = {n: members(n) for n, *_ in COMMITTEES}
    five = committees[5]
    pair = [five[0], Opposite(five[0]), five[1]]
    separator = domain_separator(CHAIN_ID, REGISTRY)
    statements = {
        f"n{n}": availability(separator, epoch, committees[n], (n, k, length))
        for epoch, (n, k, _, length, _) in enumerate(COMMITTEES, start=1)
    } | {
        "n7 by payload": availability(separator, 2, committees[7], (7, 2, 1000), by_payload=True),
        "other chain": availability(domain_separator(OTHER_CHAIN_ID, REGISTRY), 1, five, (5, 2, 1000)),
        "other registry": availability(domain_separator(CHAIN_ID, OTHER_REGISTRY), 1, five, (5, 2, 1000)),
        "other namespace": availability(separator, 1, five, (5, 2, 1000), salt=OTHER_SALT),
        "pair": availability(separator, PAIR_EPOCH, pair, (PAIR[0], PAIR[1], 1000)),
    }
    return {
        "chainId": CHAIN_ID,
        "registry": hexed(REGISTRY),
        "owner": hexed(OWNER),
        "salt": hexed(SALT),
        "namespace": hexed(namespace(SALT)),
        "otherChainId": OTHER_CHAIN_ID,
        "otherRegistry": hexed(OTHER_REGISTRY),
        "otherSalt": hexed(OTHER_SALT),
        "otherNamespace": hexed(namespace(OTHER_SALT)),
        "retainUntil": RETAIN_UNTIL,
        "account": hexed(ACCOUNT),
        "opposite": member(1, pair[1]),
        "falseProofs": false_proofs(five[0]),
        "otherRegistryProofs": [
            hexed(signing.g1_eip2537(key.prove_possession(CHAIN_ID, OTHER_REGISTRY, ACCOUNT))) for key in five
        ],
        "statements": statements,
        "checkpoints": {
            f"of {count}": checkpoint(separator, epoch, committees[n], count)
            for epoch, n, count in ((1, 5, 1), (1, 5, 2), (1, 5, 5), (2, 7, 200), (2, 7, 4096))
        },
        "openings": [opening(*code, seed=2000 + i) for i, code in enumerate(OPENED)],
    }


def members(n: int) -> list[signing.SecretKey]:
    return [signing.SecretKey(f"holdfast golden member {n}/{slot}") for slot in range(n)]


def false_proofs(key: signing.SecretKey) -> dict:
    """By the key itself, and still no proof of possession for the account that brings it."""
    compressed = signing.g2_compressed(key.public)
    flags, c1, c0 = compressed[0] & 0xE0, bytes([compressed[0] & 0x1F]) + compressed[1:48], compressed[48:]
    swapped = bytes([c0[0] | flags]) + c0[1:] + c1
    uncompressed = signing.g2_eip2537(key.public)

    def about(chain_id: int = CHAIN_ID, registry: bytes = REGISTRY, account: bytes = ACCOUNT) -> bytes:
        return chain_id.to_bytes(32, "big") + registry + account

    def hashed(message: bytes, suite: bytes = signing.POSSESSION_SUITE):
        return signing.hash_to_point(message, suite)

    proofs = {
        "over the coefficients in the other order": hashed(swapped + about()),
        "over the key without compression": hashed(uncompressed + about()),
        "by the suite of statements": hashed(compressed + about(), signing.SIGNATURE_SUITE),
        "over the key alone": hashed(compressed),
        "for another chain": hashed(compressed + about(chain_id=OTHER_CHAIN_ID)),
        "for another registry": hashed(compressed + about(registry=OTHER_REGISTRY)),
        "for another account": hashed(compressed + about(account=OWNER)),
        "for a committee without L1": hashed(compressed + about(0, bytes(20), bytes(20))),
    }
    return {
        "names": list(proofs),
        "proofs": [hexed(signing.g1_eip2537(signing.multiply(point, key.scalar))) for point in proofs.values()],
    }


def namespace(salt: bytes) -> bytes:
    return keccak256(bytes(12) + OWNER + salt)


def availability(separator: bytes, epoch: int, keys, code, by_payload: bool = False, salt: bytes = SALT) -> dict:
    n, k, length = code
    blob = erasure.vector(k, n, length, seed=1000 + n)
    digest = bytes.fromhex(blob["payloadDigestByPayload"][2:]) if by_payload else bytes(32)
    about = certificate.blob_of(blob, digest)
    what = Statement(namespace(salt), epoch, about, WHOLE_UNTIL if by_payload else 0, RETAIN_UNTIL)
    return {"head": hexed(what.encode()), "blobId": hexed(about.id())} | signed(what.digest(separator), keys)


def checkpoint(separator: bytes, epoch: int, keys, count: int) -> dict:
    ids = sorted(keccak256(f"holdfast golden blob {i}".encode()) for i in range(count))
    hashes = [reference.leaf_hash(blob_id) for blob_id in ids]
    root = reference.tree_root(hashes)
    words = (epoch.to_bytes(8, "big"), root, count.to_bytes(4, "big"), RETAIN_UNTIL.to_bytes(8, "big"))
    encoded = keccak256(
        keccak256(CHECKPOINT_TYPE.encode()) + namespace(SALT) + b"".join(word.rjust(32, b"\0") for word in words)
    )
    chosen = sorted({i for i in (0, 1, 2, 3, 4, 63, 64, 127, 128, count - 2, count - 1) if 0 <= i < count})
    return {
        "head": hexed(b"\xc1" + namespace(SALT) + b"".join(words)),
        "indices": chosen,
        "blobIds": [hexed(ids[i]) for i in chosen],
        "paths": [hexed(b"".join(reference.tree_path(hashes, i))) for i in chosen],
    } | signed(keccak256(b"\x19\x01" + separator + encoded), keys)


def signed(digest: bytes, keys) -> dict:
    signatures = [key.sign(digest) for key in keys]
    aggregate = signing.total([key.public for key in keys])
    if not signing.verify(aggregate, digest, signing.total(signatures)):
        raise AssertionError("aggregate signature does not verify")
    return {"digest": hexed(digest), "signatures": [hexed(signing.g1_eip2537(each)) for each in signatures]}


def opening(k: int, n: int, length: int, seed: int) -> dict:
    """A blob by payload with every leaf of its original shards, and last one of a recovery shard."""
    payload = erasure.payload_bytes(seed, length)
    shards = reference.extend(reference.coding_matrix(k, n), reference.cut(payload, k))
    shard_leaves = [reference.leaf_hash(reference.shard_root(shard)) for shard in shards]
    entry = erasure.vector(k, n, length, seed)
    blob = certificate.blob_of(entry, keccak256(payload))
    # The first recovery shard's first leaf is committed to, and no part of the payload.
    places = [(i, j) for i in range(k) for j in range(len(reference.leaves(shards[i])))] + [(k, 0)]
    offsets, leaves, paths = [], [], []
    for index, number in places:
        cut = reference.leaves(shards[index])
        path = reference.tree_path([reference.leaf_hash(leaf) for leaf in cut], number)
        offsets.append(index * len(shards[index]) + number * reference.LEAF_BYTES)
        leaves.append(hexed(cut[number]))
        paths.append(hexed(b"".join(path + reference.tree_path(shard_leaves, index))))
    return {
        "payloadLength": length,
        "payloadDigest": hexed(blob.payload_digest),
        "originalShards": k,
        "totalShards": n,
        "shardsRoot": hexed(blob.shards_root),
        "fingerprintsHash": hexed(blob.fingerprints_hash),
        "blobId": hexed(blob.id()),
        "offsets": offsets,
        "leaves": leaves,
        "paths": paths,
    }
