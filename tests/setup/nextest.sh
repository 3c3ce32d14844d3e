#!/usr/bin/env bash
# Runs cargo-nextest, which runs each test in its own process; installs it when it is missing.
set -euo pipefail
if ! cargo nextest --version >/dev/null 2>&1; then
    echo "setup: installing cargo-nextest (a few minutes)"
    cargo install --quiet cargo-nextest --locked
fi
exec cargo nextest "$@"
