#!/usr/bin/env bash
# Installs what ranks over MPI need to be built and run: Open MPI and libclang, from the distribution. Fails where that cannot be.
set -euo pipefail
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || ldconfig -p 2>/dev/null | grep -q libclang || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null
}
if command -v mpirun >/dev/null && command -v mpicc >/dev/null && has_libclang; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: ranks over MPI need Open MPI and libclang (Debian: sudo apt-get install openmpi-bin libopenmpi-dev libclang-dev)" >&2
    exit 1
fi
echo "setup: installing Open MPI and libclang from the distribution"
apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -q openmpi-bin libopenmpi-dev libclang-dev >/dev/null
