#!/usr/bin/env bash
# Brings the peers into a virtual environment of their own, then measures what the last `make build` built and writes docs.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -x .venv/bench/bin/python ] || [ tests/bench/requirements.txt -nt .venv/bench/installed ]; then
    echo "bench: installing the peers into .venv/bench (about 4 GB, several minutes)"
    python3 -m venv .venv/bench
    .venv/bench/bin/pip install --quiet -r tests/bench/requirements.txt
    touch .venv/bench/installed
fi
python3 tests/bench/bench.py --only "${1:-}"
