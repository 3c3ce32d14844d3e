#!/usr/bin/env bash
# Brings the peers into a virtual environment of their own, then measures what the last `make build` built, and writes
# docs/benchmarks.md. Each section names the commit that `recspeed --version` names, which `make build` builds with all that is measured.
# PYTHON: what the peers run on (otherwise python3; 3.12 or newer for the newest myFM).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
venv=.venv/bench
pip() { "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
# PyPI has the sources of these alone. One that cannot be made here fails in its own row.
made() { pip "$@" || echo "bench: $* was not installed; its rows will say so" >&2; }
if [ ! -x $venv/bin/python ] || [ tests/bench/requirements.txt -nt $venv/installed ] ||
    [ tests/bench/run.sh -nt $venv/installed ]; then
    echo "bench: installing the peers into $venv (about 4 GB, several minutes)"
    "$python" -m venv $venv
    pip -r tests/bench/requirements.txt
    made cmfrec==3.5.1.post14
    # The fork that builds: lightfm 1.17 itself does not, with today's setuptools.
    made lightfm-next==1.19.0
    # As LIBMF's own Makefile compiles it, for this processor; the package on PyPI would leave its vector code out.
    flags="-O3 -pthread -march=native -fopenmp -DUSEOMP"
    if grep -qw avx /proc/cpuinfo 2>/dev/null; then flags="$flags -DUSEAVX"; else flags="$flags -DUSESSE"; fi
    CFLAGS=$flags CXXFLAGS=$flags LDFLAGS=-fopenmp made --no-cache-dir libmf==0.9.2
    # Of 2018: it asks for CMake, and no CMake from 4 on takes what it says to it. It asks for the name of its user, too.
    pip 'cmake<4' setuptools wheel
    USER=${USER:-$(id -un)} PATH=$PWD/$venv/bin:$PATH made --no-build-isolation xlearn==0.40a1
    touch $venv/installed
fi
"$venv/bin/python" tests/bench/bench.py --only "${1:-}"
