#!/usr/bin/env bash
# Measures on a machine with a GPU and a Python with PyTorch: do all networks learn there what they learn on the processor, and how
# long do the studies take? Leaves gpu-results.json beside this script, or where OUT says. PYTHON: the Python with PyTorch.
# STEPS: which, in this order, and after a colon how many seconds one may take, as "nccl memory:150 pipeline-vs-sharded". What can be made smaller:
# AGREE (arguments of agree.py, as "--rounds 0"), REPEATS (of every study), ON ("gpu": only such rows of pipeline-vs-sharded), ENGINES (of four-layer).
# Each step may take as many seconds as STEP says, and one that fails is written down; the others go on. A study that takes longer is asked to
# stop, reports what it has measured by then, and goes on behind that where this script is started again.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here}
python=$(command -v "${PYTHON:-python3}")
steps=${STEPS:-agree memory nccl four-layer mixed pipeline-vs-sharded retrieval}
limit=${STEP:-600}
step=$limit
for one in $steps; do
  case $one in *:*[!0-9]* | *:) echo "measure: \`$one\` of STEPS: behind the colon stand seconds" >&2; exit 1 ;; esac
  case ${one%%:*} in
    agree | memory | nccl | four-layer | mixed | pipeline-vs-sharded | retrieval) ;;
    *) echo "measure: no step is called \`${one%%:*}\`" >&2; exit 1 ;;
  esac
done
# A worker leaves within 5 seconds of being asked to, and the report is written then: from tables of two million rows, a few seconds more.
grace=${GRACE:-60}
export PATH=$here/bin:$PATH RECSPEED_HOME=${RECSPEED_HOME:-$here/home}
mkdir -p "$out/studies" "$RECSPEED_HOME" "$here/parts"
# What a study has measured is kept there at once: it is to be where the results are, should all of this be killed.
[ -e "$RECSPEED_HOME/studies" ] || ln -s "$(cd "$out" && pwd)/studies" "$RECSPEED_HOME/studies"
# The sections are of this start alone: a partial report would leave the whole one of another start where it is.
rm -f "$here/parts/studies.md"

torch=$("$python" -P -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")')
[ -d "$torch/lib" ] || { echo "measure: $python has no PyTorch; set PYTHON" >&2; exit 1; }
# PyTorch's libraries find those of CUDA beside themselves.
export LD_LIBRARY_PATH=$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# NCCL is looked for by another name than that which PyTorch's wheel gives it.
nccl=$(dirname "$torch")/nvidia/nccl/lib/libnccl.so.2
if [ -e "$nccl" ]; then
  mkdir -p "$here/lib"
  ln -sf "$nccl" "$here/lib/libnccl.so"
  export LD_LIBRARY_PATH=$here/lib:$LD_LIBRARY_PATH
fi
built=$(cat "$here/torch-version")
found=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py")
[ "$built" = "$found" ] || echo "measure: built for PyTorch $built, found $found: it may not start" >&2

if [ ! -x "$here/bin/recspeed" ]; then
  "$python" - "$here/bin" <<'PY'
import lzma, pathlib, sys
for packed in pathlib.Path(sys.argv[1]).glob("*.xz"):
    program = packed.with_suffix("")
    program.write_bytes(lzma.decompress(packed.read_bytes()))
    program.chmod(0o755)
PY
fi

take() { # NAME command…: runs it, keeps what it printed and how it ended
  local name=$1 begun=$SECONDS
  shift
  timeout --signal="${signal:-INT}" --kill-after="$grace" "$step" "$@" > "$here/parts/$name.out" 2> "$here/parts/$name.err"
  echo "$? $((SECONDS - begun))" > "$here/parts/$name.status"
  # Of a report that is not whole: it says so itself, and so does this.
  if grep -qs '^  "partial": {' "$here/parts/$name.out"; then
    echo "measure: $name was stopped after $step s and has a partial report; start this again, or with a larger STEP, and it goes on" >&2
  fi
  echo "measure: $name ended with $(cat "$here/parts/$name.status") s" >&2
  tail -n 3 "$here/parts/$name.err" >&2
  # What is there by now, should this be ended before its end.
  "$python" "$here/gather.py" "$here/parts" "$out/gpu-results.json"
}

take gpu nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
take probe recspeed-worker probe
take pytorch recspeed engines install pytorch --existing "$python" --json
# A section of its own for each study; document.py moves them to docs/studies.md.
study() { # NAME repeats arguments…
  local name=$1 repeats=${REPEATS:-$2}
  shift 2
  signal=TERM take "$name" recspeed study "$name" --repeats "$repeats" "$@" \
    --document "$here/parts/studies.md" --section 'on a GPU' --replace --json
}
for one in $steps; do
  step=$limit
  case $one in *:*) step=${one#*:} ;; esac
  case ${one%%:*} in
    agree)
      # shellcheck disable=SC2086  # AGREE has several words.
      take agree "$python" "$here/agree.py" --workers "$here/bin" ${AGREE:-} --json ;;
    memory) take memory "$python" "$here/memory.py" --workers "$here/bin" --json ;;
    nccl) take nccl recspeed-worker try-nccl ;;
    # Threads cost more than they bring to layers of 64: with two, PyTorch on the processor is fastest.
    four-layer)
      study four-layer 5 --threads 2 --engines \
        "${ENGINES:-burn,burn@libtorch-cpu,burn@libtorch-cuda,burn@vulkan,burn@cuda,pytorch,pytorch@cuda}" ;;
    mixed) study mixed 3 --threads 2 ;;
    pipeline-vs-sharded) study pipeline-vs-sharded 3 --threads 2 ${ON:+--on "$ON"} ;;
    retrieval) study retrieval 3 --rows 10000,2023070 --containers plain,arrow,burn,torch ;;
  esac
done

echo "measure: $out/gpu-results.json"
