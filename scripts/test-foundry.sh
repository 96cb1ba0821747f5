#!/usr/bin/env bash
# The Solidity tests (contracts/test/*.t.sol) by the rules of each hard fork that a registry may live on. Compiled once,
# by the npm package's solc; nothing is downloaded. Arguments go to forge: --match-test, -vvv and so on.
# Usage: scripts/test-foundry.sh [forge test arguments]
set -euo pipefail
cd "$(dirname "$0")/../contracts"

# Settings from outside would test something else than what is committed.
for name in "${!FOUNDRY_@}" "${!DAPP_@}"; do unset "$name"; done
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# All of it: a run with a filter compiles only what the tests it runs import, and some load what they test.
node_modules/.bin/forge build

for hardfork in prague osaka; do
  FOUNDRY_HARDFORK=$hardfork node_modules/.bin/forge test "$@" 2>&1 | tee "$said"
  # The package's launcher exits with 0 whatever forge says, so the summary decides; it also tells that any test ran.
  grep -qE '[1-9][0-9]* tests passed, 0 failed' "$said" \
    || { echo "foundry: $hardfork ... FAILED, or no test ran" >&2; exit 1; }
  echo "foundry: $hardfork ... ok"
done
