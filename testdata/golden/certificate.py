"""certificate.json: committees, their keys and proofs, statements, attestations and certificates."""

import erasure
import signing
from erasure import hexed
from holdfast_reference import (
    AVAILABILITY_TYPE,
    BLOB_TYPE,
    DOMAIN_TYPE,
    HOUR,
    Blob,
    Statement,
    domain_separator,
    keccak256,
)

# (n, k, t, payload length, signer sets of valid certificates)
COMMITTEES = [
    (5, 2, 4, 1000, ([0, 1, 2, 3], [0, 1, 2, 4], [1, 2, 3, 4], range(5))),
    (7, 2, 6, 119942, ([0, 1, 2, 3, 4, 5], [0, 2, 3, 4, 5, 6], range(7))),
    (20, 3, 17, 1 << 16, (range(17), range(3, 20), [i for i in range(20) if i not in (0, 8, 19)], range(20))),
    (10, 3, 8, 1, (range(8), range(2, 10), [0, 1, 2, 4, 5, 7, 8, 9], range(10))),
]
CHAIN_ID = 31337
# The first contract created by the first well-known account of development chains, so that a test can deploy to it.
REGISTRY = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
# Whose keys all members' are on chain: the second well-known account of development chains.
ACCOUNT = bytes.fromhex("70997970c51812dc3a010c7d01b50e0d17dc79c8")
MAX_PAYLOAD = 32 << 20
RETAIN_UNTIL = 555_556 * HOUR
WHOLE_UNTIL = 555_500 * HOUR


def vectors() -> dict:
    disperser = signing.DisperserKey("holdfast golden disperser")
    return {
        "types": {
            "domain": DOMAIN_TYPE,
            "blob": BLOB_TYPE,
            "blobHash": hexed(keccak256(BLOB_TYPE.encode())),
            "availability": AVAILABILITY_TYPE,
            "availabilityHash": hexed(keccak256(AVAILABILITY_TYPE.encode())),
        },
        "disperser": {"privateKey": hexed(disperser.secret), "address": hexed(disperser.address())},
        "committees": [
            committee(epoch, disperser, *parameters) for epoch, parameters in enumerate(COMMITTEES, start=1)
        ],
        "refusedSignatures": signing.refused_g1(),
        "refusedPublicKeys": signing.refused_g2(),
    }


def committee(epoch: int, disperser, n: int, k: int, t: int, length: int, signer_sets) -> dict:
    keys = [signing.SecretKey(f"holdfast golden member {n}/{slot}") for slot in range(n)]
    canonical = (
        b"holdfast/v1/committee"
        + epoch.to_bytes(8, "big")
        + b"".join(value.to_bytes(2, "big") for value in (k, n, t))
        + MAX_PAYLOAD.to_bytes(4, "big")
        + b"".join(signing.g2_compressed(key.public) for key in keys)
    )
    off_chain = keccak256(canonical)[12:]
    domains = [domain("onChain", CHAIN_ID, REGISTRY), domain("offChain", 0, off_chain)]

    blob = erasure.vector(k, n, length, seed=1000 + n)
    by_shard, by_payload = blob_of(blob, bytes(32)), blob_of(blob, bytes.fromhex(blob["payloadDigestByPayload"][2:]))
    namespace = keccak256(f"holdfast golden namespace {n}".encode())
    signed = []
    for name, where, about, whole_until in (
        ("byShard", domains[0], by_shard, 0),
        ("byPayload", domains[0], by_payload, WHOLE_UNTIL),
        ("byShardOffChain", domains[1], by_shard, 0),
    ):
        what = Statement(namespace, epoch, about, whole_until, RETAIN_UNTIL)
        sets = signer_sets if where is domains[0] else signer_sets[:1]
        signed.append(statement(name, where, what, keys, disperser, t, sets) | {"payload": blob["payload"]})

    return {
        "name": f"n{n}-k{k}-t{t}",
        "epoch": epoch,
        "originalShards": k,
        "totalShards": n,
        "threshold": t,
        "maxPayload": MAX_PAYLOAD,
        "canonicalBytes": hexed(canonical),
        "offChainRegistry": hexed(off_chain),
        "aggregateKey": hexed(signing.g2_compressed(signing.total([key.public for key in keys]))),
        "domains": domains,
        "members": [member(slot, key) for slot, key in enumerate(keys)],
        "statements": signed,
    }


def domain(name: str, chain_id: int, registry: bytes) -> dict:
    separator = domain_separator(chain_id, registry)
    return {"name": name, "chainId": chain_id, "registry": hexed(registry), "separator": hexed(separator)}


def blob_of(entry: dict, digest: bytes) -> Blob:
    root, fingerprints = (bytes.fromhex(entry[name][2:]) for name in ("shardsRoot", "fingerprintsHash"))
    return Blob(entry["payloadLength"], digest, entry["originalShards"], entry["totalShards"], root, fingerprints)


