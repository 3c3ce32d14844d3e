#!/bin/sh
# Trunk calls this when the page is built: shrinks the program where wasm-opt is found, and lays the in-tab runner beside it.
# The runner is built before, by frontend/runner/build.sh target/in-tab.
set -eu
cd "$(dirname "$0")/.."
page=${TRUNK_STAGING_DIR:?"Trunk sets it"}

# The first wasm-opt that works: that of the lab's tools, of npm's binaryen, or of the system.
if command -v wasm-opt >/dev/null 2>&1; then
  for program in "$page"/recspeed-frontend-*_bg.wasm; do
    # Its memory is its own, starts empty, and its first kilobyte is the far end of the stack.
    wasm-opt -Oz --low-memory-unused --zero-filled-memory --strip-debug --strip-producers --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
      --enable-mutable-globals --enable-reference-types --enable-multivalue -o "$program.small" "$program"
    mv "$program.small" "$program"
  done
else
  echo "wasm-opt is not found: the page works, but its program stays about a fifth larger" >&2
fi

if [ -f target/in-tab/worker.js ]; then
  mkdir -p "$page/runner"
  cp target/in-tab/worker.js target/in-tab/runner.js target/in-tab/runner_bg.wasm "$page/runner/"
else
  echo "target/in-tab is empty: Run in this tab will not work; run frontend/runner/build.sh target/in-tab first" >&2
fi
showcase=$(ls backend/server/showcase/*.json 2>/dev/null | head -n 1)
if [ -n "$showcase" ]; then
  cp "$showcase" "$page/showcase.json"
fi
