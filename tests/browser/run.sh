#!/usr/bin/env bash
# Runs the browser tests against the binaries of the last build.
set -euo pipefail
cd "$(dirname "$0")"
if [ ! -x ../../target/release/recspeed ]; then
    echo "browser tests: target/release/recspeed is missing; run make build first" >&2
    exit 1
fi
exec node --test --test-concurrency=1 ./*.test.mjs
