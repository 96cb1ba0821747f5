"""checkpoint.json: checkpoints over many blobs, signed by the committees of certificate.json, and proofs of inclusion."""

import certificate
import signing
from certificate import COMMITTEES, RETAIN_UNTIL
from erasure import hexed
from holdfast_reference import (
    CHECKPOINT_TYPE,
    HOUR,
    Checkpoint,
    domain_separator,
    keccak256,
    leaf_hash,
    node_hash,
    sha256,
    tree_path,
    tree_root,
)

# (place in COMMITTEES, number of blobs, places that are proven)
CHECKPOINTS = [
    (0, 1, [0]),
    (0, 2, [0, 1]),
    (0, 3, [0, 1, 2]),
    (1, 7, [0, 3, 5, 6]),
    (2, 200, [0, 1, 127, 128, 191, 192, 199]),
    (0, 4095, [0, 2048, 4094]),
    (3, 4096, [0, 2047, 2048, 4095]),
]
# Ids of longer checkpoints are left out: they follow from the seed.
IDS_IN_FULL = 200


def vectors() -> dict:
    disperser = signing.DisperserKey("holdfast golden disperser")
    return {
        "types": {"checkpoint": CHECKPOINT_TYPE, "checkpointHash": hexed(keccak256(CHECKPOINT_TYPE.encode()))},
        "checkpoints": [entry(disperser, *parameters) for parameters in CHECKPOINTS],
    }


def blob_ids(count: int) -> list[bytes]:
    return sorted(sha256(f"holdfast golden checkpoint {count}/{number}".encode()) for number in range(count))


def entry(disperser, place: int, count: int, proven: list[int]) -> dict:
    n, k, t, _, signer_sets = COMMITTEES[place]
    keys = [signing.SecretKey(f"holdfast golden member {n}/{slot}") for slot in range(n)]
    ids = blob_ids(count)
    hashes = [leaf_hash(blob) for blob in ids]
    namespace = keccak256(f"holdfast golden namespace {n}".encode())
    what = Checkpoint(namespace, place + 1, tree_root(hashes), count, RETAIN_UNTIL)
    digest = what.digest(domain_separator(certificate.CHAIN_ID, certificate.REGISTRY))
    signatures = [key.sign(digest) for key in keys]
    if not signing.verify(signing.total([key.public for key in keys]), digest, signing.total(signatures)):
        raise AssertionError("aggregate signature does not verify")
    return {
        "name": f"{count}-blobs-n{n}",
        "committee": f"n{n}-k{k}-t{t}",
        "domain": "onChain",
        "namespace": hexed(namespace),
        "epoch": what.epoch,
        "blobsRoot": hexed(what.blobs_root),
        "count": count,
        "retainUntil": what.retain_until,
        **({"blobIds": [hexed(blob) for blob in ids]} if count <= IDS_IN_FULL else {}),
        "digest": hexed(digest),
        "digestPoint": hexed(signing.g1_eip2537(signing.hash_to_point(digest, signing.SIGNATURE_SUITE))),
        "disperserSignature": hexed(disperser.sign(digest)),
        "attestations": [
            {"slot": slot, "signature": hexed(signing.g1_compressed(signature))}
            for slot, signature in enumerate(signatures)
        ],
        "certificates": [signed(what, n, signatures, list(signers)) for signers in signer_sets],
        "refused": refused(what, n, t, signatures),
        "proofs": [proof(what, ids, hashes, index) for index in proven],
        "refusedProofs": refused_proofs(what, ids, hashes, proven[-1]),
    }


def signed(what: Checkpoint, n: int, signatures, signers: list[int]) -> dict:
    bitmap = sum(1 << slot for slot in signers)
    return {"signers": signers} | encodings(what.encode(), n, bitmap, signing.total([signatures[s] for s in signers]))


