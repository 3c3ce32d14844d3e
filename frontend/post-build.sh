#!/bin/sh
# Trunk calls this when the page is built: shrinks the program where wasm-opt is found, and lays the in-tab runner beside it.
# The runner is built before, by frontend/runner/build.sh target/runner.
set -eu
cd "$(dirname "$0")/.."
page=${TRUNK_STAGING_DIR:?"Trunk sets it"}

# The first wasm-opt that works: that of the lab's tools, of npm's binaryen, or of the system.
if command -v wasm-opt >/dev/null 2>&1; then
  for program in "$page"/recspeed-frontend-*_bg.wasm; do
    wasm-opt -Oz --strip-debug --strip-producers --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
      --enable-mutable-globals --enable-reference-types --enable-multivalue -o "$program.small" "$program"
    mv "$program.small" "$program"
  done
else
  echo "wasm-opt is not found: the page works, but its program stays about a fifth larger" >&2
fi

if [ -f target/runner/worker.js ]; then
  mkdir -p "$page/runner"
  cp target/runner/worker.js target/runner/runner.js target/runner/runner_bg.wasm "$page/runner/"
else
  echo "target/runner is empty: Run in this tab will not work; run frontend/runner/build.sh target/runner first" >&2
fi
if [ -f static/showcase.json ]; then
  cp static/showcase.json "$page/"
fi
