"""Pipelines and replicas of our own, on threads: the measured bubble beside the planned one, and what more ranks gain.

`bench.py` asks `sections` what to run; `pipelines.py FOLDER [ROUNDS]` prints the same of the programs in a folder, on
a machine that has nothing else. Each rank computes with one thread (`engine.threads = 1`, RAYON_NUM_THREADS=1), so
that two ranks take two cores and one rank one; more ranks are tried only where each has a core.

Of each pipeline there are three bubbles. The planned one is what `recspeed plan` says of the spec, by counted
operations, before anything runs. The measured one is read from the `span` events of the second to fourth step of a
run. The replayed one is what `recspeed plan --lengths` says of the same order with the lengths of that very step: it
foretells nothing, and tells how much of the measured bubble the order explains.
"""

import json
import os
import statistics
import subprocess
import sys
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
STAGES = ('kind = "pipeline"\nstages = {ranks}\nschedule = "{schedule}"\nchunks = {chunks}\n'
          'micro_batches = {micro_batches}')
ONE = 'kind = "hybrid"\nstages = 1\nranks = 1\nmicro_batches = {micro_batches}'
REPLICAS = {"data parallel": 'kind = "data-parallel"\nranks = {ranks}', "ZeRO 1": 'kind = "zero"\nranks = {ranks}\nstage = 1',
            "ZeRO 3": 'kind = "zero"\nranks = {ranks}\nstage = 3'}
SWEEP = [1, 2, 4, 8, 16, 32]
RANKS = [2, 4, 8]
SCHEDULES = ["gpipe", "1f1b", "interleaved", "zb-h1"]
# Stages of each rank, where a schedule has several.
CHUNKS = {"interleaved": 2}


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
    """The passes and sends of each step that was told: lists of (rank, chunk, name, start, end)."""
    told = [(e["rank"], int(e["lane"]), e["name"], e["start_us"], e["start_us"] + e["duration_us"])
            for e in events if e["kind"] == "span" and e["lane"] != "run"]
    ranks = 1 + max(rank for rank, *_ in told)
    by_rank = []
    for rank in range(ranks):
        cut, current = [], []
        for span in (s for s in told if s[0] == rank):
            name = span[2]
            if name == "step":
                cut.append(current)
                current = []
            elif is_pass(name) or name.startswith("send "):
                current.append(span)
        by_rank.append(cut)
    return [sum(parts, []) for parts in zip(*by_rank)]


def is_pass(name):
    return name[0] in "FBIWR" and name[1:].isdigit()


def bubble(spans):
    """Idle over ideal time, until the last pass: what the busiest rank waits and sends beside what it computes."""
    passes, busy = [span for span in spans if is_pass(span[2])], {}
    for rank, *_, start, end in passes:
        busy[rank] = busy.get(rank, 0) + end - start
    makespan = max(end for *_, end in passes) - min(start for *_, start, _ in passes)
    return makespan / max(busy.values()) - 1


