#!/usr/bin/env bash
# Says what is about to be built, and how long that takes, where nothing has been built yet: first-build.sh TARGET_FOLDER
set -euo pipefail
if ! compgen -G "$1/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
  echo "First build: RocksDB (C++, 340 files) and about 600 crates, of which the Ethereum stack (alloy, revm) is the largest." >&2
  echo "About 20 minutes on two cores; later builds compile only what has changed." >&2
fi
