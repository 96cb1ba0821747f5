#!/usr/bin/env bash
# The binary on CPUs that lack what the machine that built it has (ADX, AVX, SHA): emulated, against a committee that runs as it
# is. Usage: scripts/test-any-cpu.sh path/to/holdfast
set -euo pipefail
cd "$(dirname "$0")/.."
holdfast=$1

if [ "$(uname -m)" != x86_64 ] || ! command -v qemu-x86_64 >/dev/null; then
  echo "any-cpu: no qemu-x86_64 here (Debian: qemu-user): other CPUs were NOT tested"; exit 0
fi
work=$(mktemp -d)
cleanup() { "$holdfast" devnet down --dir "$work/net" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap cleanup EXIT
"$holdfast" devnet up --members 4 --l1 none --dir "$work/net" >/dev/null 2>"$work/up.log" || { cat "$work/up.log" >&2; exit 1; }
export HOLDFAST_CONFIG="$work/net/client.toml"
echo password >"$work/password"

# The first 64-bit CPU; before AVX; with AVX2 and without ADX.
for cpu in qemu64 Nehalem Haswell-noTSX; do
  on() { qemu-x86_64 -cpu "$cpu" "$holdfast" "$@" 2>"$work/said"; }
  { on keys new --keystore "$work/$cpu.json" --password-file "$work/password" \
    && on put testdata/op-batcher-tx.bin --deadline 60s -o "$work/$cpu.cert" \
    && on cert verify "$work/$cpu.cert" \
    && on get "$work/$cpu.cert" --deadline 60s -o "$work/$cpu.read" \
    && cmp "$work/$cpu.read" testdata/op-batcher-tx.bin; } >"$work/out" \
    || { echo "any-cpu: $cpu ... FAILED"; grep -v "doesn't support requested feature" "$work/said" >&2; exit 1; }
  echo "any-cpu: $cpu ... ok"
done
