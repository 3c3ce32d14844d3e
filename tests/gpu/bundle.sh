#!/usr/bin/env bash
# Makes one folder for a machine with a GPU, CUDA's driver and a Python with PyTorch, and without Rust: the programs, what they read,
# and a script that measures and leaves one file. PYTHON: a Python here with the PyTorch that is there, to link against. LLVM: an
# installed LLVM (llvm.sh says which), to have Burn's own CUDA kernels too.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bundle=$root/target/gpu-bundle
most=$((60 * 1024 * 1024))
python=${PYTHON:-python3}

torch=$("$python" -P -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")')
if [ ! -e "$torch/lib/libtorch_cuda.so" ]; then
  echo "gpu-bundle: $python has no PyTorch with CUDA; make gpu-bundle PYTHON=/path/to/python, of the version that the other machine has" >&2
  exit 1
fi
# As `make` has it for `recspeed`, which `make binaries` builds.
export RECSPEED_BUILD=${RECSPEED_BUILD-$("$root/tests/setup/built-from.sh")}
features=recspeed-worker/libtorch,recspeed-worker/vulkan,recspeed-worker/nccl
if [ -n "${LLVM:-}" ]; then
  XDG_DATA_HOME=$("$root/tests/setup/llvm.sh" "$LLVM")
  export XDG_DATA_HOME
  features+=,recspeed-worker/cuda
fi
LIBTORCH=$torch LIBTORCH_BYPASS_VERSION_CHECK=1 cargo build --release --locked --workspace --bin recspeed-worker \
  --features "$features" --target-dir "$root/target/gpu" --manifest-path "$root/Cargo.toml"

rm -rf "$bundle"
mkdir -p "$bundle/bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The worker with the devices of a GPU has flex too.
install "$root/target/release/recspeed" "$work/recspeed"
install "$root/target/gpu/release/recspeed-worker" "$work/recspeed-worker"
strip "$work"/*
"$python" - "$work" "$bundle/bin" <<'PY'
import lzma, pathlib, sys
for program in pathlib.Path(sys.argv[1]).iterdir():
    pathlib.Path(sys.argv[2], program.name + ".xz").write_bytes(lzma.compress(program.read_bytes(), preset=6))
PY
install "$root/tests/gpu/measure.sh" "$root/tests/gpu/gather.py" "$root/tests/gpu/agree.py" \
  "$root/tests/gpu/memory.py" "$bundle/"
# What the program is linked to; measure.sh compares.
sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py" > "$bundle/torch-version"

size=$(du -sb "$bundle" | cut -f1)
if [ "$size" -gt "$most" ]; then
  echo "gpu-bundle: $bundle has $size bytes, and may have $most" >&2
  exit 1
fi
echo "gpu-bundle: $bundle, $((size / 1024 / 1024)) MiB; there: ./measure.sh, then bring back gpu-results.json"
