#!/usr/bin/env bash
# Installs what building Holdfast needs and is missing, or says exactly what to install. Quiet when all is there.
set -euo pipefail

missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
command -v cmake >/dev/null || missing+=(cmake)
# bindgen, which librocksdb-sys runs, loads libclang at build time.
# (libclang-cpp is another library and does not serve.)
if [ -z "${LIBCLANG_PATH:-}" ] && ! compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null \
  && ! ldconfig -p | grep -qE 'libclang(-[0-9.]+)?\.so'; then
  missing+=(libclang-dev)
fi

if [ ${#missing[@]} -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing ${missing[*]}" >&2
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null
  else
    echo "missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

command -v cargo >/dev/null || { echo "missing: Rust 1.95 or later, from https://rustup.rs" >&2; exit 1; }
command -v npm >/dev/null || { echo "missing: Node.js 20 or later with npm (for the contracts' compiler and anvil)" >&2; exit 1; }
