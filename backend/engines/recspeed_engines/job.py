"""What is trained: a spec with every default written out, and the numbers that are the same for every engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import tensors

NETWORKS = ("mlp", "densenet")
# Of a digest, as `shared/neural/src/training/begun.rs` has it: what sets places apart, and what mixes.
PLACE, MIX, AGAIN = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
# Words that are folded at once: the memory of an engine is measured.
BLOCK = 1 << 16


class InvalidSpec(Exception):
    """A spec that this engine cannot run; the text names the field and what is allowed."""


@dataclass(frozen=True)
class Training:
    """`[training]` with every default filled in."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    loss: str
    gradient_clip: float | None


@dataclass(frozen=True)
class Job:
    """One training.

    `inputs` is [rows, width], `targets` [rows]; `orders` holds, for each epoch, in which order the rows are visited.
    `initial` are the first weights by name: `NAME.weight` is [inputs, outputs], `NAME.bias` [outputs].
    """

    kind: str
    params: dict[str, Any]
    seed: int
    threads: int
    device: str
    strategy: dict[str, Any]
    training: Training
    inputs: np.ndarray
    targets: np.ndarray
    orders: list[np.ndarray]
    initial: dict[str, np.ndarray]
    spec: dict[str, Any] = field(repr=False)

    @property
    def rows(self) -> int:
        return int(self.inputs.shape[0])

    @property
    def batches(self) -> int:
        """Batches of an epoch; the last one may be smaller."""
        return -(-self.rows // self.training.batch_size)

    @property
    def steps(self) -> int:
        return self.batches * self.training.epochs

    @property
    def parameters(self) -> int:
        return sum(int(array.size) for array in self.initial.values())

    def order(self, epoch: int) -> np.ndarray:
        """In which order the rows are visited, as the signed numbers that frameworks index with."""
        return self.orders[epoch].astype(np.int64)

    def layers(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Name, weight and bias of each fully connected layer, in their order."""
        names = [name.removesuffix(".weight") for name in self.initial if name.endswith(".weight")]
        names.sort(key=_place)
        return [(name, self.initial[f"{name}.weight"], self.initial[f"{name}.bias"]) for name in names]


def warm_up(job: Job) -> Job:
    """A training of two batches of the same shapes: for what a framework does once a process, not once a training."""
    rows = min(job.rows, 2 * job.training.batch_size)
    return replace(
        job,
        inputs=job.inputs[:rows],
        targets=job.targets[:rows],
        orders=[np.arange(rows, dtype=np.int64)],
        training=replace(job.training, epochs=1),
    )


def begun(job: Job) -> dict[str, str]:
    """What was read of that which every engine must begin with: whoever has read something else says something else."""
    return {"weights": digest(job.initial[name] for name in sorted(job.initial)), "orders": digest(job.orders)}


def digest(arrays: Iterable[np.ndarray]) -> str:
    """64 bits, in hexadecimal, of the bits of all numbers and their places. It finds accidents, not attacks.

    The numbers of an array are of 32 bits.
    """
    total, place = 0, 1
    for array in arrays:
        words = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
        for at in range(0, len(words), BLOCK):
            mixed = words[at : at + BLOCK].astype(np.uint64)
            mixed += np.arange(place, place + len(mixed), dtype=np.uint64) * PLACE
            mixed = (mixed ^ (mixed >> np.uint64(30))) * MIX
            mixed = (mixed ^ (mixed >> np.uint64(27))) * AGAIN
            total += int((mixed ^ (mixed >> np.uint64(31))).sum(dtype=np.uint64))
            place += len(mixed)
    return f"{total % 2**64:016x}"


def _place(name: str) -> tuple[int, int]:
    """`layers.0`, `layers.1`, …, then `last`."""
    head, _, number = name.rpartition(".")
    return (0, int(number)) if head == "layers" else (1, 0)


def _need(section: dict[str, Any], path: str, name: str) -> Any:
    if name not in section:
        raise InvalidSpec(f"{path}.{name} is missing; every default must be written out for an engine")
    return section[name]


def read(spec_text: str, job_path: Path, engine: str) -> Job:
    """The job of this spec for the engine of this name."""
    try:
        spec = json.loads(spec_text)
    except ValueError as error:
        raise InvalidSpec(f"the spec is no JSON: {error}") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("recommender"), dict):
        raise InvalidSpec("the spec has no section recommender")
    named = spec.get("engine", {}).get("kind")
    if named != engine:
        raise InvalidSpec(f"engine.kind is `{named}`, but this is the engine `{engine}`")
    recommender = dict(spec["recommender"])
    kind = recommender.pop("kind", None)
    if kind not in NETWORKS:
        raise InvalidSpec(f"recommender.kind is `{kind}`; the engine `{engine}` trains: {', '.join(NETWORKS)}")
    told = spec.get("training") or {}
    training = Training(
        epochs=int(_need(told, "training", "epochs")),
        batch_size=int(_need(told, "training", "batch_size")),
        optimizer=str(_need(told, "training", "optimizer")),
        learning_rate=float(_need(told, "training", "learning_rate")),
        weight_decay=float(told.get("weight_decay") or 0.0),
        loss=str(_need(told, "training", "loss")),
        gradient_clip=told.get("gradient_clip"),
    )
    if told.get("early_stopping") is not None:
        raise InvalidSpec("training.early_stopping is set; the reference engines take every epoch: leave it out")
    arrays = tensors.read(job_path)
    for name in ["inputs", "targets", *(f"order.{epoch}" for epoch in range(training.epochs))]:
        if name not in arrays:
            raise tensors.BadTensors(f"{job_path} has no array {name}")
    prefix = "initial/"
    job = Job(
        kind=kind,
        params=recommender,
        seed=int(spec.get("seed", 0)),
        threads=max(1, int(spec["engine"].get("threads") or 1)),
        device=str(spec["engine"].get("device", "cpu")),
        strategy=dict(spec.get("strategy") or {"kind": "single"}),
        training=training,
        inputs=arrays["inputs"],
        targets=arrays["targets"],
        orders=[arrays[f"order.{epoch}"] for epoch in range(training.epochs)],
        initial={name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)},
        spec=spec,
    )
    if job.inputs.ndim != 2 or job.targets.shape != (job.rows,) or any(len(order) != job.rows for order in job.orders):
        raise tensors.BadTensors(f"{job_path} holds inputs, targets and orders of different lengths")
    return job
