#!/usr/bin/env python3
"""Reads a blob back from a Holdfast committee, and trusts none of its members.

    reader.py COMMITTEE_FILE CERTIFICATE_FILE [-o OUT] [--members 0,3] [--timeout SECONDS]

COMMITTEE_FILE is the committee's JSON file; CERTIFICATE_FILE holds a certificate in its compact encoding, as bytes or
as text in hex with 0x. The payload goes to OUT, or to standard output. Members that lie, fail or cannot be reached are
named on standard error.

This is a second implementation, written from docs/protocol.md and the .proto files alone. It needs the standard
library, grpcio, and `holdfast_reference.py` and `holdfast_wire.py` beside it. It checks all that decides *which bytes*
the certificate speaks of: the certificate's form, the commitment, and each shard at its position. It does NOT check the
BLS signature, nor the keys' proofs of possession: whether the committee really signed must be checked elsewhere
(`holdfast cert verify`).

Exit codes: 0 ok, 2 usage, 3 fewer than k acceptable shards within reach, 4 verification failed.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc

import holdfast_reference as reference
from holdfast_reference import HOUR, MAX_SHARDS, Blob, Statement
from holdfast_wire import Held, Lie, blob_request, parse_blob_response, parse_chunk, shard_request

USAGE, UNREACHABLE, REFUSED = 2, 3, 4

SIGNATURE_BYTES = 48
FIELD_MODULUS = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16
)
# A committee of 126 answers GetBlob with less than 40 KB of commitment; the rest are statements and certificates.
LARGEST_MESSAGE_BYTES = 4 << 20
LARGEST_PAYLOAD_BYTES = 1 << 30


class Stop(Exception):
    """Ends the program with an exit code and a reason."""

    def __init__(self, code: int, reason: str):
        super().__init__(reason)
        self.code = code


def main() -> int:
    arguments = parse_arguments()
    try:
        committee = Committee.load(arguments.committee)
        statement = parse_certificate(read_certificate(arguments.certificate), committee)
        members = committee.chosen(arguments.members)
        say(f"signature not checked (statement 0x{statement.digest(committee.separator()).hex()})")
        payload = read(statement.blob, members, arguments.timeout)
        write(payload, arguments.output)
    except Stop as stop:
        say(f"error: {stop}")
        return stop.code
    return 0


def say(line: str) -> None:
    """One write a line, since threads speak at the same time."""
    sys.stderr.write(line + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads a blob back from a Holdfast committee.")
    parser.add_argument("committee", type=Path, help="committee file (JSON)")
    parser.add_argument("certificate", type=Path, help="compact certificate, binary or hex with 0x")
    parser.add_argument("-o", "--output", type=Path, help="where the payload goes (standard output)")
    parser.add_argument("--members", help="slots to ask, such as 0,3 (all)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for one call to one member (10)")
    return parser.parse_args()


def write(payload: bytes, output: Path | None) -> None:
    try:
        if output is None:
            sys.stdout.buffer.write(payload)
            sys.stdout.buffer.flush()
        else:
            output.write_bytes(payload)
    except OSError as error:
        raise Stop(1, f"payload not written: {error}") from None


# --- The committee file -----------------------------------------------------------------------------------------


@dataclass
class Member:
    slot: int
    public_key: bytes
    endpoint: str

    def __str__(self) -> str:
        return f"member {self.slot} ({self.endpoint})"


@dataclass
class Committee:
    chain_id: int
    registry: bytes
    epoch: int
    original_shards: int
    total_shards: int
    threshold: int
    max_payload: int
    members: list[Member]

    @classmethod
    def load(cls, path: Path) -> "Committee":
        try:
            return cls.parse(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Stop(USAGE, f"committee file {path}: {type(error).__name__}: {error}") from None

    @classmethod
    def parse(cls, file: dict) -> "Committee":
        if file["version"] != 1:
            raise ValueError(f"expected version 1, got {file['version']}")
        members = [
            Member(whole(entry, "slot"), hex_bytes(entry["publicKey"], 96), str(entry["endpoint"]))
            for entry in file["members"]
        ]
        names = ("epoch", "originalShards", "totalShards", "threshold", "maxPayload")
        epoch, k, n, t, max_payload = (whole(file, name) for name in names)
        if not (1 <= k <= t <= n <= MAX_SHARDS and k < n and 2 * t > n):
            raise ValueError(f"no such committee: {k} original shards, {n} in total, threshold {t}")
        if not 1 <= max_payload <= LARGEST_PAYLOAD_BYTES:
            raise ValueError(f"maxPayload: expected 1 to {LARGEST_PAYLOAD_BYTES}, got {max_payload}")
        if [member.slot for member in members] != list(range(n)):
            raise ValueError(f"expected members in slots 0 to {n - 1}, in order")
        if len({member.public_key for member in members}) != n:
            raise ValueError("two members have the same public key")
        chain_id = whole(file, "chainId")
        given = hex_bytes(file["registry"], 20) if file.get("registry") is not None else None
        registry = off_chain_registry(epoch, k, n, t, max_payload, members) if chain_id == 0 else given
        if registry is None:
            raise ValueError("registry is missing")
        if given not in (None, registry):
            raise ValueError(f"expected registry 0x{registry.hex()}, got 0x{given.hex()}")
        return cls(chain_id, registry, epoch, k, n, t, max_payload, members)

    def separator(self) -> bytes:
        return reference.domain_separator(self.chain_id, self.registry)

    def chosen(self, slots: str | None) -> list[Member]:
        if slots is None:
            return self.members
        try:
            wanted = {int(slot) for slot in slots.split(",")}
        except ValueError:
            raise Stop(USAGE, f"--members: expected slots such as 0,3, got {slots}") from None
        if not all(0 <= slot < self.total_shards for slot in wanted):
            raise Stop(USAGE, f"--members: expected slots from 0 to {self.total_shards - 1}, got {slots}")
        return [member for member in self.members if member.slot in wanted]


def off_chain_registry(epoch: int, k: int, n: int, t: int, max_payload: int, members: list[Member]) -> bytes:
    """What stands for the contract's address where there is none: the committee's own hash."""
    canonical = b"holdfast/v1/committee" + epoch.to_bytes(8, "big")
    canonical += b"".join(value.to_bytes(2, "big") for value in (k, n, t)) + max_payload.to_bytes(4, "big")
    canonical += b"".join(member.public_key for member in members)
    return reference.keccak256(canonical)[12:]


def whole(file: dict, name: str) -> int:
    value = file[name]
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError(f"{name}: expected a whole number, got {value!r}")
    return value


def hex_bytes(text: str, length: int) -> bytes:
    if not text.startswith("0x") or len(text) != 2 + 2 * length:
        raise ValueError(f"expected 0x and {length} bytes of hex, got {text!r}")
    value = bytes.fromhex(text[2:])
    if len(value) != length:
        raise ValueError(f"expected {length} bytes of hex, got {text!r}")
    return value


# --- The certificate --------------------------------------------------------------------------------------------


def read_certificate(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if content[:2] == b"0x":
            return bytes.fromhex(content.decode("ascii").strip()[2:])
    except (OSError, ValueError) as error:
        raise Stop(USAGE, f"certificate {path}: {error}") from None
    return content


def parse_certificate(encoded: bytes, committee: Committee) -> Statement:
    """The statement of a compact certificate, which must suit the committee in all but its signature."""
    n = committee.total_shards
    bitmap_bytes = (n + 7) // 8
    fixed = 161
    require(len(encoded), fixed + bitmap_bytes + SIGNATURE_BYTES, "certificate length")
    at = 0

    def take(length: int) -> bytes:
        nonlocal at
        at += length
        return encoded[at - length : at]

    def number(length: int) -> int:
        return int.from_bytes(take(length), "big")

    require(number(1), 1, "certificate version")
    namespace, epoch = take(32), number(8)
    payload_length, payload_digest = number(4), take(32)
    original_shards, total_shards = number(2), number(2)
    blob = Blob(payload_length, payload_digest, original_shards, total_shards, take(32), take(32))
    statement = Statement(namespace, epoch, blob, whole_until=number(8), retain_until=number(8))
    bitmap, signature = int.from_bytes(take(bitmap_bytes), "little"), take(SIGNATURE_BYTES)

    require(epoch, committee.epoch, "epoch")
    require(blob.original_shards, committee.original_shards, "original shards")
    require(blob.total_shards, n, "total shards")
    if not 1 <= blob.payload_length <= committee.max_payload:
        raise Stop(REFUSED, f"payload length: expected 1 to {committee.max_payload}, got {blob.payload_length}")
    check_times(statement)
    if bitmap >> n:
        raise Stop(REFUSED, f"signer bitmap has a bit at or past slot {n}")
    if bitmap.bit_count() < committee.threshold:
        raise Stop(REFUSED, f"signers: expected at least {committee.threshold}, got {bitmap.bit_count()}")
    # The two highest bits say: compressed, not infinity. The third is the sign of y.
    if signature[0] >> 6 != 0b10 or int.from_bytes(signature, "big") % (1 << 381) >= FIELD_MODULUS:
        raise Stop(REFUSED, "signature is not a compressed point")
    return statement


def check_times(statement: Statement) -> None:
    whole_until, retain_until = statement.whole_until, statement.retain_until
    if whole_until % HOUR or retain_until % HOUR:
        raise Stop(REFUSED, f"times are not on the hour: {whole_until}, {retain_until}")
    if (whole_until != 0) != statement.blob.by_payload():
        raise Stop(REFUSED, f"whole until {whole_until} does not go with the way of dispersal")
    if whole_until > retain_until:
        raise Stop(REFUSED, f"whole until {whole_until} is after retain until {retain_until}")


def require(got: int, expected: int, what: str) -> None:
    if got != expected:
        raise Stop(REFUSED, f"{what}: expected {expected}, got {got}")


# --- Reading ----------------------------------------------------------------------------------------------------


def read(blob: Blob, members: list[Member], timeout: float) -> bytes:
    """The payload, decoded from any k accepted shards at distinct positions."""
    with ThreadPoolExecutor(max_workers=len(members)) as pool:
        peers = [Peer(member, timeout) for member in members]
        try:
            shards = gather(blob, peers, pool)
        finally:
            for peer in peers:
                peer.close()
    matrix = reference.coding_matrix(blob.original_shards, blob.total_shards)
    payload = b"".join(reference.decode(matrix, shards))[: blob.payload_length]
    # Every signer said that it had hashed this payload. The bytes are the blob's either way; a wrong digest means
    # that the signers lied, and that whoever knows this data by its digest knows something else.
    if blob.by_payload() and reference.keccak256(payload) != blob.payload_digest:
        raise Stop(REFUSED, "the payload's keccak256 is not the digest that the committee signed")
    return payload


def gather(blob: Blob, peers: list["Peer"], pool: ThreadPoolExecutor) -> dict[int, bytes]:
    """k accepted shards by index: original shards first, as many calls at once as shards are missing.

    A member that has failed is asked again only after all others, so none can hold the reader up by claiming much.
    """
    answers = pool.map(lambda peer: peer.find(blob), peers)
    found = [(peer, held) for peer, held in zip(peers, answers, strict=True) if held]
    if not found:
        raise Stop(UNREACHABLE, f"0 of {len(peers)} members asked gave the commitment")
    acceptor = Acceptor(blob, found[0][1].rows)
    candidates = [(index, peer, held) for peer, held in found for index in held.indices]
    accepted: dict[int, bytes] = {}
    while len(accepted) < blob.original_shards and candidates:
        candidates.sort(key=lambda each: (each[1].faults, each[0]))
        batch = {}
        for candidate in candidates:
            if candidate[0] not in accepted and len(batch) < blob.original_shards - len(accepted):
                batch.setdefault(candidate[0], candidate)
        candidates = [each for each in candidates if each not in batch.values() and each[0] not in accepted]
        fetched = pool.map(lambda each: each[1].fetch(blob, each[0], each[2], acceptor), batch.values())
        accepted |= {index: shard for index, shard in zip(batch, fetched, strict=True) if shard is not None}
    if len(accepted) < blob.original_shards:
        raise Stop(UNREACHABLE, f"expected {blob.original_shards} acceptable shards, got {len(accepted)}")
    return accepted


class Acceptor:
    """Decides which bytes are shard i of a blob (protocol section 3, "Accepted shard")."""

    def __init__(self, blob: Blob, rows: list[bytes]):
        k, n = blob.original_shards, blob.total_shards
        self.blob = blob
        self.rows = reference.extend(reference.coding_matrix(k, n), rows)
        points = reference.fingerprint_points(n, k, blob.payload_length, blob.shards_root)
        self.fingerprinter = reference.Fingerprinter(points)

    def check(self, index: int, shard: bytes, root: bytes) -> None:
        if len(shard) != self.blob.shard_length():
            raise Lie(f"shard {index}: expected {self.blob.shard_length()} bytes, got {len(shard)}")
        if reference.shard_root(shard) != root:
            raise Lie(f"shard {index}: its root is not the committed one")
        if self.fingerprinter.row(shard) != self.rows[index]:
            raise Lie(f"shard {index}: its root is the committed one, its fingerprints are not")


class Peer:
    """One member, over gRPC. Whatever it does wrong is said on standard error and answered with None."""

    def __init__(self, member: Member, timeout: float):
        self.member, self.timeout = member, timeout
        self.faults = 0
        self.channel = None
        url = urlsplit(member.endpoint)
        if url.scheme != "http" or not url.netloc or url.path not in ("", "/"):
            return
        options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
        ]
        self.channel = grpc.insecure_channel(url.netloc, options)
        # Without serializers requests and answers are bytes.
        self.get_blob = self.channel.unary_unary("/holdfast.v1.Retrieval/GetBlob")
        self.get_shard = self.channel.unary_stream("/holdfast.v1.Retrieval/GetShard")

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()

    def find(self, blob: Blob) -> Held | None:
        if self.channel is None:
            say(f"{self.member} is unreachable: expected an endpoint http://host:port")
            return None
        request = blob_request(blob)
        return self.attempt(lambda: parse_blob_response(self.get_blob(request, timeout=self.timeout), blob))

    def fetch(self, blob: Blob, index: int, held: Held, acceptor: Acceptor) -> bytes | None:
        def call() -> bytes:
            shard = bytearray()
            answers = self.get_shard(shard_request(blob, index), timeout=self.timeout)
            for answer in answers:
                shard += parse_chunk(answer)
                if len(shard) > blob.shard_length():
                    answers.cancel()
                    raise Lie(f"shard {index}: more than {blob.shard_length()} bytes")
            acceptor.check(index, bytes(shard), held.shard_roots[index])
            return bytes(shard)

        return self.attempt(call)

    def attempt(self, call):
        try:
            return call()
        except Lie as lie:
            say(f"{self.member} lies: {lie}")
        except grpc.RpcError as error:
            answers = {
                grpc.StatusCode.NOT_FOUND: "has not stored this",
                grpc.StatusCode.FAILED_PRECONDITION: "no longer has this",
                grpc.StatusCode.DATA_LOSS: "has a damaged copy",
                grpc.StatusCode.DEADLINE_EXCEEDED: f"is silent for {self.timeout:g} s",
                grpc.StatusCode.UNAVAILABLE: "is unreachable",
            }
            fault = answers.get(error.code(), f"fails with {error.code().name}")
            say(f"{self.member} {fault}: {error.details()}")
        self.faults += 1
        return None


if __name__ == "__main__":
    sys.exit(main())
