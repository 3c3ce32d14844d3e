"""Pipelines and replicas of our own, on threads: forecasts of the bubble beside what is measured, and what ranks gain.

`bench.py` asks `sections` what to run; `pipelines.py FOLDER [ROUNDS]` prints the same of the programs in a folder, on
a machine that has nothing else. Each rank computes with one thread (`engine.threads = 1`, RAYON_NUM_THREADS=1), so
that two ranks take two cores and one rank one; more ranks are tried only where each has a core.

A pipeline is held against one rank twice. The first quotient is what the ranks bring: one rank has no reason to cut its
batches, and takes them whole. The second is of one rank that cuts them as the pipeline does: products of few rows are
slower on one core, so that more micro-batches make that rank slower, and this quotient larger, though nothing is won.

Of each pipeline there are five bubbles (`bubbles.py`). The planned one is what `recspeed plan` says of the spec, by
counted operations, before anything runs. The others are of measured lengths, which `recspeed plan --lengths` simulates:
the calibrated one of those of the same schedule with other numbers of micro-batches, without a look at the run itself;
the foretold one of those of the run's own steps 2 to 6, before the later ones have begun. The measured one is read from
the `span` events of these. The replayed one is simulated with the lengths of the very step that is measured: it
foretells nothing, and tells how much of the measured bubble the order explains.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import bubbles
from bubbles import FORETELL, LAST, TOLD, Bubbles, Judged, Lengths, Shape, shown

SPEC = """
version = 1
seed = 7
[dataset]
source = "builtin"
id = "beauty-synthetic-100k"
sample = {rows}
[split]
kind = "random"
test_ratio = 0.2
[recommender]
kind = "densenet"
layers = {layers}
growth = {growth}
[training]
epochs = 1
batch_size = {batch}
[engine]
threads = 1
[strategy]
{strategy}
[evaluation]
metrics = ["auc"]
"""
# Four fifths of the rows are 21 whole batches and a part of one: every step that is told has a whole one.
SIZES = {"layers": 60, "growth": 64, "batch": 512, "rows": 13_500}
STAGES = (
    'kind = "pipeline"\nstages = {ranks}\nschedule = "{schedule}"\nchunks = {chunks}\nmicro_batches = {micro_batches}'
)
ONE = 'kind = "hybrid"\nstages = 1\nranks = 1\nmicro_batches = {micro_batches}'
REPLICAS = {
    "data parallel": 'kind = "data-parallel"\nranks = {ranks}',
    "ZeRO 1": 'kind = "zero"\nranks = {ranks}\nstage = 1',
    "ZeRO 2": 'kind = "zero"\nranks = {ranks}\nstage = 2',
    "ZeRO 3": 'kind = "zero"\nranks = {ranks}\nstage = 3',
}
SWEEP = [1, 2, 4, 8, 16, 32]
RANKS = [2, 4, 8]
SCHEDULES = ["gpipe", "1f1b", "interleaved", "zb-h1"]
# Stages of each rank, where a schedule has several.
CHUNKS = {"interleaved": 2}
HEAD = [
    "ranks",
    "schedule",
    "micro-batches",
    "one rank, the same micro-batches",
    "all ranks, fit",
    "against one rank with whole batches",
    "against one rank, the same micro-batches",
    "bubble, planned",
    "bubble, calibrated",
    "bubble, foretold",
    "bubble, measured (middle half)",
    "measured less foretold",
    "of the foretold",
    "bubble, replayed",
]


class Row(NamedTuple):
    """Medians: seconds of one rank with as many micro-batches and of all ranks, the bubbles, the lengths that foretell.
    Between the two of `spread` lies the middle half of the measured ones, of all steps of all rounds."""

    alone: float
    fit: float
    planned: float
    foretold: float
    replayed: float
    measured: float
    spread: tuple[float, float]
    lengths: Lengths


def run(worker: Path, strategy: str) -> list[dict[str, Any]]:
    """The events of a run of the worker."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run(
            [str(worker), "--spec", str(spec), "--data-home", home, "--told-steps", str(TOLD)],
            capture_output=True,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": "1"},
        )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if not events or events[-1]["kind"] != "finished":
        raise RuntimeError(done.stderr.strip()[-300:])
    return events


def seconds(events: list[dict[str, Any]]) -> float:
    """Of the whole training."""
    fit: float = events[-1]["summary"]["timing"]["fit_s"]
    return fit