def planned(recspeed, strategy):
    """What `recspeed plan` says of the same spec, before anything runs."""
    with tempfile.TemporaryDirectory() as home:
        spec = Path(home) / "spec.toml"
        spec.write_text(SPEC.format(strategy=strategy, **SIZES))
        done = subprocess.run([str(recspeed), "plan", str(spec), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def lengths(spans, ranks, chunks):
    """What each stage took for a micro-batch, as `recspeed plan --lengths` reads it: the mean of each kind."""
    took = {}
    for rank, chunk, name, start, end in spans:
        took.setdefault((rank + ranks * chunk, name.rstrip("0123456789").strip()), []).append(end - start)

    def mean(stage, *kinds):
        return sum(statistics.mean(took[stage, kind]) for kind in kinds if (stage, kind) in took)

    stages = [{"forward_us": mean(stage, "F"), "backward_input_us": mean(stage, "B", "I"),
               "backward_weight_us": mean(stage, "W"), "send_activation_us": mean(stage, "send"),
               "send_gradient_us": mean(stage, "send slope")}
              for stage in range(ranks * chunks)]
    assert all(stage["forward_us"] and stage["backward_input_us"] for stage in stages), "each has told its passes"
    return stages


def replayed(recspeed, spans, shape, micro_batches):
    """The bubble of the lab's own simulation of the schedule, each pass and each send as long as the mean of its kind
    on its stage was in this very step: what the order costs with this machine's lengths, were all of a kind alike."""
    schedule, ranks = shape
    chunks = CHUNKS.get(schedule, 1)
    flags = ["--schedule", schedule, "--stages", ranks, "--chunks", chunks, "--micro-batches", micro_batches]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(lengths(spans, ranks, chunks), file)
        file.flush()
        command = [str(recspeed), "plan", *map(str, flags), "--lengths", file.name, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["bubble"]


def here():
    """The numbers of ranks of which each has a core of its own."""
    return [ranks for ranks in RANKS if ranks <= (os.cpu_count() or 1)]


def told(value):
    return f"{100 * value:.1f} %"


def table(release, rounds):
    """Of each micro-batch count: one rank and every pipeline of it in turn, what they took, and the bubbles of the pipelines."""
    worker, recspeed = release / "recspeed-worker", release / "recspeed"
    rows = {}
    for micro_batches in SWEEP:
        # Fewer micro-batches than ranks leave most ranks idle; two ranks show that once.
        shapes = [(schedule, ranks) for schedule in SCHEDULES for ranks in here()
                  if (ranks == 2 or micro_batches >= ranks) and ranks * CHUNKS.get(schedule, 1) <= SIZES["layers"]]
        strategies = {(schedule, ranks): STAGES.format(schedule=schedule, ranks=ranks, chunks=CHUNKS.get(schedule, 1),
                                                       micro_batches=micro_batches) for schedule, ranks in shapes}
        plans = {shape: planned(recspeed, strategy) for shape, strategy in strategies.items()}
        one, fits, bubbles, replays = [], *({shape: [] for shape in shapes} for _ in range(3))
        for _ in range(rounds):
            one.append(run(worker, ONE.format(micro_batches=micro_batches))[-1]["summary"]["timing"]["fit_s"])
            for shape, strategy in strategies.items():
                events = run(worker, strategy)
                fits[shape].append(events[-1]["summary"]["timing"]["fit_s"])
                measured = steps(events)
                bubbles[shape] += [bubble(spans) for spans in measured]
                replays[shape] += [replayed(recspeed, spans, shape, micro_batches) for spans in measured]
        alone = statistics.median(one)
        for shape in shapes:
            fit = statistics.median(fits[shape])
            shares = [plans[shape]["bubble"], statistics.median(replays[shape]), statistics.median(bubbles[shape])]
            rows[*reversed(shape), micro_batches] = (f"{alone:.2f} s | {fit:.2f} s | {alone / fit:.2f} | "
                                                     + " | ".join(told(share) for share in shares))
    lines = ["| ranks | schedule | micro-batches | one rank, fit | all ranks, fit | speed-up "
             "| bubble, planned | bubble, replayed | bubble, measured |", "|---|---|---|---|---|---|---|---|---|"]
    order = sorted(rows, key=lambda row: (row[0], SCHEDULES.index(row[1]), row[2]))
    lines += [f"| {ranks} | {schedule} | {micro_batches} | {rows[ranks, schedule, micro_batches]} |"
              for ranks, schedule, micro_batches in order]
    words = (f"DenseNet of {SIZES['layers']} layers of {SIZES['growth']}, batches of {SIZES['batch']}, "
             f"{SIZES['rows']} rows, one epoch; every rank computes with one thread, so two ranks have twice the cores "
             "of one. A rank has one stage, two where the schedule is interleaved. *Planned*: by counted operations, "
             "before the run; sends take a rank no time. *Measured*: of the second to fourth step. *Replayed*: the "
             "plan's simulation of the same order, with passes and sends as long as the mean of their kind on their "
             "stage in the very step that is measured; it foretells nothing. Fit: seconds of the whole training.")
    return "\n".join([*lines, "", words])


def replicas(release, rounds):
    """Data parallel and ZeRO on as many threads as ranks, beside one rank in the same rounds."""
    worker = release / "recspeed-worker"
    shapes = [(ranks, name) for ranks in here() for name in REPLICAS]
    one, fits = [], {shape: [] for shape in shapes}
    for _ in range(rounds):
        one.append(run(worker, ONE.format(micro_batches=1))[-1]["summary"]["timing"]["fit_s"])
        for (ranks, name), seconds in fits.items():
            seconds.append(run(worker, REPLICAS[name].format(ranks=ranks))[-1]["summary"]["timing"]["fit_s"])
    alone = statistics.median(one)
    lines = ["| ranks | strategy | fit | speed-up |", "|---|---|---|---|", f"| 1 | | {alone:.2f} s | |"]
    for (ranks, name), seconds in fits.items():
        fit = statistics.median(seconds)
        lines.append(f"| {ranks} | {name} | {fit:.2f} s | {alone / fit:.2f} |")
    words = ("The same network, rows and batches; each rank computes with one thread and takes its share of every batch of "
             f"{SIZES['batch']} rows.")
    return "\n".join([*lines, "", words])


def sections(release, rounds):
    """Sections of docs/benchmarks.md."""
    return [("Pipelines on threads: speed-up and bubble, 1 to 32 micro-batches", lambda: table(release, rounds)),
            ("Replicas on threads: speed-up", lambda: replicas(release, rounds))]


def main():
    release, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    for title, measure in sections(release, rounds):
        print(f"## {title}\n\n{measure()}\n", flush=True)


if __name__ == "__main__":
    main()
