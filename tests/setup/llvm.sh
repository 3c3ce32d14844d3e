#!/usr/bin/env bash
# `llvm.sh PREFIX` lays an installed LLVM (Debian: llvm-22-dev, then PREFIX is /usr/lib/llvm-22) out as the build of Burn's CUDA kernels
# looks for its own, which it otherwise fetches from GitHub, and prints the XDG_DATA_HOME to build with. What Burn calls of LLVM is in
# 22 and 23 alike; that the kernels compute what they should is for `make devices-test` on a machine with a GPU.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=${1:?llvm.sh: which LLVM? as /usr/lib/llvm-22}
config=$(realpath -m "$prefix")/bin/llvm-config
if [ ! -x "$config" ]; then
  echo "llvm.sh: there is no $config; apt-get install llvm-22-dev zlib1g-dev libzstd-dev, or leave LLVM unset to have it fetched" >&2
  exit 1
fi
bundler=$(sed -n '/^name = "tracel-llvm-bundler"$/{n;s/^version = "\(.*\)"$/\1/p}' "$root/Cargo.lock")
[ -n "$bundler" ] || { echo "llvm.sh: Cargo.lock has no tracel-llvm-bundler, whose folder this lays out" >&2; exit 1; }
home=$root/target/llvm
folder=$home/tracel/tracel-llvm-$bundler
mkdir -p "$folder/bin"
# Names of libraries only: the bundler takes a path, as Debian's of Z3, for a name. Z3, libxml2 and Polly serve parts that nothing here
# calls, and Debian has the last in a package of its own.
cat > "$folder/bin/new" <<SCRIPT
#!/bin/sh
# LLVM $("$config" --version)
for argument; do
  case \$argument in
    --system-libs) echo -lrt -ldl -lm -lz -lzstd; exit ;;
    --libs) "$config" "\$@" | sed 's/-lPolly[A-Za-z]*//g'; exit ;;
  esac
done
exec "$config" "\$@"
SCRIPT
chmod +x "$folder/bin/new"
# Only another LLVM is news: what looks newer is compiled anew, with all that stands on it.
if cmp -s "$folder/bin/new" "$folder/bin/llvm-config"; then
  rm "$folder/bin/new"
else
  mv "$folder/bin/new" "$folder/bin/llvm-config"
  touch "$folder/.tracel-llvm-installed"
fi
echo "$home"
