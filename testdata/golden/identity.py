"""identity.json: endorsements of TLS keys by members' BLS keys."""

import signing
from erasure import hexed
from holdfast_reference import sha256

SUITE = b"HOLDFAST_TLS_V1_BLS12381G1_XMD:SHA-256_SSWU_RO_"
VERSION = b"\x01"
DAY = 86_400
LONGEST = 400 * DAY
# Chain, registry, from when, for how long.
CASES = [
    (31337, bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"), 1_800_000_000, 90 * DAY),
    (1, b"\x11" * 20, 0, 1),
    (0, b"\x22" * 20, 1_900_000_123, LONGEST),
    ((1 << 64) - 1, b"\xff" * 20, (1 << 64) - 1 - DAY, DAY),
]


def vectors() -> dict:
    endorsements = []
    for number, (chain_id, registry, begin, span) in enumerate(CASES):
        member = signing.SecretKey(f"holdfast golden endorser {number}")
        tls_key = sha256(f"holdfast golden TLS key {number}".encode())
        message = signed_message(member.public, chain_id, registry, tls_key, begin, begin + span)
        signature = signing.multiply(signing.hash_to_point(message, SUITE), member.scalar)
        if not signing.verify(member.public, message, signature, SUITE):
            raise AssertionError("an endorsement does not verify")
        endorsements.append(
            {
                "secretKey": hexed(member.to_bytes()),
                "publicKey": hexed(signing.g2_compressed(member.public)),
                "chainId": chain_id,
                "registry": hexed(registry),
                "tlsKeyHash": hexed(tls_key),
                "notBefore": begin,
                "notAfter": begin + span,
                "message": hexed(message),
                "encoded": hexed(encode(begin, begin + span, signing.g1_compressed(signature))),
            }
        )
    good = bytes.fromhex(endorsements[0]["encoded"][2:])
    point = good[17:]
    refused = {
        "a byte too few": good[:-1],
        "a byte too many": good + b"\x00",
        "nothing": b"",
        "version 2": b"\x02" + good[1:],
        "ends before it begins": encode(10, 9, point),
        "for no time": encode(10, 10, point),
        "for a second too long": encode(0, LONGEST + 1, point),
        "no point": good[:17] + b"\xff" * 48,
        "point at infinity": good[:17] + b"\xc0" + bytes(47),
    }
    return {
        "endorsements": endorsements,
        "refused": [{"name": name, "encoded": hexed(encoded)} for name, encoded in refused.items()],
    }


def signed_message(public, chain_id: int, registry: bytes, tls_key: bytes, begin: int, end: int) -> bytes:
    times = begin.to_bytes(8, "big") + end.to_bytes(8, "big")
    return signing.g2_compressed(public) + chain_id.to_bytes(32, "big") + registry + tls_key + times


def encode(begin: int, end: int, signature: bytes) -> bytes:
    return VERSION + begin.to_bytes(8, "big") + end.to_bytes(8, "big") + signature
