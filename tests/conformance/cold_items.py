"""Fills the tables of docs/cold-items.md: `cold_items.py [--recspeed PROGRAM] [--only ROWS]`, RECSPEED_DATA as ever.

The document names the rows and what each trains; this runs every one of them twice, with the cold items as candidates
and among all items, and writes what came out where it stands. Rows that it leaves out stay as they are.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cold-items.md"
SPECS = {"**Amazon Beauty": "beauty5-cold-items.toml", "**MovieLens": "ml100k-cold-items.toml"}
AMONG_ALL = ["evaluation.candidates=unseen-and-cold", 'evaluation.metrics=["ndcg@10", "recall@10", "recall@100"]']
RECOMMENDER = re.compile(r"^\| (?P<row>[^|]+) \| `(?P<toml>\{ kind = .*\})` \|$")
MEASURED = re.compile(r"^Measured on .* with the defaults of (these days|that day)")


def run(recspeed: Path, spec: str, recommender: str, settings: list[str]) -> dict[str, Any]:
    """The result of one run."""
    sets = [part for value in [f"recommender={recommender}", *settings] for part in ("--set", value)]
    file = ROOT / "tests" / "conformance" / "cold" / spec
    command: list[str | Path] = [recspeed, "run", file, *sets, "--json", "--no-keep"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cold_items: {recommender} on {spec}: {done.stderr.strip()[-400:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def share(value: float) -> str:
    """Four digits; a list that never has one says 0."""
    return f"{value:.4f}".removeprefix("0") if value else "0"


def cells(recspeed: Path, spec: str, recommender: str) -> list[str]:
    """What stands in a row behind its name."""
    cold = run(recspeed, spec, recommender, [])
    every = run(recspeed, spec, recommender, AMONG_ALL)
    told = [share(cold["metrics"][name]) for name in ("ndcg@10", "recall@10", "hit@10")]
    ties = f"{100 * cold['evaluation']['tie_share']:.0f} %"
    return [*told, ties, *(share(every["metrics"][name]) for name in ("ndcg@10", "recall@10", "recall@100"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recspeed", type=Path, default=ROOT / "target" / "release" / "recspeed")
    parser.add_argument("--only", default="", help="rows whose names begin so, as ease,fm")
    given = parser.parse_args()
    recommenders: dict[str, str] = {}
    spec, lines, whole = "", DOCUMENT.read_text().splitlines(), not given.only
    for at, line in enumerate(lines):
        if found := RECOMMENDER.match(line):
            recommenders[found["row"]] = found["toml"]
        elif MEASURED.match(line) and whole:
            today = datetime.datetime.now(datetime.UTC).date().strftime("%-d %B %Y")
            lines[at] = MEASURED.sub(f"Measured on {today} with the defaults of that day", line)
        elif begun := next((start for start in SPECS if line.startswith(start)), ""):
            spec = SPECS[begun]
        elif spec and line.startswith("| ") and line[2] not in "|-":
            name = line.split("|")[1].strip()
            row = max((row for row in recommenders if name.startswith(row)), key=len, default="")
            if row and name.startswith(tuple(given.only.split(","))):
                asked = recommenders[row]
                if "beauty" in spec:
                    asked = re.sub(r", (item_)?attributes = \[[^]]*\]", "", asked)
                lines[at] = f"| {name} | {' | '.join(cells(given.recspeed, spec, asked))} |"
                print(lines[at], flush=True)
                # What was measured stays, should a later row fail.
                DOCUMENT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
