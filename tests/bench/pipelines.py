"""Pipelines of our own, on threads: the measured bubble beside the planned one, and what two stages gain over one rank.

`bench.py` asks `sections` what to run. Each rank computes with one thread (`engine.threads = 1`, RAYON_NUM_THREADS=1), so that two
ranks take two cores and one rank one. Bubbles are read from the `span` events of the second to fourth step of a run; the plan is that
of `recspeed plan` with the passes' measured lengths.
"""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

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
TWO = 'kind = "pipeline"\nstages = 2\nschedule = "{schedule}"\nmicro_batches = {micro_batches}'
ONE = 'kind = "hybrid"\nstages = 1\nranks = 1\nmicro_batches = {micro_batches}'
SWEEP = [1, 2, 4, 8, 16, 32]
SCHEDULES = ["gpipe", "1f1b", "zb-h1"]


def run(worker, strategy):
    """The events of a run of the worker."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run([str(worker), "--spec", str(spec), "--data-home", home], capture_output=True, text=True,
                              env={**os.environ, "RAYON_NUM_THREADS": "1"})
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if not events or events[-1]["kind"] != "finished":
        raise RuntimeError(done.stderr.strip()[-300:])
    return events


def steps(events):
    """The passes and sends of each step that was told: lists of (rank, name, start, end)."""
    told = [(e["rank"], e["name"], e["start_us"], e["start_us"] + e["duration_us"])
            for e in events if e["kind"] == "span" and e["lane"] != "run"]
    ranks = 1 + max(rank for rank, *_ in told)
    by_rank = []
    for rank in range(ranks):
        cut, current = [], []
        for span in (s for s in told if s[0] == rank):
            if span[1] == "step":
                cut.append(current)
                current = []
            elif is_pass(span[1]) or span[1].startswith("send "):
                current.append(span)
        by_rank.append(cut)
    return [sum(parts, []) for parts in zip(*by_rank)]


def is_pass(name):
    return name[0] in "FBIWR" and name[1:].isdigit()


def bubble(spans):
    """Idle over ideal time, until the last pass: what the busiest rank waits and sends beside what it computes."""
    passes, busy = [span for span in spans if is_pass(span[1])], {}
    for rank, _, start, end in passes:
        busy[rank] = busy.get(rank, 0) + end - start
    makespan = max(end for *_, end in passes) - min(start for _, _, start, _ in passes)
    return makespan / max(busy.values()) - 1


def planned(recspeed, strategy):
    """What `recspeed plan` says of the same spec, before anything runs."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run([str(recspeed), "plan", str(spec), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def replayed(spans, plan):
    """The bubble of the plan's order of passes, each as long as the mean of its kind on its rank was, and each followed by its send,
    as long as the mean of these: what the schedule costs with this machine's passes and messages, were all of a kind alike."""
    lengths = {}
    for rank, name, start, end in spans:
        kind = name[0] if is_pass(name) else name.rstrip("0123456789").strip()
        lengths.setdefault((rank, kind), []).append(end - start)
    mean = {key: statistics.mean(values) for key, values in lengths.items()}
    order = {}
    for span in sorted(plan["spans"], key=lambda span: span["start_us"]):
        if span["name"][0] in "FBIW" and span["name"][1:].isdigit():
            order.setdefault(span["rank"], []).append(span["name"])
    last, done, free, at, ends = max(order), {}, dict.fromkeys(order, 0.0), dict.fromkeys(order, 0), []
    while any(at[rank] < len(order[rank]) for rank in order):
        moved = False
        for rank in order:
            while at[rank] < len(order[rank]):
                name = order[rank][at[rank]]
                kind, number = name[0], name[1:]
                needs = None
                if kind == "F" and rank > 0:
                    needs = (rank - 1, f"F{number}")
                if kind in "BI" and rank < last:
                    needs = (rank + 1, f"{kind}{number}")
                if needs is not None and needs not in done:
                    break
                start = max(free[rank], done.get(needs, 0.0))
                ends.append(start + mean[rank, kind])
                sends = "send" if kind == "F" and rank < last else "send slope" if kind in "BI" and rank > 0 else None
                free[rank] = done[rank, name] = ends[-1] + (mean[rank, sends] if sends else 0.0)
                at[rank] += 1
                moved = True
        assert moved, "the plan's order has no deadlock"
    busy = {rank: sum(mean[rank, name[0]] for name in order[rank]) for rank in order}
    return max(ends) / max(busy.values()) - 1


def table(release, rounds):
    """Of each micro-batch count: rows a second of one rank and of two stages, in turn, and the bubbles of the latter."""
    worker, recspeed = release / "recspeed-worker", release / "recspeed"
    lines = ["| schedule | micro-batches | one rank, fit | two stages, fit | speed-up | bubble, planned | bubble, replayed | bubble, measured |",
             "|---|---|---|---|---|---|---|---|"]
    for schedule in SCHEDULES:
        for micro_batches in SWEEP:
            two = TWO.format(schedule=schedule, micro_batches=micro_batches)
            plan = planned(recspeed, two)
            fits, bubbles, replays = {"one": [], "two": []}, [], []
            for _ in range(rounds):
                for name, strategy in (("one", ONE.format(micro_batches=micro_batches)), ("two", two)):
                    events = run(worker, strategy)
                    fits[name].append(events[-1]["summary"]["timing"]["fit_s"])
                    if name == "two":
                        told = steps(events)
                        bubbles += [bubble(spans) for spans in told]
                        replays += [replayed(spans, plan) for spans in told]
            one, both = (statistics.median(fits[name]) for name in ("one", "two"))
            shares = [plan["bubble"], statistics.median(replays), statistics.median(bubbles)]
            lines.append(f"| {schedule} | {micro_batches} | {one:.2f} s | {both:.2f} s | {one / both:.2f} | "
                         + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    words = (f"DenseNet of {SIZES['layers']} layers of {SIZES['growth']}, batches of {SIZES['batch']}, {SIZES['rows']} rows, one epoch; every "
             "rank computes with one thread, so two stages have twice the cores of one rank. *Planned*: by counted operations, before the "
             "run. *Replayed*: the simulation again, of the same order, with passes and sends as long as their kind took on their rank. "
             "Fit: seconds of the whole training.")
    return "\n".join([*lines, "", words])


def sections(release, rounds):
    """Sections of docs/benchmarks.md."""
    return [("Pipeline of two stages on threads: speed-up and bubble, 1 to 32 micro-batches", lambda: table(release, rounds))]
