#!/usr/bin/env bash
# Installs what the build needs and the machine lacks: the wasm target, wasm-bindgen, Trunk. Says what it does.
# usage: tools.sh FOLDER TRUNK_VERSION WASM_BINDGEN_VERSION
set -euo pipefail
folder=$1 trunk=$2 bindgen=$3

needs() { # TOOL WHERE-FROM
    command -v "$1" >/dev/null || {
        echo "setup: $1 is missing; install $2, then run this again" >&2
        exit 1
    }
}
needs cargo "Rust with rustup"
needs rustc "Rust with rustup"
needs cc "a C compiler (Debian: apt-get install build-essential)"
needs npm "Node.js with npm (Debian: apt-get install nodejs npm)"

# A linker that meets a full disk dies of a bus error half an hour later, which tells nobody what is wrong.
here=$(cd "$(dirname "$0")/../.." && pwd)
if [ ! -d "$here/target/release" ]; then
    needed_mib=9216
    free_mib=$(df --output=avail -m "$here" | tail -1 | tr -d ' ')
    if [ "$free_mib" -lt "$needed_mib" ]; then
        echo "setup: a first build takes up to $needed_mib MiB of disk and $here has $free_mib MiB; make room, or clone it to a larger disk" >&2
        exit 1
    fi
fi

target=wasm32-unknown-unknown
if ! ls "$(rustc --print sysroot)/lib/rustlib/$target/lib/"libcore-*.rlib >/dev/null 2>&1; then
    command -v rustup >/dev/null || {
        echo "setup: the Rust target $target is missing and there is no rustup to add it; install it with your Rust" >&2
        exit 1
    }
    echo "setup: adding the Rust target $target"
    rustup target add "$target"
fi

# wasm-bindgen without --locked: one crate of its lock file is missing from some mirrors.
if [ "$(wasm-bindgen --version 2>/dev/null || true)" != "wasm-bindgen $bindgen" ]; then
    echo "setup: installing wasm-bindgen $bindgen (two to four minutes, without a word)"
    cargo install --quiet wasm-bindgen-cli --version "$bindgen" --root "$folder"
fi
if [ "$(trunk --version 2>/dev/null || true)" != "trunk $trunk" ]; then
    echo "setup: installing Trunk $trunk (five to twelve minutes, without a word)"
    cargo install --quiet trunk --version "$trunk" --locked --root "$folder"
fi

packages=$(cd "$(dirname "$0")/../../frontend" && pwd)
if [ ! -d "$packages/node_modules" ] || [ "$packages/package-lock.json" -nt "$packages/node_modules" ]; then
    echo "setup: installing the npm packages of the page's build"
    (cd "$packages" && npm ci --no-audit --no-fund --loglevel=error)
    touch "$packages/node_modules"
fi