def planned(recspeed: Path, strategy: str) -> float:
    """The bubble that `recspeed plan` says of the same spec, before anything runs."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run([str(recspeed), "plan", str(spec), "--json"], capture_output=True, text=True, check=True)
    bubble: float = json.loads(done.stdout)["bubble"]
    return bubble


def here() -> list[int]:
    """The numbers of ranks of which each has a core of its own."""
    return [ranks for ranks in RANKS if ranks <= (os.cpu_count() or 1)]


def shapes(micro_batches: int, all_ranks: list[int]) -> list[Shape]:
    """Every schedule on so many ranks. Fewer micro-batches than ranks leave most of these idle; two show that once."""
    of = [(schedule, ranks, CHUNKS.get(schedule, 1)) for schedule in SCHEDULES for ranks in all_ranks]
    return [
        Shape(schedule, ranks, chunks, micro_batches)
        for schedule, ranks, chunks in of
        if (ranks == 2 or micro_batches >= ranks) and ranks * chunks <= SIZES["layers"]
    ]


def measure(release: Path, rounds: int, micro_batches: int) -> dict[Shape, Row]:
    """One rank and every pipeline of so many micro-batches in turn."""
    worker, recspeed = release / "recspeed-worker", release / "recspeed"
    pipelines = shapes(micro_batches, here())
    strategies = {shape: STAGES.format(**shape._asdict()) for shape in pipelines}
    plans = {shape: planned(recspeed, strategy) for shape, strategy in strategies.items()}
    one: list[float] = []
    fits: dict[Shape, list[float]] = {shape: [] for shape in pipelines}
    found: dict[Shape, list[Bubbles]] = {shape: [] for shape in pipelines}
    for _ in range(rounds):
        one.append(seconds(run(worker, ONE.format(micro_batches=micro_batches))))
        for shape, strategy in strategies.items():
            events = run(worker, strategy)
            told = bubbles.steps(events)
            if len(told) != TOLD:
                raise RuntimeError(f"{shape}: {len(told)} steps were told to their end, not {TOLD}: give it more rows")
            fits[shape].append(seconds(events))
            found[shape].append(bubbles.of_run(told, shape, simulation(recspeed, shape)))
    alone = statistics.median(one)
    return {shape: row(alone, fits[shape], plans[shape], found[shape]) for shape in pipelines}


def simulation(recspeed: Path, shape: Shape) -> Callable[[Lengths], float]:
    """The bubble of a schedule with such lengths."""

    def of(lengths: Lengths) -> float:
        bubble: float = bubbles.simulated(recspeed, shape, lengths)["bubble"]
        return bubble

    return of


def row(alone: float, fits: list[float], plan: float, found: list[Bubbles]) -> Row:
    measured = [share for one in found for share in one.measured]
    return Row(
        alone,
        statistics.median(fits),
        plan,
        statistics.median(one.foretold for one in found),
        statistics.median(share for one in found for share in one.replayed),
        statistics.median(measured),
        bubbles.middle(measured),
        bubbles.median([one.lengths for one in found]),
    )


def calibrated(rows: dict[Shape, Row], simulate: Callable[[Shape, Lengths], float]) -> dict[Shape, float]:
    """The bubble of each pipeline by what the same one took with other numbers of micro-batches."""
    of: dict[Shape, float] = {}
    for shape in rows:
        known = {
            other.micro_batches: rows[other].lengths
            for other in rows
            if other._replace(micro_batches=shape.micro_batches) == shape
        }
        of[shape] = simulate(shape, bubbles.calibrated(shape.micro_batches, known))
    return of


def judged(shape: Shape, row: Row, calibrated: float) -> Judged:
    name = f"{shape.ranks} ranks, {shape.schedule}, {shape.micro_batches}"
    return Judged(name, row.planned, calibrated, row.foretold, row.replayed, row.measured)


def line(shape: Shape, row: Row, whole: float, calibrated: float) -> str:
    """`whole`: seconds of one rank with whole batches."""
    low, high = row.spread
    cells = [
        str(shape.ranks),
        shape.schedule,
        str(shape.micro_batches),
        f"{row.alone:.2f} s",
        f"{row.fit:.2f} s",
        f"{whole / row.fit:.2f}",
        f"{row.alone / row.fit:.2f}",
        shown(row.planned),
        shown(calibrated),
        shown(row.foretold),
        f"{shown(row.measured)} ({shown(low)} to {shown(high)})",
        bubbles.points(row.foretold, row.measured),
        f"{100 * bubbles.apart(row.foretold, row.measured):.1f} %",
        shown(row.replayed),
    ]
    return f"| {' | '.join(cells)} |"


def of_whole_batches(rows: dict[Shape, Row]) -> float:
    """Seconds of one rank that takes each batch at once: the sweep begins with one micro-batch, on two ranks."""
    return next(row.alone for shape, row in rows.items() if shape.micro_batches == 1)


def ordered(rows: dict[Shape, Row]) -> list[Shape]:
    return sorted(rows, key=lambda shape: (shape.ranks, SCHEDULES.index(shape.schedule), shape.micro_batches))


def lines_of(rows: dict[Shape, Row], by_others: dict[Shape, float]) -> list[str]:
    """A line for each pipeline; none where no machine has room for one. `by_others`: the calibrated bubbles."""
    if not rows:
        return []
    whole = of_whole_batches(rows)
    return [line(shape, rows[shape], whole, by_others[shape]) for shape in ordered(rows)]


def table(release: Path, rounds: int) -> str:
    """What every pipeline took, its bubbles, and how many of these were foretold."""
    rows: dict[Shape, Row] = {}
    for micro_batches in SWEEP:
        rows.update(measure(release, rounds, micro_batches))
    by_others = calibrated(rows, lambda shape, lengths: simulation(release / "recspeed", shape)(lengths))
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}", *lines_of(rows, by_others)]
    near = bubbles.counted([judged(shape, rows[shape], by_others[shape]) for shape in ordered(rows)])
    return "\n".join([*lines, "", near, "", legend()])


def legend() -> str:
    return (
        f"DenseNet of {SIZES['layers']} layers of {SIZES['growth']}, batches of {SIZES['batch']}, "
        f"{SIZES['rows']} rows of which a fifth is held out, one epoch; every rank computes with one thread, so two "
        "ranks have twice the cores of one. A rank has one stage, two where the schedule is interleaved. *Planned*: by "
        "counted operations, before the run; sends and receives take a rank no time. The others are the plan's "
        "simulation of the same order with measured lengths of passes, sends and receives, the mean of a kind on its "
        "stage in a step. *Calibrated*: before the run, on the line through the lengths with the two nearest other "
        f"numbers of micro-batches. *Foretold*: medians of steps 2 to {FORETELL + 1} of the run, before those that are "
        f"measured have begun. *Measured*: median of steps {FORETELL + 2} to {LAST} of all rounds, and the middle half "
        "of them. *Replayed*: by the lengths of the very step that is measured; it foretells nothing. Fit: seconds of "
        "the whole training. *Whole batches*: one rank with one micro-batch. With more of them one rank is slower, "
        "because products of few rows are, so that the quotient by the same micro-batches grows where nothing is won."
    )


def replicas(release: Path, rounds: int) -> str:
    """Data parallel and ZeRO on as many threads as ranks, beside one rank in the same rounds."""
    worker = release / "recspeed-worker"
    one: list[float] = []
    fits: dict[tuple[int, str], list[float]] = {(ranks, name): [] for ranks in here() for name in REPLICAS}
    for _ in range(rounds):
        one.append(seconds(run(worker, ONE.format(micro_batches=1))))
        for (ranks, name), took in fits.items():
            took.append(seconds(run(worker, REPLICAS[name].format(ranks=ranks))))
    alone = statistics.median(one)
    lines = ["| ranks | strategy | fit | speed-up |", "|---|---|---|---|", f"| 1 | | {alone:.2f} s | |"]
    for (ranks, name), took in fits.items():
        fit = statistics.median(took)
        lines.append(f"| {ranks} | {name} | {fit:.2f} s | {alone / fit:.2f} |")
    words = (
        "The same network, rows and batches; each rank computes with one thread and takes its share of every batch of "
        f"{SIZES['batch']} rows. `make bench ONLY='^Pipelines|^Replicas'` measures both tables in one go, so that they "
        "are of the same machine and program."
    )
    return "\n".join([*lines, "", words])


def sections(release: Path, rounds: int) -> list[tuple[str, Callable[[], str]]]:
    """Sections of docs/benchmarks.md."""
    return [
        ("Pipelines on threads: speed-up and bubble, 1 to 32 micro-batches", lambda: table(release, rounds)),
        ("Replicas on threads: speed-up", lambda: replicas(release, rounds)),
    ]


def main() -> None:
    release, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    for title, measured in sections(release, rounds):
        print(f"## {title}\n\n{measured()}\n", flush=True)


if __name__ == "__main__":
    main()
