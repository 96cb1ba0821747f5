#!/usr/bin/env bash
# This version and another one in one committee: cli/tests/commands/versions.rs with the binary of RELEASE, which is a tag, branch
# or commit that is built here, or the path of a binary.
# Usage: scripts/versions.sh RELEASE TARGET_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
release=${1:?which release? make versions RELEASE=v0.1.0, or a path to a holdfast binary}
target=$2

if [ -f "$release" ] && [ -x "$release" ]; then
  binary=$(realpath "$release")
else
  commit=$(git rev-parse --verify --quiet "$release^{commit}") || { echo "versions: $release is no commit and no binary"; exit 1; }
  binary="$target/versions/holdfast-$commit"
  if [ ! -x "$binary" ]; then
    # Its own folders: neither this checkout nor what is built of it is touched. The first time takes as long as any first build.
    tree="$target/versions/tree"
    mkdir -p "$target/versions"
    remove() { git worktree remove --force "$tree" 2>/dev/null || true; }
    remove
    trap remove EXIT
    git worktree add --detach "$tree" "$commit" >/dev/null
    (cd "$tree" && CARGO_TARGET_DIR="$target/versions/target" cargo build --locked --release -p holdfast-cli)
    cp "$target/versions/target/release/holdfast" "$binary"
  fi
fi
"$binary" --version
HOLDFAST_LAST_RELEASE="$binary" CARGO_TARGET_DIR="$target" cargo test --locked --release --workspace --test commands -- --nocapture versions::
