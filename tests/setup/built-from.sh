#!/usr/bin/env bash
# Prints what the lab's programs are made of now, as what stands behind the `+` of their version: the last commit that changed any of
# it, and behind that `.changed.HASH` where files are not as that commit has them; HASH tells one such state from another. Prints nothing
# where nobody can tell: this is no checkout of git's (a tarball), or there is no git.
# A commit of documents or tests alone makes no other program, and none is compiled for it. The page inside `recspeed` computes nothing
# that is reported, and does not count.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# A tarball that was unpacked within somebody else's checkout is none of its own.
if [ ! -e .git ] || ! git rev-parse --verify --quiet HEAD >/dev/null 2>&1; then exit 0; fi
made_of=(shared backend .cargo Cargo.toml Cargo.lock rust-toolchain.toml)
made_of+=(':(exclude,glob)**/tests/**' ':(exclude,glob)**/examples/**')
commit=$(git log -1 --format=%h --abbrev=12 HEAD -- "${made_of[@]}")
[ -n "$commit" ] || exit 0
others() { git ls-files -z --others --exclude-standard -- "${made_of[@]}"; }
changed() {
    git diff --no-ext-diff --no-textconv --no-color --binary HEAD -- "${made_of[@]}"
    others | xargs -0 -r sha256sum --
}
# Files that git does not know yet, and does not ignore, are compiled as all others.
if git diff --no-ext-diff --quiet HEAD -- "${made_of[@]}" && [ -z "$(others | tr '\0' '\n')" ]; then
    echo "$commit"
else
    echo "$commit.changed.$(changed | sha256sum | cut -c1-8)"
fi
