"""What trainings hold of a GPU's memory, beside what `recspeed plan` foretells.

`memory.py [--workers FOLDER] [--devices libtorch-cuda,cuda] [--only NAME,NAME] [--gpu 0] [--json]`

Each spec is planned by the `recspeed` in FOLDER (target/release unless set), then run by the worker there that has its
device, while the driver is asked every few milliseconds how much of the whole card is taken. In containers and virtual
machines it does not say by whom, so what was taken before the run is subtracted, and the card must be otherwise idle.

A process has a context of CUDA and its libraries' workspaces on the card, whatever it computes: what the smallest
network of as many ranks holds. The rest is held against the plan. A run is let in to a share of the memory alone (nine
tenths, of `cuda` two thirds), since the backend's allocator keeps the rest: it may hold as much more as that. The
workspaces that the plan counts for the ranks on `libtorch-cuda` are in the context, too; they are not subtracted. Exit
status 1 where a run holds more than that, or fails.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agree import LARGE, SMALL, Failed, Settings, builds, events

MIB = 1024 * 1024
# Allocators take whole pages of 2 MiB, and of small numbers 20 at once; those of a dozen kinds are noise.
NOISE = 64 * MIB
# A card is idle where it holds no more than this above what it held at first.
IDLE = 16 * MIB
PERIOD_S = 0.004
RUN_S = 60.0

Told = dict[str, Any]


class Case(NamedTuple):
    """A run: how the table calls it, and what makes its spec."""

    name: str
    kind: str
    parameters: Settings
    dataset: Settings
    training: Settings
    strategy: Settings
    devices: tuple[str, ...] = ("libtorch-cuda", "cuda")

    @property
    def ranks(self) -> int:
        return 1 if self.strategy == SINGLE else 2

    def spec(self, device: str) -> Settings:
        # Rankings for a hundred users are enough to hold what scores are computed with.
        ranked: Settings = {} if self.kind in ("mlp", "densenet") else {"evaluation": {"max_users": 100}}
        return {
            "version": 1,
            "name": self.name,
            "seed": 42,
            "dataset": self.dataset,
            "recommender": {"kind": self.kind, **self.parameters},
            "training": {"epochs": 1, **self.training},
            "engine": {"device": device},
            "strategy": self.strategy,
            **ranked,
        }


SINGLE: Settings = {"kind": "single"}
GPIPE: Settings = {"kind": "pipeline", "stages": 2, "micro_batches": 4, "schedule": "gpipe"}
FEW: Settings = {**SMALL, "sample": 4000}
WIDE: Settings = {"hidden": [4096, 4096, 4096]}
BATCH: Settings = {"batch_size": 1024}


def zero(stage: int, offload: bool = False) -> Settings:
    return {"kind": "zero", "ranks": 2, "stage": stage, **({"offload": True} if offload else {})}


LIBTORCH = ("libtorch-cuda",)
# The smallest network, whose numbers take kilobytes: what it holds is the context.
CONTEXTS = {
    1: Case("context, one rank", "mlp", {"hidden": [8]}, FEW, BATCH, SINGLE),
    2: Case("context, two ranks", "mlp", {"hidden": [8]}, FEW, BATCH, GPIPE),
}
# Hundreds of MiB at least, a few seconds at most. Those of two ranks have both on the one card.
CASES = [
    Case("mlp", "mlp", WIDE, FEW, BATCH, SINGLE),
    Case("densenet", "densenet", {"layers": 150, "growth": 32}, SMALL, {"batch_size": 2048}, SINGLE),
    Case("sasrec", "sasrec", {}, LARGE, BATCH, SINGLE),
    Case(
        "dlrm",
        "dlrm",
        {"embedding": 256, "bottom": [512], "hidden": [2048, 2048]},
        {**LARGE, "sample": 40000},
        {"batch_size": 4096},
        SINGLE,
    ),
    Case("autoencoder", "autoencoder", {"hidden": 2048, "latent": 512}, LARGE, {"batch_size": 2048}, SINGLE),
    Case("GPipe, two stages", "mlp", WIDE, FEW, BATCH, GPIPE),
    Case("ZeRO 1", "mlp", WIDE, FEW, BATCH, zero(1), LIBTORCH),
    Case("ZeRO 2", "mlp", WIDE, FEW, BATCH, zero(2), LIBTORCH),
    Case("ZeRO 3", "mlp", WIDE, FEW, BATCH, zero(3), LIBTORCH),
    Case("ZeRO 1, offloaded", "mlp", WIDE, FEW, BATCH, zero(1, offload=True), LIBTORCH),
]


class Memory(ctypes.Structure):
    """`nvmlMemory_t`: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class Card:
    """A GPU, and how much of its memory is taken, by NVIDIA's own library (`nvidia-smi` is a face of it)."""

    def __init__(self, number: int) -> None:
        self.library = ctypes.CDLL("libnvidia-ml.so.1")
        self.handle = ctypes.c_void_p()
        self.ask("nvmlInit_v2")
        self.ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(number), ctypes.byref(self.handle))
        name = ctypes.create_string_buffer(96)
        self.ask("nvmlDeviceGetName", self.handle, name, ctypes.c_uint(len(name)))
        self.name = name.value.decode(errors="replace")
        self.total = self.memory().total
        self.idle = self.memory().used

    def ask(self, function: str, *arguments: Any) -> None:
        status = getattr(self.library, function)(*arguments)
        if status:
            raise OSError(f"{function} answers {status}")

    def memory(self) -> Memory:
        memory = Memory()
        self.ask("nvmlDeviceGetMemoryInfo", self.handle, ctypes.byref(memory))
        return memory

    def come_to_rest(self) -> int:
        """What is taken while nobody runs: the last process gives its memory back a moment after its end."""
        end = time.monotonic() + 5
        while (used := self.memory().used) > self.idle + IDLE:
            if time.monotonic() > end:
                raise Failed(f"others hold {(used - self.idle) // MIB} MiB of {self.name}: it must be idle")
            time.sleep(PERIOD_S)
        return int(used)


