#!/bin/sh
# Builds the in-tab runner: build.sh OUT_DIR writes worker.js, runner.js and runner_bg.wasm there.
# Needs the wasm32-unknown-unknown target and wasm-bindgen of the version that Cargo.toml pins.
# No wasm-opt: after link-time optimisation it takes 1 % off the compressed size for another two minutes of build.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT_DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

pinned=$(sed -n 's/^wasm-bindgen = "=\(.*\)"$/\1/p' "$root/Cargo.toml")
found=$(wasm-bindgen --version 2>/dev/null | cut -d' ' -f2) || true
[ "$found" = "$pinned" ] || {
  echo "$0: wasm-bindgen $pinned is needed, found ${found:-none}; run: make setup" >&2
  exit 1
}

cd "$root"
# 128-bit vectors are in every browser since 2021 (Safari: 2023); only this build asks for them.
RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+simd128" \
  cargo build --locked --profile runner --target wasm32-unknown-unknown -p recspeed-runner
target_dir=${CARGO_TARGET_DIR:-target}
# Without the names of its functions, 95 KB after brotli: a panic tells its words and its place without them.
wasm-bindgen --target web --no-typescript --remove-name-section --remove-producers-section --out-name runner --out-dir "$out" \
  "$target_dir/wasm32-unknown-unknown/runner/recspeed_runner.wasm"

cp "$here/worker.js" "$out/worker.js"
