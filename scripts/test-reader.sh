#!/usr/bin/env bash
# The independent reader (Python, grpcio) against a real committee: it must read what the Rust client wrote, by shard and
# by payload, name a lying member and a damaged one, and say when too few are left.
# Usage: scripts/test-reader.sh path/to/holdfast
set -euo pipefail
cd "$(dirname "$0")/.."
holdfast=$1
passed=0

python=python3
if ! command -v python3 >/dev/null; then
  echo "reader: Python is not installed: the independent reader was NOT tested"; exit 0
fi
if ! python3 -c 'import grpc' 2>/dev/null; then
  venv="$(dirname "$holdfast")/../reader-venv"
  if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import grpc' 2>/dev/null; then
    python3 -m venv "$venv" >/dev/null 2>&1 && "$venv/bin/pip" install -q grpcio >/dev/null 2>&1 \
      || { echo "reader: grpcio is not installed and cannot be: the independent reader was NOT tested"; exit 0; }
  fi
  python="$venv/bin/python"
fi

work=$(mktemp -d)
net="$work/net"
cleanup() { "$holdfast" devnet down --dir "$net" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap cleanup EXIT
export HOLDFAST_CONFIG="$net/client.toml"

read_back() { # CERT [reader arguments]: reads into $work/out, messages into $work/said
  local certificate=$1; shift
  "$python" -B testdata/reader.py "$net/committee.json" "$certificate" -o "$work/out" "$@" 2>"$work/said"
}
check() { # DESCRIPTION COMMAND...
  local what=$1; shift
  if "$@"; then passed=$((passed + 1)); echo "reader: $what ... ok"
  else echo "reader: $what ... FAILED"; cat "$work/said" >&2 2>/dev/null || true; echo "$passed passed, 1 failed"; exit 1; fi
}
exits() { # CODE COMMAND...
  local want=$1 got=0; shift
  "$@" || got=$?
  [ "$got" = "$want" ] || { echo "exit code $got, expected $want" >&2; return 1; }
}
matches() { cmp -s "$work/out" testdata/op-batcher-tx.bin; }

"$holdfast" devnet up --dir "$net" >/dev/null 2>"$work/up.log" || { cat "$work/up.log" >&2; exit 1; }
"$holdfast" put testdata/op-batcher-tx.bin --by shard -o "$work/shard.cert" >/dev/null 2>&1
"$holdfast" put testdata/op-batcher-tx.bin --by payload -o "$work/payload.cert" >/dev/null 2>&1
blob=$("$holdfast" --json cert show "$work/shard.cert" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["blobId"])')

check "reads a blob dispersed by shard" read_back "$work/shard.cert"
check "every byte is right" matches
check "reads a blob dispersed by payload" read_back "$work/payload.cert"
check "every byte is right" matches
"$holdfast" devnet fault m1 wrong-shard --blob "$blob" --dir "$net" >/dev/null
"$holdfast" devnet fault m4 bitflip --blob "$blob" --dir "$net" >/dev/null
check "with m1 lying and m4 damaged, asked alone: not enough shards" exits 3 read_back "$work/shard.cert" --members 1,4
check "m1 is named" grep -qE '(^|[^0-9])1([^0-9]|$)' "$work/said"
check "m4 is named" grep -qE '(^|[^0-9])4([^0-9]|$)' "$work/said"
check "with m1, m4 and two honest members: read" read_back "$work/shard.cert" --members 1,4,2,5
check "every byte is right" matches
for member in m0 m1 m3 m4 m6; do "$holdfast" devnet fault "$member" crash --dir "$net" >/dev/null; done
check "five of seven killed: read" read_back "$work/shard.cert"
check "every byte is right" matches
"$holdfast" devnet fault m5 crash --dir "$net" >/dev/null
check "six of seven killed: unreachable" exits 3 read_back "$work/shard.cert"
"$python" - "$work/shard.cert" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[100] ^= 1
open(sys.argv[1], "wb").write(data)
PY
check "one bit of the certificate changed: refused" bash -c '! "$@" 2>/dev/null' _ "$python" -B testdata/reader.py "$net/committee.json" "$work/shard.cert" -o "$work/out"
echo "$passed passed, 0 failed"
