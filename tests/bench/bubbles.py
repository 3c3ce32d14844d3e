"""The bubble of a pipeline on threads, read from the events of a run: measured, simulated again, and foretold.

A bubble is idle time in parts of what the busiest rank computes, until the last pass. `recspeed plan --lengths`
simulates a schedule whose passes and messages are as long as a file says. With the lengths of the step that is measured
that is a replay, which foretells nothing; with those of the steps before it, a forecast; with those of other numbers of
micro-batches, a plan that was calibrated on this machine before the run began. It needs nothing but Python's own
library, so that it runs beside the two programs alone.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Shape(NamedTuple):
    """A pipeline: `chunks` stages on each rank."""

    schedule: str
    ranks: int
    chunks: int
    micro_batches: int


class Span(NamedTuple):
    """What a rank did, in microseconds of its run."""

    rank: int
    chunk: int
    name: str
    start: float
    end: float


Step = list[Span]
# What each stage takes for a micro-batch, in microseconds, by the keys of `recspeed plan --lengths`.
Lengths = list[dict[str, float]]

# A run tells nothing of its first step. Those after it that foretell, and the last one that is told.
FORETELL = 5
LAST = 20
TOLD = LAST - 1


class Picked(NamedTuple):
    """The steps whose lengths foretell, and those that the forecast is held against."""

    foretell: list[Step]
    measured: list[Step]


class Bubbles(NamedTuple):
    """Those of a run: one is foretold, and of each step that is measured there is one of each other kind. `lengths` are
    those that foretell."""

    foretold: float
    replayed: list[float]
    measured: list[float]
    lengths: Lengths


class Judged(NamedTuple):
    """A row of a table: what it is, and its bubbles."""

    name: str
    planned: float
    calibrated: float
    foretold: float
    replayed: float
    measured: float


def steps(events: Iterable[dict[str, Any]]) -> list[Step]:
    """The passes and messages of each step that all ranks told to its end."""
    told = [
        Span(e["rank"], int(e["lane"]), e["name"], e["start_us"], e["start_us"] + e["duration_us"])
        for e in events
        if e["kind"] == "span" and e["lane"] != "run"
    ]
    by_rank: list[list[Step]] = []
    for rank in range(1 + max((span.rank for span in told), default=-1)):
        cut: list[Step] = []
        current: Step = []
        for span in (span for span in told if span.rank == rank):
            if span.name == "step":
                cut.append(current)
                current = []
            elif is_pass(span.name) or span.name.startswith(("send ", "receive ")):
                current.append(span)
        by_rank.append(cut)
    return [[span for part in parts for span in part] for parts in zip(*by_rank, strict=False)]


def is_pass(name: str) -> bool:
    return name[0] in "FBIWR" and name[1:].isdigit()


def picked(told: list[Step]) -> Picked:
    """The first steps that a run tells foretell the later ones: no step is held against its own lengths."""
    if len(told) <= FORETELL:
        raise RuntimeError(
            f"the run told {len(told)} steps to their end, and {FORETELL} foretell those after them: give it more rows"
        )
    return Picked(told[:FORETELL], told[FORETELL:])


def bubble(step: Step) -> float:
    """Idle over ideal time, until the last pass: all that the busiest rank does beside what it computes."""
    passes = [span for span in step if is_pass(span.name)]
    busy: dict[int, float] = {}
    for span in passes:
        busy[span.rank] = busy.get(span.rank, 0) + span.end - span.start
    makespan = max(span.end for span in passes) - min(span.start for span in passes)
    return makespan / max(busy.values()) - 1


def taken(step: Step, shape: Shape) -> dict[tuple[int, str], list[float]]:
    """How long each kind of thing took on each stage. A receive counts from when it was asked for and the message had
    been sent: what lies before that is waiting, which a simulation finds itself. All ranks share one clock."""

    def stage(span: Span) -> int:
        return span.rank + shape.ranks * span.chunk

    sent = {(stage(span), span.name): span.end for span in step if span.name.startswith("send ")}
    took: dict[tuple[int, str], list[float]] = {}
    for span in step:
        start = span.start
        if span.name.startswith("receive "):
            sender = stage(span) + (1 if span.name.startswith("receive slope ") else -1)
            there = sent.get((sender, span.name.replace("receive", "send", 1)), start)
            start = min(span.end, max(start, there))
        took.setdefault((stage(span), span.name.rstrip("0123456789").strip()), []).append(span.end - start)
    return took


def lengths(step: Step, shape: Shape) -> Lengths:
    """What each stage took for a micro-batch in a step: the mean of each kind."""
    took = taken(step, shape)

    def mean(stage: int, *kinds: str) -> float:
        return sum(statistics.mean(took[stage, kind]) for kind in kinds if (stage, kind) in took)

    stages = [
        {
            "forward_us": mean(stage, "F"),
            "backward_input_us": mean(stage, "B", "I"),
            "backward_weight_us": mean(stage, "W"),
            "send_activation_us": mean(stage, "send"),
            "send_gradient_us": mean(stage, "send slope"),
            "receive_activation_us": mean(stage, "receive"),
            "receive_gradient_us": mean(stage, "receive slope"),
        }
        for stage in range(shape.ranks * shape.chunks)
    ]
    assert all(stage["forward_us"] and stage["backward_input_us"] for stage in stages), "each has told its passes"
    return stages


def median(several: list[Lengths]) -> Lengths:
    """Of each kind on each stage: a mean over the micro-batches of a step adds up to what the step took, a median over
    steps leaves out the one that something else held up."""
    first = several[0]
    return [
        {key: statistics.median(one[stage][key] for one in several) for key in first[stage]}
        for stage in range(len(first))
    ]


def calibrated(micro_batches: int, known: Mapping[int, Lengths]) -> Lengths:
    """The lengths with so many micro-batches by those of the two nearest other numbers of them, on the line through
    both: what a message or a pass takes however few rows it has, and what each row takes. None is below 0."""

    def distance(other: int) -> tuple[float, int]:
        return abs(math.log(other / micro_batches)), other

    others = sorted((other for other in known if other != micro_batches), key=distance)
    if len(others) < 2:
        raise RuntimeError(f"lengths with {micro_batches} micro-batches need those with two other numbers of them")
    # Rows of a micro-batch, in parts of a batch.
    near, far, at = 1 / others[0], 1 / others[1], 1 / micro_batches
    share = (at - near) / (far - near)
    return [
        {key: max(0.0, here[key] + share * (there[key] - here[key])) for key in here}
        for here, there in zip(known[others[0]], known[others[1]], strict=True)
    ]


def simulated(recspeed: Path, shape: Shape, stages: Lengths) -> dict[str, Any]:
    """The lab's own simulation of the schedule with these lengths, as `recspeed plan --json` tells it."""
    flags = {"schedule": shape.schedule, "stages": shape.ranks, "chunks": shape.chunks}
    asked = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    asked += ["--micro-batches", str(shape.micro_batches)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lengths.json"
        file.write_text(json.dumps(stages))
        command = [str(recspeed), "plan", *asked, "--lengths", str(file), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def of_run(told: list[Step], shape: Shape, simulate: Callable[[Lengths], float]) -> Bubbles:
    """`simulate`: the bubble of the schedule with such lengths."""
    foretell, measured = picked(told)
    known = median([lengths(step, shape) for step in foretell])
    replayed = [simulate(lengths(step, shape)) for step in measured]
    return Bubbles(simulate(known), replayed, [bubble(step) for step in measured], known)


def hundredths(share: float) -> int:
    """Hundredths of a percent, in which tables show a share."""
    return round(10_000 * share)


def shown(share: float) -> str:
    return f"{hundredths(share) / 100:.2f} %"


def apart(simulated: float, measured: float) -> float:
    """How far the measured bubble lies from a simulated one, in parts of that. Both are taken as they are shown, so
    that whoever reads a table counts the same."""
    between = abs(hundredths(measured) - hundredths(simulated))
    if between == 0:
        return 0.0
    return between / hundredths(simulated) if hundredths(simulated) else math.inf


def near(simulated: float, measured: float) -> bool:
    """Measured within 10 % of what was simulated, however short the bubble is."""
    return 10 * abs(hundredths(measured) - hundredths(simulated)) <= hundredths(simulated)


def middle(shares: list[float]) -> tuple[float, float]:
    """Between these lies the middle half of them."""
    if len(shares) < 2:
        return shares[0], shares[0]
    low, _, high = statistics.quantiles(shares, n=4, method="inclusive")
    return low, high


def counted(rows: list[Judged]) -> str:
    """In how many rows the measured bubble is near each simulated one, and why it is not near the foretold one."""
    kinds = ("planned", "calibrated", "foretold", "replayed")
    counts = [f"the {kind} one in {sum(near(getattr(row, kind), row.measured) for row in rows)}" for kind in kinds]
    words = (
        f"The measured bubble is within 10 % of {', of '.join(counts[:-1])} and of {counts[-1]} of {len(rows)} rows, "
        "each difference in parts of the simulated bubble."
    )
    return "\n\n".join([words, *misses([row for row in rows if not near(row.foretold, row.measured)])])


def misses(rows: list[Judged]) -> list[str]:
    """A replay knows the lengths of the very step. Where it is near, the forecast had other lengths than the steps it
    foretold; where it is not, no mean of a kind explains the step."""
    drifted = [row for row in rows if near(row.replayed, row.measured)]
    uneven = [row for row in rows if not near(row.replayed, row.measured)]
    said = []
    if drifted:
        why = "passes and messages were of other lengths in the steps that are measured than in those before"
        said.append(f"Not within 10 % of the foretold one, since {why} (the replay is near): {listed(drifted)}.")
    if uneven:
        why = "those of one kind were not equally long within a step, or something between them took time"
        said.append(f"Not within 10 % of the foretold one, since {why} (the replay misses, too): {listed(uneven)}.")
    return said


def listed(rows: list[Judged]) -> str:
    return "; ".join(f"{row.name} ({points(row.foretold, row.measured)})" for row in rows)


def points(simulated: float, measured: float) -> str:
    """By how many points of the ideal time the measured bubble is longer."""
    return f"{(hundredths(measured) - hundredths(simulated)) / 100:+.2f} points"