def member(slot: int, key: signing.SecretKey) -> dict:
    """With proofs for the registry on chain, and for a committee without L1."""
    proof = key.prove_possession(CHAIN_ID, REGISTRY, ACCOUNT)
    if slot == 0:
        message = signing.possession_message(key.public, CHAIN_ID, REGISTRY, ACCOUNT)
        if not signing.verify(key.public, message, proof, signing.POSSESSION_SUITE):
            raise AssertionError("proof of possession does not verify")
    return {
        "slot": slot,
        "secretKey": hexed(key.to_bytes()),
        "publicKey": hexed(signing.g2_compressed(key.public)),
        "publicKeyEip2537": hexed(signing.g2_eip2537(key.public)),
        "account": hexed(ACCOUNT),
        "proofOfPossession": hexed(signing.g1_compressed(proof)),
        "proofOfPossessionEip2537": hexed(signing.g1_eip2537(proof)),
        "proofOfPossessionWithoutL1": hexed(signing.g1_compressed(key.prove_possession(0, bytes(20), bytes(20)))),
    }


def statement(name: str, where: dict, what: Statement, keys, disperser, t: int, signer_sets) -> dict:
    digest = what.digest(bytes.fromhex(where["separator"][2:]))
    signatures = [key.sign(digest) for key in keys]
    aggregate_key = signing.total([key.public for key in keys])
    if not signing.verify(aggregate_key, digest, signing.total(signatures)):
        raise AssertionError("aggregate signature does not verify")
    return {
        "name": name,
        "domain": where["name"],
        "namespace": hexed(what.namespace),
        "epoch": what.epoch,
        "blob": {
            "payloadLength": what.blob.payload_length,
            "payloadDigest": hexed(what.blob.payload_digest),
            "originalShards": what.blob.original_shards,
            "totalShards": what.blob.total_shards,
            "shardsRoot": hexed(what.blob.shards_root),
            "fingerprintsHash": hexed(what.blob.fingerprints_hash),
        },
        "blobId": hexed(what.blob.id()),
        "wholeUntil": what.whole_until,
        "retainUntil": what.retain_until,
        "digest": hexed(digest),
        "digestPoint": hexed(signing.g1_eip2537(signing.hash_to_point(digest, signing.SIGNATURE_SUITE))),
        "disperserSignature": hexed(disperser.sign(digest)),
        "attestations": [
            {"slot": slot, "signature": hexed(signing.g1_compressed(signature))}
            for slot, signature in enumerate(signatures)
        ],
        "certificates": [certificate(what, signatures, list(signers)) for signers in signer_sets],
        "refused": refused(what, signatures, t),
    }


def certificate(what: Statement, signatures, signers: list[int]) -> dict:
    bitmap = sum(1 << slot for slot in signers)
    return {"signers": signers} | encodings(what, bitmap, signing.total([signatures[slot] for slot in signers]))


def encodings(what: Statement, bitmap: int, signature) -> dict:
    head, n = what.encode(), what.blob.total_shards
    compact = head + bitmap.to_bytes((n + 7) // 8, "little") + signing.g1_compressed(signature)
    on_l1 = head + bitmap.to_bytes(32, "big") + signing.g1_eip2537(signature)
    return {"compact": hexed(compact), "l1": hexed(on_l1)}


def refused(what: Statement, signatures, t: int) -> list[dict]:
    """Certificates that nobody may take, each wrong in one way. A form that cannot carry the fault is left out."""
    n = what.blob.total_shards
    quorum = signing.total(signatures[:t])
    good = encodings(what, (1 << t) - 1, quorum)
    compact, on_l1 = (bytes.fromhex(good[form][2:]) for form in ("compact", "l1"))
    head = what.encode()
    bitmap_bytes = (n + 7) // 8
    infinity = (0xC0 << 376).to_bytes(48, "big")
    fewer, another = signing.total(signatures[: t - 1]), signing.total(signatures[1 : t + 1])
    stray = signing.stray_g1_point()

    cases = [
        ("below threshold", encodings(what, (1 << t - 1) - 1, fewer)),
        ("bitmap names others than signed", encodings(what, (1 << t) - 1, another)),
        ("no signer", {
            "compact": hexed(head + bytes(bitmap_bytes) + infinity),
            "l1": hexed(head + bytes(32 + 128)),
        }),
        ("signature is infinity", {
            "compact": hexed(compact[:-48] + infinity),
            "l1": hexed(on_l1[:-128] + bytes(128)),
        }),
        ("signature not in the subgroup", encodings(what, (1 << t) - 1, stray)),
        ("version 2", {"compact": hexed(b"\x02" + compact[1:]), "l1": hexed(b"\x02" + on_l1[1:])}),
        ("one byte short", {"compact": hexed(compact[:-1]), "l1": hexed(on_l1[:-1])}),
        ("one byte long", {"compact": hexed(compact + b"\x00"), "l1": hexed(on_l1 + b"\x00")}),
        ("bitmap bit past the last slot", encodings(what, (1 << t) - 1 | 1 << n, quorum) if n % 8 else {
            "l1": hexed(head + ((1 << t) - 1 | 1 << n).to_bytes(32, "big") + on_l1[-128:]),
        }),
        ("y of the signature is not reduced", {"l1": hexed(unreduced_y(on_l1))}),
    ]  # fmt: skip
    return [{"name": name} | forms for name, forms in cases]


def unreduced_y(on_l1: bytes) -> bytes:
    y = int.from_bytes(on_l1[-64:], "big") + signing.field_modulus
    return on_l1[:-64] + y.to_bytes(64, "big")
