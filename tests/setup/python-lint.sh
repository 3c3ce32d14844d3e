#!/usr/bin/env bash
# python-lint.sh PYTHON TOOLS: holds the Python of the engines, of tests/gpu and tests/conformance, and some of
# tests/bench, against the rules of backend/engines/pyproject.toml. Installs ruff and mypy into an environment below TOOLS when they are missing.
set -euo pipefail
python=$1
tools=$2/python-lint
cd "$(dirname "$0")/../.."
rules=$PWD/backend/engines/pyproject.toml
pinned=$PWD/tests/setup/python-lint.txt
if ! "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "python-lint: skipped, $python is no Python 3.11 or newer that makes environments"
    exit 0
fi
if ! cmp -s "$pinned" "$tools/installed"; then
    echo "setup: installing ruff and mypy for Python"
    rm -rf "$tools"
    "$python" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$pinned"
    cp "$pinned" "$tools/installed"
fi
# Found from the folder itself, the rules for its tests count from there.
(cd backend/engines && "$tools/bin/ruff" check --quiet . && "$tools/bin/ruff" format --quiet --check . && "$tools/bin/mypy" .)
bench="lab peer factorizations sizes bubbles pipelines test_bubbles"
for folder in tests/gpu tests/conformance "$(printf 'tests/bench/%s.py ' $bench)"; do
    read -ra paths <<<"$folder"
    "$tools/bin/ruff" check --quiet --config "$rules" "${paths[@]}"
    "$tools/bin/ruff" format --quiet --check --config "$rules" "${paths[@]}"
    "$tools/bin/mypy" --config-file "$rules" "${paths[@]}"
done
