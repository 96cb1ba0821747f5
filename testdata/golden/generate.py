#!/usr/bin/env python3
"""Writes the golden vectors beside this file: erasure.json, certificate.json, checkpoint.json and identity.json.

Everything here follows docs/protocol.md; nothing is taken from the Rust code, which is what the vectors test.
"""

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import certificate  # noqa: E402
import checkpoint  # noqa: E402
import erasure  # noqa: E402
import foundry  # noqa: E402
import holdfast_reference as reference  # noqa: E402
import identity  # noqa: E402
import signing  # noqa: E402


def check_published_vectors() -> None:
    """The primitives against what their own specifications publish, before anything is written."""
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    expect("keccak256 of nothing", reference.keccak256(b"").hex(), empty)
    for length in (0, 1, 135, 136, 137, 1000):
        data = bytes(range(250)) * 4
        sponge = reference.keccak_sponge(data[:length], 0x06).hex()
        expect(f"SHA3-256 of {length} bytes", sponge, hashlib.sha3_256(data[:length]).hexdigest())
    # RFC 8452, appendix A.
    key = bytes.fromhex("25629347589242761d31f826ba4b757b")
    blocks = bytes.fromhex("4f4f95668c83dfb6401762bb2d01a262d1a24ddd2721d006bbe45f20d3c9f362")
    polyval = reference.Polyval(key).hash(blocks).to_bytes(16, "little")
    expect("POLYVAL of RFC 8452", polyval.hex(), "f7a3b47b846119fae5b7866cf5e5b77e")
    # EIP-712's own example domain.
    separator = reference.domain_separator(1, b"\xcc" * 20, name=b"Ether Mail").hex()
    expect("EIP-712 domain", separator, "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f")
    # RFC 6962 as tested by Certificate Transparency (roots of the first leaves of its reference tree).
    leaves = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
    hashes = [reference.leaf_hash(leaf) for leaf in leaves]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    }
    for count, root in roots.items():
        expect(f"RFC 6962 root of {count} leaves", reference.tree_root(hashes[:count]).hex(), root)
    # RFC 9380, appendix J.9.1, message "abc".
    point = signing.g1_eip2537(signing.hash_to_point(b"abc", b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"))
    x = "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"
    y = "0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d"
    expect("hash to G1 of RFC 9380", point.hex(), "00" * 16 + x + "00" * 16 + y)


def expect(what: str, got: str, expected: str) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected}, got {got}")


def write(name: str, value: object) -> None:
    text = json.dumps(value, indent=1) + "\n"
    (HERE / name).write_text(text)
    print(f"{name}: {len(text)} bytes", file=sys.stderr)


def main() -> None:
    check_published_vectors()
    write("erasure.json", erasure.vectors())
    write("certificate.json", certificate.vectors())
    write("checkpoint.json", checkpoint.vectors())
    write("identity.json", identity.vectors())
    write("foundry.json", foundry.vectors())


if __name__ == "__main__":
    main()
