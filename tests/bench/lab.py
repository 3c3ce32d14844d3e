"""What `recspeed run` takes for a fit: for methods that read attributes or orders, which the timing programs do not.

`bench.py` asks `fit`; as a program this file prints one JSON object, as the peers do.
usage: lab.py RECSPEED DATASET RECOMMENDER [--training TOML] [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# A few rows are held out, and few people ranked for: what is measured is the fit.
SPEC = """
version = 1
seed = 42
dataset = {dataset}
recommender = {recommender}
{training}
[split]
kind = "random"
test_ratio = 0.001
[evaluation]
metrics = ["ndcg@10"]
max_users = 10
"""


def fit(recspeed: Path, dataset: str, recommender: str, training: str = "") -> dict[str, Any]:
    """The summary of one run, or `{"failed": why}`. The three are inline tables of TOML, the last may be left out."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        told = f"training = {training}" if training else ""
        spec.write_text(SPEC.format(dataset=dataset, recommender=recommender, training=told))
        command: list[str | Path] = [recspeed, "run", spec, "--json", "--no-keep"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("recspeed: ")[:300]}
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def dataset(path: Path, items: Path | None = None, users: Path | None = None) -> str:
    """An inline table of TOML: a file of ratings, and what is known of items and users."""
    formats = {".csv": "amazon-csv", ".inter": "recbole", ".txt": "sequences"}
    beside = "".join(f', {name} = "{file}"' for name, file in (("items", items), ("users", users)) if file)
    return f'{{ source = "file", path = "{path}", format = "{formats[path.suffix]}"{beside} }}'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recspeed", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("recommender")
    parser.add_argument("--training", default="")
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    runs = [fit(given.recspeed, given.dataset, given.recommender, given.training) for _ in range(given.repeats)]
    for run in runs:
        if "failed" in run:
            sys.exit(run["failed"])
    kind = given.recommender.split('"')[1]
    told = {
        "name": f"Recspeed, {kind} fit",
        "version": runs[0]["engine"]["versions"]["recspeed"],
        "seconds": [run["timing"]["fit_s"] for run in runs],
        "peak_bytes": max(run["memory"]["peak"] for run in runs),
        "note": "each fit in a process of its own, by `recspeed run`, none before it that is not counted; the peak is "
        "that of reading and ranking too",
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