class Watch:
    """The most that was taken of a card between begin and end, beyond what was taken before."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.before = card.come_to_rest()
        self.most = self.before
        self.failure: OSError | None = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self) -> None:
        while not self.over.wait(PERIOD_S):
            try:
                self.most = max(self.most, self.card.memory().used)
            except OSError as failure:
                self.failure = failure
                return

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    @property
    def held(self) -> int:
        return self.most - self.before


def foretold(program: Path, spec: Settings, card: Card) -> Told:
    """What the plan says of the GPU. Told its memory, it asks no worker."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(spec, file)
        file.flush()
        command = [str(program), "plan", file.name, "--json", "--gpu-memory", str(card.total // MIB)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S)
    if ran.returncode:
        raise Failed(f"plan: {ran.stderr[-400:]}")
    devices = json.loads(ran.stdout)["devices"]
    if len(devices) != 1:
        raise Failed(f"the plan tells of {len(devices)} GPUs, and not of one")
    told: Told = devices[0]
    return told


def held(worker: Path, spec: Settings, card: Card) -> tuple[int, float]:
    """The most bytes that a run held of the card, and the seconds of its training."""
    with Watch(card) as watch:
        told = events(worker, spec, RUN_S)
    if watch.failure:
        raise watch.failure
    # A context alone is more: what leaves no trace was computed elsewhere, and would hold every law.
    if watch.held < NOISE:
        raise Failed(f"it held only {watch.held // MIB} MiB of {card.name}: is that the GPU that CUDA takes (--gpu)?")
    return watch.held, told[-1]["summary"]["timing"]["fit_s"]


def row_of(case: Case, device: str, plan: Told, measured: int, context: int, seconds: float) -> Told:
    """Bytes of a run beside those that were foretold, and whether the law holds."""
    own, bytes_foretold = max(measured - context, 0), int(plan["bytes"])
    # Of the card's memory that a run may use.
    share = plan["allowed_bytes"] / plan["memory_bytes"]
    parts = {name.removesuffix("_bytes"): plan[name] for name in plan if name.endswith("_bytes")}
    return {
        "case": case.name,
        "device": device,
        "ranks": case.ranks,
        "foretold_bytes": bytes_foretold,
        "measured_bytes": measured,
        "context_bytes": context,
        "own_bytes": own,
        "ratio": own / bytes_foretold,
        "holds": own <= bytes_foretold / share + NOISE,
        "fit_s": seconds,
        "parts": {name: held for name, held in parts.items() if name not in ("memory", "allowed")},
    }


def words(row: Told) -> str:
    name = f"{row['case']:>20} {row['device']:<14}"
    if "failed" in row:
        return f"{name} FAILED: {row['failed']}"
    verdict = "" if row["holds"] else "  MORE THAN FORETOLD"
    return (
        f"{name} foretold {row['foretold_bytes'] / MIB:7.0f} MiB, held {row['own_bytes'] / MIB:7.0f}"
        f" ({row['ratio']:.2f}) beside a context of {row['context_bytes'] / MIB:.0f}{verdict}"
    )


def measure(
    workers: dict[str, Path], program: Path, card: Card, wanted: list[tuple[str, Case]], tell: Callable[..., None]
) -> tuple[list[Told], list[Told]]:
    """The rows and the contexts; whoever ends it for time has what was measured before."""
    rows: list[Told] = []
    contexts: dict[tuple[str, int], int] = {}
    try:
        for device, case in wanted:
            try:
                if (device, case.ranks) not in contexts:
                    taken, _ = held(workers[device], CONTEXTS[case.ranks].spec(device), card)
                    contexts[device, case.ranks] = taken
                    tell(f"{CONTEXTS[case.ranks].name:>20} {device:<14} {taken / MIB:.0f} MiB")
                spec = case.spec(device)
                plan = foretold(program, spec, card)
                measured, seconds = held(workers[device], spec, card)
                rows.append(row_of(case, device, plan, measured, contexts[device, case.ranks], seconds))
            except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as failure:
                rows.append({"case": case.name, "device": device, "failed": str(failure)})
            tell(words(rows[-1]))
    except KeyboardInterrupt:
        tell(f"memory: ended before its end, after {len(rows)} of {len(wanted)} runs")
    told = [{"device": device, "ranks": ranks, "bytes": held} for (device, ranks), held in contexts.items()]
    return rows, told


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=Path, default=Path(__file__).parents[2] / "target/release")
    parser.add_argument("--devices", default="libtorch-cuda,cuda", help="those of CUDA to measure, in this order")
    parser.add_argument("--only", help="names of runs, as mlp,ZeRO 1 (all unless set)")
    parser.add_argument("--gpu", type=int, default=0, help="the number of the GPU that CUDA takes")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output, and the rest on standard error"
    )
    given = parser.parse_args()
    tell = functools.partial(print, file=sys.stderr if given.json else sys.stdout, flush=True)
    names = [case.name for case in CASES]
    only = given.only.split(",") if given.only else names
    unknown = [name for name in only if name not in names]
    if unknown:
        tell(f"memory: no run is called {', '.join(unknown)}; there are {', '.join(names)}")
        return 1
    try:
        card = Card(given.gpu)
    except (OSError, AttributeError) as error:
        tell(f"memory: no NVIDIA GPU whose driver tells its memory is here: {error}")
        return 1
    workers = builds(given.workers)
    devices = given.devices.split(",")
    here = [device for device in devices if device in workers]
    wanted = [(device, case) for device in here for case in CASES if device in case.devices and case.name in only]
    rows, contexts = measure(workers, given.workers / "recspeed", card, wanted, tell)
    for device in devices:
        if device not in workers:
            rows.append({"case": "all", "device": device, "failed": "no worker here has this device"})
            tell(words(rows[-1]))
    if given.json:
        head = {"measured": time.strftime("%Y-%m-%d"), "gpu": card.name, "memory_bytes": card.total}
        print(json.dumps({**head, "wanted": len(wanted), "contexts": contexts, "rows": rows}))
    whole = len([row for row in rows if "failed" not in row]) == len(wanted)
    return 0 if whole and all(row.get("holds") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
