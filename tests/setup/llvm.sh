#!/usr/bin/env bash
# `llvm.sh PREFIX` lays an installed LLVM (Debian: llvm-22-dev, then PREFIX is /usr/lib/llvm-22) out as the build of Burn's CUDA kernels
# looks for its own, which it otherwise fetches from GitHub, and prints the XDG_DATA_HOME to build with. What Burn calls of LLVM is in
# 22 and 23 alike; that the kernels compute what they should is for `make devices-test` on a machine with a GPU.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=${1:?llvm.sh: which LLVM? as /usr/lib/llvm-22}
config=$prefix/bin/llvm-config
if [ ! -x "$config" ]; then
  echo "llvm.sh: there is no $config; apt-get install llvm-22-dev zlib1g-dev libzstd-dev, or leave LLVM unset to have it fetched" >&2
  exit 1
fi
bundler=$(sed -n '/^name = "tracel-llvm-bundler"$/{n;s/^version = "\(.*\)"$/\1/p}' "$root/Cargo.lock")
home=$root/target/llvm
folder=$home/tracel/tracel-llvm-$bundler
mkdir -p "$folder/bin"
# Names of libraries only: the bundler takes a path, as Debian's of Z3, for a name. Z3, libxml2 and Polly serve parts that nothing here
# calls, and Debian has the last in a package of its own.
cat > "$folder/bin/llvm-config" <<SCRIPT
#!/bin/sh
for argument; do
  case \$argument in
    --system-libs) echo -lrt -ldl -lm -lz -lzstd; exit ;;
    --libs) "$config" "\$@" | sed 's/-lPolly[A-Za-z]*//g'; exit ;;
  esac
done
exec "$config" "\$@"
SCRIPT
chmod +x "$folder/bin/llvm-config"
# Once: what looks newer is compiled anew, with all that stands on it.
[ -e "$folder/.tracel-llvm-installed" ] || touch "$folder/.tracel-llvm-installed"
echo "$home"
