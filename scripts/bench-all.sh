#!/usr/bin/env bash
# `holdfast bench` on committees of several sizes, with faults, with TLS and over a long line, and one page of all of it.
# Usage: scripts/bench-all.sh path/to/holdfast FOLDER   (DURATION of each combination, 5s)
set -euo pipefail
holdfast=$1
out=$2
span=${DURATION:-5s}
mkdir -p "$out"
results=()

measure() { # NAME ARGUMENTS...
  local name=$1; shift
  echo "bench: $name"
  "$holdfast" bench --json --duration "$span" --warm-up 1s "$@" >"$out/$name.json"
  results+=("$out/$name.json")
}
sizes=1k,100k,1m,8m,32m
measure n5 --devnet 5 -t 4 -k 2 --op store,read --by shard,payload --sizes $sizes
measure n5-sustained --devnet 5 -t 4 -k 2 --sizes 100k,1m,8m --concurrency 8
measure n7 --devnet 7 --op store,read --sizes $sizes
measure n20 --devnet 20 --op store,read --sizes $sizes
measure n5-tls --devnet 5 -t 4 -k 2 --tls --op store,read --sizes $sizes
measure n5-down --devnet 5 -t 4 -k 2 --fault down --op store,read --sizes $sizes
measure n5-hung --devnet 5 -t 4 -k 2 --fault hung --op store,read --sizes $sizes
measure n5-corrupt --devnet 5 -t 4 -k 2 --fault corrupt --op read --sizes $sizes
if [ "$(id -u)" = 0 ] && [ -e /dev/net/tun ]; then
  measure n5-far --devnet 5 -t 4 -k 2 --rtt 150ms --op store,read --sizes $sizes
  measure n5-far-loss --devnet 5 -t 4 -k 2 --rtt 150ms --loss 1% --op store,read --sizes 1k,100k,1m
else
  echo "bench: without root and /dev/net/tun: nothing is measured over a long line"
fi
list=$(IFS=,; echo "${results[*]}")
"$holdfast" bench --join "$list" --html "$out/bench.html" --force
echo "bench: $out/bench.html"
