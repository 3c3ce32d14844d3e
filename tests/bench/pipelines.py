"""Pipelines and replicas of our own, on threads: forecasts of the bubble beside what is measured, and what ranks gain.

`bench.py` asks `sections` what to run; `pipelines.py FOLDER [ROUNDS]` prints the same of the programs in a folder, on
a machine that has nothing else. Each rank computes with one thread (`engine.threads = 1`, RAYON_NUM_THREADS=1), so
that two ranks take two cores and one rank one; more ranks are tried only where each has a core.

A pipeline is held against one rank twice. The first quotient is what the ranks bring: one rank has no reason to cut its
batches, and takes them whole. The second is of one rank that cuts them as the pipeline does: products of few rows are
slower on one core, so that more micro-batches make that rank slower, and this quotient larger, though nothing is won.

Of each pipeline there are four bubbles (`bubbles.py`). The planned one is what `recspeed plan` says of the spec, by
counted operations, before anything runs. The foretold one is what `recspeed plan --lengths` says of the same order with
the lengths of the first step that a run tells, its second, before the later ones have begun. The measured one is read
from the `span` events of these. The replayed one is simulated with the lengths of the very step that is measured: it
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
from bubbles import Bubbles, Shape, Step, shown

SPEC = """
version = 1
seed = 7
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
sample = {rows}
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
SIZES = {"layers": 60, "growth": 64, "batch": 512, "rows": 8000}
STAGES = (
    'kind = "pipeline"\nstages = {ranks}\nschedule = "{schedule}"\nchunks = {chunks}\nmicro_batches = {micro_batches}'
)
ONE = 'kind = "hybrid"\nstages = 1\nranks = 1\nmicro_batches = {micro_batches}'
REPLICAS = {
    "data parallel": 'kind = "data-parallel"\nranks = {ranks}',
    "ZeRO 1": 'kind = "zero"\nranks = {ranks}\nstage = 1',
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
    "bubble, foretold",
    "bubble, replayed",
    "bubble, measured",
]


class Row(NamedTuple):
    """Medians: seconds of one rank with as many micro-batches and of all ranks, and the bubbles."""

    alone: float
    fit: float
    planned: float
    foretold: float | None
    replayed: float
    measured: float


