#!/usr/bin/env bash
# Says what `make test` could not test on this machine, and what is missing for it: tests that pass because they test nothing say so
# where nobody looks. Ends well whatever it finds.
# Usage: scripts/untested.sh [moto_server]
set -euo pipefail

untested=()
if [ -z "${1:-}" ]; then
  untested+=("a member's archive on a server that speaks S3, with Object Lock: moto_server is not installed (make s3 installs it from PyPI, and tests this)")
fi
if [ "$(uname -s)" != Linux ]; then
  untested+=("power cuts under ext4 and xfs: only on Linux")
elif [ "$(id -u)" != 0 ]; then
  untested+=("power cuts under ext4 and xfs: mounting needs root")
elif [ ! -e /dev/loop-control ]; then
  untested+=("power cuts under ext4 and xfs: there are no loop devices")
elif ! unshare --mount true 2>/dev/null; then
  untested+=("power cuts under ext4 and xfs: no mount name space can be made")
elif ! command -v mkfs.xfs >/dev/null && ! command -v mkfs.btrfs >/dev/null; then
  untested+=("power cuts under ext4 and xfs: mkfs.xfs (xfsprogs) and mkfs.btrfs are missing")
fi

if [ ${#untested[@]} -gt 0 ]; then
  printf 'NOT TESTED: %s\n' "${untested[@]}"
fi