def encodings(head: bytes, n: int, bitmap: int, signature) -> dict:
    compact = head + bitmap.to_bytes((n + 7) // 8, "little") + signing.g1_compressed(signature)
    on_l1 = head + bitmap.to_bytes(32, "big") + signing.g1_eip2537(signature)
    return {"compact": hexed(compact), "l1": hexed(on_l1)}


def refused(what: Checkpoint, n: int, t: int, signatures) -> list[dict]:
    """Signed checkpoints that nobody may take, each wrong in one way, with the registry's status."""
    head, members = what.encode(), (1 << t) - 1
    quorum = signing.total(signatures[:t])
    good = encodings(head, n, members, quorum)
    compact, on_l1 = (bytes.fromhex(good[form][2:]) for form in ("compact", "l1"))
    fewer, another = signing.total(signatures[: t - 1]), signing.total(signatures[1 : t + 1])
    infinity = (0xC0 << 376).to_bytes(48, "big")

    def with_head(**fields) -> dict:
        return encodings(Checkpoint(**(what.__dict__ | fields)).encode(), n, members, quorum)

    cases = [
        ("below threshold", "BELOW_THRESHOLD", encodings(head, n, members >> 1, fewer)),
        ("bitmap names others than signed", "BAD_SIGNATURE", encodings(head, n, members, another)),
        ("signature is infinity", "MALFORMED", {
            "compact": hexed(compact[:-48] + infinity),
            "l1": hexed(on_l1[:-128] + bytes(128)),
        }),
        ("signature not in the subgroup", "BAD_SIGNATURE", encodings(head, n, members, signing.stray_g1_point())),
        ("first byte of a certificate", "MALFORMED", {
            "compact": hexed(b"\x01" + compact[1:]),
            "l1": hexed(b"\x01" + on_l1[1:]),
        }),
        ("one byte short", "MALFORMED", {"compact": hexed(compact[:-1]), "l1": hexed(on_l1[:-1])}),
        ("one byte long", "MALFORMED", {"compact": hexed(compact + b"\x00"), "l1": hexed(on_l1 + b"\x00")}),
        ("no blob", "MALFORMED", with_head(count=0)),
        ("too many blobs", "MALFORMED", with_head(count=4097)),
        ("off the grid", "MALFORMED", with_head(retain_until=what.retain_until + 1)),
        ("another count", "BAD_SIGNATURE", with_head(count=what.count % 4096 + 1)),
        ("an hour later", "BAD_SIGNATURE", with_head(retain_until=what.retain_until + HOUR)),
        ("bitmap bit past the last slot", "WRONG_PARAMETERS", encodings(head, n, members | 1 << n, quorum)),
    ]  # fmt: skip
    return [{"name": name, "status": status} | forms for name, status, forms in cases]


def proof(what: Checkpoint, ids: list[bytes], hashes: list[bytes], index: int) -> dict:
    path = tree_path(hashes, index)
    return {"index": index, "blobId": hexed(ids[index]), "encoded": encoded(what, index, path)}


def encoded(what: Checkpoint, index: int, path: list[bytes]) -> str:
    return hexed(what.encode() + index.to_bytes(4, "big") + b"".join(path))


def refused_proofs(what: Checkpoint, ids: list[bytes], hashes: list[bytes], index: int) -> list[dict]:
    """Proofs of nothing, each wrong in one way: of the last place that is proven, or in its stead."""
    path = tree_path(hashes, index)
    good = bytes.fromhex(encoded(what, index, path)[2:])
    cases = [
        ("another blob", "NOT_INCLUDED", sha256(ids[index]), good),
        ("its leaf hash as the blob", "NOT_INCLUDED", hashes[index], good),
        ("index is the count", "MALFORMED", ids[index], good[:85] + what.count.to_bytes(4, "big") + good[89:]),
        ("one byte short", "MALFORMED", ids[index], good[:-1]),
        ("one byte long", "MALFORMED", ids[index], good + b"\x00"),
        ("one hash more", "MALFORMED", ids[index], good + bytes(32)),
        ("first byte of a certificate", "MALFORMED", ids[index], b"\x01" + good[1:]),
    ]
    if path:
        shorter = good[:-32]
        cases.append(("one hash less", "MALFORMED", ids[index], shorter))
        turned = encoded(what, index, [bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:]])
        cases.append(("one bit of the path", "NOT_INCLUDED", ids[index], bytes.fromhex(turned[2:])))
    if what.count == 2:
        # The node above two leaves, shown as the only leaf of a tree of one: the prefixes tell them apart.
        above = node_hash(*hashes)
        alone = Checkpoint(**(what.__dict__ | {"count": 1}))
        cases.append(("a node as the blob", "UNKNOWN_CHECKPOINT", above, bytes.fromhex(encoded(alone, 0, [])[2:])))
    return [
        {"name": name, "status": status, "blobId": hexed(blob), "encoded": hexed(proof)}
        for name, status, blob, proof in cases
    ]