def run(worker: Path, strategy: str) -> list[dict[str, Any]]:
    """The events of a run of the worker."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run(
            [str(worker), "--spec", str(spec), "--data-home", home],
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


def measure(release: Path, rounds: int, micro_batches: int) -> tuple[dict[Shape, Row], int]:
    """One rank and every pipeline of so many micro-batches in turn; and the last step that all of them told."""
    worker, recspeed = release / "recspeed-worker", release / "recspeed"
    pipelines = shapes(micro_batches, here())
    strategies = {shape: STAGES.format(**shape._asdict()) for shape in pipelines}
    plans = {shape: planned(recspeed, strategy) for shape, strategy in strategies.items()}
    one: list[float] = []
    fits: dict[Shape, list[float]] = {shape: [] for shape in pipelines}
    found: dict[Shape, list[Bubbles]] = {shape: [] for shape in pipelines}
    last = sys.maxsize
    for _ in range(rounds):
        one.append(seconds(run(worker, ONE.format(micro_batches=micro_batches))))
        for shape, strategy in strategies.items():
            events = run(worker, strategy)
            told = bubbles.steps(events)
            fits[shape].append(seconds(events))
            found[shape].append(bubbles.of_run(told, simulation(recspeed, shape)))
            # The first one that is told is the second.
            last = min(last, 1 + len(told))
    alone = statistics.median(one)
    return {shape: row(alone, fits[shape], plans[shape], found[shape]) for shape in pipelines}, last


def simulation(recspeed: Path, shape: Shape) -> Callable[[Step], float]:
    """The bubble of a schedule with the lengths of a step."""

    def of(step: Step) -> float:
        bubble: float = bubbles.simulated(recspeed, shape, bubbles.lengths(step, shape))["bubble"]
        return bubble

    return of


def row(alone: float, fits: list[float], plan: float, found: list[Bubbles]) -> Row:
    foretold = [one.foretold for one in found if one.foretold is not None]
    return Row(
        alone,
        statistics.median(fits),
        plan,
        statistics.median(foretold) if foretold else None,
        statistics.median(share for one in found for share in one.replayed),
        statistics.median(share for one in found for share in one.measured),
    )


def line(shape: Shape, row: Row, whole: float) -> str:
    """`whole`: seconds of one rank with whole batches."""
    foretold = "none: one step told" if row.foretold is None else shown(row.foretold)
    cells = [
        str(shape.ranks),
        shape.schedule,
        str(shape.micro_batches),
        f"{row.alone:.2f} s",
        f"{row.fit:.2f} s",
        f"{whole / row.fit:.2f}",
        f"{row.alone / row.fit:.2f}",
        shown(row.planned),
        foretold,
        shown(row.replayed),
        shown(row.measured),
    ]
    return f"| {' | '.join(cells)} |"


def of_whole_batches(rows: dict[Shape, Row]) -> float:
    """Seconds of one rank that takes each batch at once: the sweep begins with one micro-batch, on two ranks."""
    return next(row.alone for shape, row in rows.items() if shape.micro_batches == 1)


def lines_of(rows: dict[Shape, Row]) -> list[str]:
    """A line for each pipeline; none where no machine has room for one."""
    if not rows:
        return []
    whole = of_whole_batches(rows)
    order = sorted(rows, key=lambda shape: (shape.ranks, SCHEDULES.index(shape.schedule), shape.micro_batches))
    return [line(shape, rows[shape], whole) for shape in order]


def table(release: Path, rounds: int) -> str:
    """What every pipeline took, its bubbles, and how many of these were foretold."""
    rows: dict[Shape, Row] = {}
    last = sys.maxsize
    for micro_batches in SWEEP:
        more, told = measure(release, rounds, micro_batches)
        rows.update(more)
        last = min(last, told)
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}", *lines_of(rows)]
    near = bubbles.counted([(row.planned, row.foretold, row.measured) for row in rows.values()])
    return "\n".join([*lines, "", near, "", legend(last)])


def legend(last: int) -> str:
    """`last`: the last step that the runs told."""
    measured = f"steps 3 to {last}" if last > 3 else f"step {last}"
    return (
        f"DenseNet of {SIZES['layers']} layers of {SIZES['growth']}, batches of {SIZES['batch']}, "
        f"{SIZES['rows']} rows, one epoch; every rank computes with one thread, so two ranks have twice the cores "
        "of one. A rank has one stage, two where the schedule is interleaved. *Planned*: by counted operations, "
        "before the run; sends take a rank no time. *Foretold*: the plan's simulation of the same order, with passes "
        "and sends as long as the mean of their kind on their stage in step 2 of the same run, before the steps that "
        f"are measured have begun. *Measured*: of {measured}. *Replayed*: the same simulation, with the lengths of the "
        "very step that is measured; it foretells nothing. Fit: seconds of the whole training. *Whole batches*: one "
        "rank with one micro-batch. With more of them one rank is slower, because products of few rows are, so that "
        "the quotient by the same micro-batches grows where nothing is won."
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
        f"{SIZES['batch']} rows."
    )
    return "\n".join([*lines, "", words])


def sections(release: Path, rounds: int) -> list[tuple[str, Callable[[], str]]]:
    """Sections of docs/benchmarks.md."""
    return [
        ("Pipelines on threads: speed-up and bubble, 1 to 32 micro-batches", lambda: table(release, rounds)),
        ("Replicas on threads: speed-up", lambda: replicas(release, rounds)),
    ]


def main() -> None:
    release, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    for title, measured in sections(release, rounds):
        print(f"## {title}\n\n{measured()}\n", flush=True)


if __name__ == "__main__":
    main()
