"""Fills the part on other seeds of docs/cold-items.md: `cold_seeds.py [--recspeed PROGRAM] [--seeds 42,43,44]`.

A seed draws other cold items. On each draw `recspeed compare` runs the methods and tests content-linear against the
order of the ids, user by user; RECSPEED_DATA as ever.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cold-items.md"
BEGIN, END = "<!-- seeds: written by tests/conformance/cold_seeds.py -->\n", "<!-- end of seeds -->"
SPECS = {"Amazon Beauty 5-core": "beauty5-cold-items.toml", "MovieLens-100K": "ml100k-cold-items.toml"}
# Whose scores are all alike for cold items: the lab's rule for equal scores gives them by their ids.
ORDER = "ids in order"
METHODS = {
    "random": '{ kind = "random" }',
    ORDER: '{ kind = "popularity" }',
    "feature-embeddings": '{ kind = "feature-embeddings", item_attributes = ["class"] }',
    "content-tfidf": '{ kind = "content-tfidf", attributes = ["class"] }',
    "content-linear": '{ kind = "content-linear", attributes = ["class"] }',
}
METRICS = ["ndcg@10", "recall@10"]


def group(spec: str) -> str:
    """The spec with all methods in place of its recommender."""
    text = (ROOT / "tests" / "conformance" / "cold" / spec).read_text()
    text = re.sub(r"\[recommender\]\n(?:[a-z].*\n)+", "", text)
    text = re.sub(r"metrics = .*", f"metrics = {json.dumps(METRICS)}", text)
    for name, recommender in METHODS.items():
        # Of Beauty all attributes, which have one name.
        asked = re.sub(r", (item_)?attributes = \[[^]]*\]", "", recommender) if "beauty" in spec else recommender
        text += f'\n[[compare]]\nname = "{name}"\nrecommender = {asked}\n'
    return text


def compare(recspeed: Path, spec: str, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "group.toml"
        file.write_text(group(spec))
        kept = Path(folder) / "kept"
        settings: list[str | Path] = ["--seeds", "1", "--set", f"seed={seed}", "--against", ORDER, "--keep", kept]
        command: list[str | Path] = [recspeed, "compare", file, *settings, "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cold_seeds: {spec}, seed {seed}: {done.stderr.strip()[-400:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def share(value: float) -> str:
    """Four digits without the 0 before the point."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.4f}")


def spread(values: list[float]) -> str:
    return f"{share(statistics.mean(values))} ± {share(statistics.stdev(values))}"


def tested(title: str, seed: int, told: dict[str, Any]) -> list[str]:
    """A row for each metric: content-linear beside the order of the ids."""
    places = {method["name"]: at for at, method in enumerate(told["methods"])}
    pair = {places[ORDER], places["content-linear"]}
    lines = []
    for metric in METRICS:
        test = next(
            test for test in told["tests"] if test["metric"] == metric and {test["left"], test["right"]} == pair
        )
        turned = test["left"] == places[ORDER]
        sign = -1 if turned else 1
        low, high = sorted(sign * end for end in test["interval"])
        better, worse = (test[f"{side}_larger"] for side in (("right", "left") if turned else ("left", "right")))
        p = test["p_randomization_holm"]
        cells = [
            share(sign * test["difference"]),
            f"{share(low)} to {share(high)}",
            f"{better:,}",
            f"{worse:,}",
            f"{p:.4f}",
        ]
        lines.append(f"| {title} | {seed} | {metric} | {' | '.join(cells)} |")
    return lines


def tables(recspeed: Path, seeds: list[int]) -> str:
    means, tests = [], []
    for title, spec in SPECS.items():
        runs = [compare(recspeed, spec, seed) for seed in seeds]
        for at, name in enumerate(METHODS):
            values = [[run["methods"][at]["metrics"][metric]["mean"] for run in runs] for metric in METRICS]
            each = [", ".join(map(share, of_metric)) for of_metric in values]
            cells = [cell for pair in zip(map(spread, values), each, strict=True) for cell in pair]
            means.append(f"| {title} | {name} | {' | '.join(cells)} |")
        tests += [line for seed, told in zip(seeds, runs, strict=True) for line in tested(title, seed, told)]
    procedure = runs[0]["procedure"]
    return "\n".join(
        [
            f"**Other cold items**: the seeds {', '.join(map(str, seeds))} draw others; all the rest is as above. The "
            "mean over the seeds, its standard deviation, and each.",
            "",
            "| | | cold: ndcg@10 | of each seed | recall@10 | of each seed |",
            "|---|---|---|---|---|---|",
            *means,
            "",
            "content-linear less the order of the ids, over the users of each draw: `recspeed compare`, "
            f"the {100 * procedure['level']:.0f} % interval by the bootstrap, p of a paired randomization test "
            f"({procedure['draws']:,} draws) by Holm over all pairs with the order of the ids.",
            "",
            "| | seed | metric | difference | interval | users better off | worse off | p |",
            "|---|---|---|---|---|---|---|---|",
            *tests,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recspeed", type=Path, default=ROOT / "target" / "release" / "recspeed")
    parser.add_argument("--seeds", default="42,43,44")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    if len(seeds) < 2:
        parser.error(f"--seeds {given.seeds}: a standard deviation takes two seeds or more, as 42,43")
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    if not rest:
        sys.exit(f"cold_seeds: {DOCUMENT} has no line {BEGIN.strip()}")
    after = rest[rest.index(END) :]
    written = tables(given.recspeed, seeds)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{written}\n{after}")


if __name__ == "__main__":
    main()
