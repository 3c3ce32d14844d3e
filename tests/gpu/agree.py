"""Every network learns on every device what it learns on flex, and PyTorch on a GPU what Burn learns on flex.

`agree.py [--workers FOLDER] [--devices libtorch-cpu,libtorch-cuda,pytorch@cuda] [--json]`

Each network is trained twice from the same seed by the workers in FOLDER (target/release unless set): on flex and on
the device. They agree when both began with the same weights and orders, where they say with which, the losses of the
first steps differ by less than a relative 1e-4 (1e-3 where products are rounded to TF32, or where nobody says that
they are not) and every metric at the end by less than .01: on other devices sums are taken in another order, and what
begins as rounding grows with every step. Devices are those that the workers' own `probe` lists. `pytorch@cuda` is the
engine `pytorch` of the lab's folder (RECSPEED_HOME), where it is installed and a worker has a device on a GPU; it
trains the networks that are lent to other frameworks. Exit status 1 where one disagrees or fails.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST_STEPS = 3
# By what the run says that it multiplied in; a mantissa of TF32 has ten bits.
LOSS_RTOL = {"f32": 1e-4, "tf32": 1e-3}
UNKNOWN_RTOL = 1e-3
METRIC_ATOL = 0.01
# Engines that compute on a GPU, and the networks that are lent to them.
ENGINES = ("pytorch@cuda",)
LENT = ("mlp", "densenet")
ON_A_GPU = ("libtorch-cuda", "cuda")
# Where the worker looks for engines: the lab's folder.
HOMES: list[tuple[str, str]] = [
    ("RECSPEED_HOME", ""),
    ("XDG_DATA_HOME", "recspeed"),
    ("HOME", ".local/share/recspeed"),
]
# The size of the network, of the data, and how much of it: small enough for a processor, large enough to be a test.
Settings = dict[str, object]
# The recommender, its settings, the data set and the training.
Case = tuple[str, Settings, Settings, Settings]
SMALL: Settings = {"source": "builtin", "id": "beauty-synthetic-10k"}
LARGE: Settings = {"source": "builtin", "id": "beauty-synthetic-100k"}
CASES: list[Case] = [
    ("mlp", {}, SMALL, {"epochs": 1}),
    # Each framework draws dropout of its own.
    ("densenet", {"layers": 20, "dropout": 0.0}, SMALL, {"epochs": 1}),
    ("neumf", {}, SMALL, {"epochs": 1}),
    ("wide-and-deep", {}, SMALL, {"epochs": 1}),
    ("deepfm", {}, SMALL, {"epochs": 1}),
    ("dlrm", {}, SMALL, {"epochs": 1}),
    ("autoencoder", {}, SMALL, {"epochs": 1}),
    ("sasrec", {}, SMALL, {"epochs": 1}),
    ("gru4rec", {}, SMALL, {"epochs": 1}),
    ("caser", {}, SMALL, {"epochs": 1}),
    ("bert4rec", {}, SMALL, {"epochs": 1}),
]
# Where a wide device gains, and where the way to it costs: the same network, small and large.
SPEED: list[Case] = [
    ("mlp", {"hidden": [64, 64, 64]}, LARGE, {"epochs": 1, "batch_size": 64}),
    ("mlp", {"hidden": [1024, 1024, 1024]}, SMALL, {"epochs": 1, "batch_size": 512}),
    ("mlp", {"hidden": [4096, 4096, 4096]}, {**SMALL, "sample": 4000}, {"epochs": 1, "batch_size": 1024}),
    ("densenet", {"layers": 150}, SMALL, {"epochs": 1, "batch_size": 512}),
    ("autoencoder", {}, SMALL, {"epochs": 2}),
    ("sasrec", {}, LARGE, {"epochs": 1}),
]


class Failed(Exception):
    """A run that did not end well."""


def builds(folder: Path) -> dict[str, Path]:
    """The worker for each device that is here."""
    workers: dict[str, Path] = {}
    for worker in sorted(folder.glob("recspeed-worker*")):
        if worker.suffix:
            continue
        told = json.loads(subprocess.run([worker, "probe"], capture_output=True, check=True, text=True).stdout)
        for device in told["devices"]:
            workers.setdefault(device["device"], worker)
    return workers


def engines(workers: dict[str, Path]) -> list[str]:
    """The engines on a GPU that are here, as `pytorch@cuda`."""
    home = next((Path(os.environ[name], below) for name, below in HOMES if os.environ.get(name)), None)
    if home is None or not any(device in workers for device in ON_A_GPU):
        return []
    return [name for name in ENGINES if (home / "engines" / name.partition("@")[0] / "record.json").is_file()]


def events(worker: Path, spec: Settings, timeout: float = 600) -> list[dict[str, Any]]:
    """What the worker told of a run of this spec, which ended well."""
    ran = subprocess.run([worker], input=json.dumps(spec), capture_output=True, text=True, timeout=timeout)
    told: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    last = told[-1] if told else {}
    if last.get("kind") != "finished":
        raise Failed(last.get("cause") or ran.stderr[-400:])
    return told


def train(workers: dict[str, Path], where: str, case: Case, threads: int | None) -> dict[str, Any]:
    """What came of a training on a device, or by an engine on one."""
    kind, parameters, dataset, training = case
    engine, _, device = where.rpartition("@")
    worker = workers["flex" if engine else device]
    spec: Settings = {
        "version": 1,
        "name": kind,
        "seed": 42,
        "dataset": dataset,
        "recommender": {"kind": kind, **parameters},
        "training": training,
        "engine": {"kind": engine or "burn", "device": device, **({"threads": threads} if threads else {})},
    }
    told = events(worker, spec)
    losses = [event["value"] for event in told if event["kind"] == "metric" and event["name"] == "loss"]
    summary = told[-1]["summary"]
    return {
        "losses": losses[:FIRST_STEPS],
        "metrics": summary["metrics"],
        "fit_s": summary["timing"]["fit_s"],
        "final_loss": summary["training"]["final_loss"],
        "parameters": summary["training"]["parameters"],
        "begun": summary["training"].get("begun"),
        "precision": summary["engine"].get("precision"),
    }


def compare(reference: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """Largest relative difference of the first losses, largest difference of the metrics."""
    losses = [abs(a - b) / abs(a) for a, b in zip(reference["losses"], other["losses"], strict=True)]
    names = [name for name, value in reference["metrics"].items() if abs(value) <= 10]
    metrics = [abs(reference["metrics"][name] - other["metrics"][name]) for name in names]
    return max(losses), max(metrics)


def agree(reference: dict[str, Any], other: dict[str, Any], loss: float, metric: float) -> bool:
    """Whether two trainings are of the same thing, differences as `compare` has them."""
    near = LOSS_RTOL.get(other["precision"], UNKNOWN_RTOL)
    return bool(reference["begun"] == other["begun"] and loss <= near and metric <= METRIC_ATOL)


def words(case: Case) -> str:
    kind, parameters, dataset, training = case
    settings = {**parameters, **training, "data": dataset["id"]}
    return f"{kind} ({', '.join(f'{name} {value}' for name, value in settings.items())})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=Path, default=Path(__file__).parents[2] / "target/release")
    parser.add_argument("--devices", help="those to hold against flex (all that are here unless set)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed; 0 for none")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output, and the rest on standard error"
    )
    given = parser.parse_args()
    tell = functools.partial(print, file=sys.stderr if given.json else sys.stdout, flush=True)
    workers = builds(given.workers)
    here = [device for device in workers if device != "flex"] + engines(workers)
    wanted = given.devices.split(",") if given.devices else here
    missing = [device for device in wanted if device not in here]
    if missing or not wanted:
        tell(f"agree: {', '.join(missing) or 'no device but flex'} is not here; there are {', '.join(['flex', *here])}")
        return 1
    told: dict[str, list[dict[str, object]]] = {"agree": [], "speed": []}
    try:
        bad = measure(workers, wanted, given, told, tell)
    except KeyboardInterrupt:
        # Whoever ended this for time has what was measured before.
        bad = 1
        tell("agree: ended before its end")
    if given.json:
        print(json.dumps({"measured": time.strftime("%Y-%m-%d"), "rounds": given.rounds, **told}))
    return 1 if bad else 0


def measure(
    workers: dict[str, Path],
    wanted: list[str],
    given: argparse.Namespace,
    told: dict[str, list[dict[str, object]]],
    tell: Callable[..., None],
) -> int:
    """Puts what each network did into `told`; how many disagreed or failed."""
    bad = 0
    for case in CASES:
        try:
            reference = train(workers, "flex", case, given.threads)
        except (Failed, subprocess.TimeoutExpired) as failure:
            bad += 1
            tell(f"{case[0]:>14} flex           FAILED: {failure}")
            continue
        for device in wanted:
            if "@" in device and case[0] not in LENT:
                continue
            row: dict[str, object] = {"network": case[0], "device": device}
            try:
                other = train(workers, device, case, given.threads)
                loss, metric = compare(reference, other)
                agrees = agree(reference, other, loss, metric)
                row |= {"loss_difference": loss, "metric_difference": metric, "agrees": agrees}
                began = "" if reference["begun"] == other["begun"] else ", began with other weights or orders"
                verdict = "" if agrees else f"{began}  DISAGREES"
                tell(f"{case[0]:>14} {device:<14} losses {loss:.1e}, metrics {metric:.1e}{verdict}")
            except (Failed, subprocess.TimeoutExpired) as failure:
                agrees = False
                row |= {"agrees": False, "failed": str(failure)}
                tell(f"{case[0]:>14} {device:<14} FAILED: {failure}")
            bad += not agrees
            told["agree"].append(row)
    for case in SPEED if given.rounds else []:
        row = {"case": words(case)}
        for device in ["flex", *(device for device in wanted if "@" not in device)]:
            try:
                runs = [train(workers, device, case, given.threads) for _ in range(given.rounds)]
                seconds = sorted(run["fit_s"] for run in runs)
                row[device] = {"median_s": seconds[len(seconds) // 2], "least_s": seconds[0], "most_s": seconds[-1]}
                tell(f"{words(case)} {device}: {seconds[len(seconds) // 2]:.3f} s")
            except (Failed, subprocess.TimeoutExpired) as failure:
                row[device] = {"failed": str(failure)}
                bad += 1
                tell(f"{words(case)} {device}: FAILED: {failure}")
        told["speed"].append(row)
    return bad


if __name__ == "__main__":
    sys.exit(main())
