"""The bubble of a pipeline on threads, read from the events of a run: measured, simulated again, and foretold.

A bubble is idle time in parts of what the busiest rank computes, until the last pass. `recspeed plan --lengths`
simulates a schedule whose passes and sends are as long as the mean of their kind on their stage in some step of a run.
With the lengths of the step that is measured that is a replay, which foretells nothing; with those of a step before it,
a forecast. It needs nothing but Python's own library, so that it runs beside the two programs alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable
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


class Picked(NamedTuple):
    """The step whose lengths foretell, and those that the forecast is held against."""

    foretells: Step | None
    measured: list[Step]


class Bubbles(NamedTuple):
    """Those of a run: one is foretold, and of each step that is measured there is one of each other kind."""

    foretold: float | None
    replayed: list[float]
    measured: list[float]


def steps(events: Iterable[dict[str, Any]]) -> list[Step]:
    """The passes and sends of each step that all ranks told to its end."""
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
            elif is_pass(span.name) or span.name.startswith("send "):
                current.append(span)
        by_rank.append(cut)
    return [[span for part in parts for span in part] for parts in zip(*by_rank, strict=False)]


def is_pass(name: str) -> bool:
    return name[0] in "FBIWR" and name[1:].isdigit()


def picked(told: list[Step]) -> Picked:
    """The first step that a run tells foretells the later ones: no step is held against its own lengths. One step alone
    is measured, and nothing foretells it."""
    if not told:
        raise RuntimeError("the run told no step to its end: it has no bubble; give it more steps")
    return Picked(told[0], told[1:]) if len(told) > 1 else Picked(None, told)


def bubble(step: Step) -> float:
    """Idle over ideal time, until the last pass: what the busiest rank waits and sends beside what it computes."""
    passes = [span for span in step if is_pass(span.name)]
    busy: dict[int, float] = {}
    for span in passes:
        busy[span.rank] = busy.get(span.rank, 0) + span.end - span.start
    makespan = max(span.end for span in passes) - min(span.start for span in passes)
    return makespan / max(busy.values()) - 1


def lengths(step: Step, shape: Shape) -> list[dict[str, float]]:
    """What each stage took for a micro-batch, as `recspeed plan --lengths` reads it: the mean of each kind."""
    took: dict[tuple[int, str], list[float]] = {}
    for span in step:
        kind = span.name.rstrip("0123456789").strip()
        took.setdefault((span.rank + shape.ranks * span.chunk, kind), []).append(span.end - span.start)

    def mean(stage: int, *kinds: str) -> float:
        return sum(statistics.mean(took[stage, kind]) for kind in kinds if (stage, kind) in took)

    stages = [
        {
            "forward_us": mean(stage, "F"),
            "backward_input_us": mean(stage, "B", "I"),
            "backward_weight_us": mean(stage, "W"),
            "send_activation_us": mean(stage, "send"),
            "send_gradient_us": mean(stage, "send slope"),
        }
        for stage in range(shape.ranks * shape.chunks)
    ]
    assert all(stage["forward_us"] and stage["backward_input_us"] for stage in stages), "each has told its passes"
    return stages


def simulated(recspeed: Path, shape: Shape, stages: list[dict[str, float]]) -> dict[str, Any]:
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


def of_run(told: list[Step], simulate: Callable[[Step], float]) -> Bubbles:
    """`simulate`: the bubble of the schedule with the lengths of a step."""
    foretells, measured = picked(told)
    foretold = None if foretells is None else simulate(foretells)
    return Bubbles(foretold, [simulate(step) for step in measured], [bubble(step) for step in measured])


def tenths(share: float) -> int:
    """Tenths of a percent, in which tables show a share."""
    return round(1000 * share)


def shown(share: float) -> str:
    return f"{tenths(share) / 10:.1f} %"


def near(forecast: float, measured: float) -> bool:
    """Within 10 % of what was measured, or within one percentage point where that is below 5 %: both as they are shown,
    so that whoever reads a table counts the same."""
    apart = abs(tenths(forecast) - tenths(measured))
    return apart <= 10 if tenths(measured) < 50 else 10 * apart <= tenths(measured)


def counted(rows: list[tuple[float, float | None, float]]) -> str:
    """In how many rows the forecasts are near: of each row the planned, the foretold and the measured bubble."""
    planned = sum(near(row, measured) for row, _, measured in rows)
    known = [(foretold, measured) for _, foretold, measured in rows if foretold is not None]
    foretold = sum(near(*row) for row in known)
    words = (
        "Within 10 % of the measured bubble, or within one percentage point where that is below 5 %, are the planned "
        f"one in {planned} of {len(rows)} rows and the foretold one in {foretold} of {len(known)}."
    )
    without = len(rows) - len(known)
    return words + (f" Rows without a forecast, whose runs told one step only: {without}." if without else "")
