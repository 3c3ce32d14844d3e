"""torchgpipe: the layers of the network in stages, here all on one device, with micro-batches one after another."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import torch
from torchgpipe import GPipe

from . import pytorch
from .job import InvalidSpec, Job
from .story import Story

CHECKPOINT = {"never": "never", "except-last": "except_last", "always": "always"}


def prepare(job: Job) -> None:
    pytorch.prepare(job)
    strategy = job.strategy
    if strategy["kind"] not in ("single", "pipeline"):
        raise InvalidSpec(f"strategy.kind is `{strategy['kind']}`; torchgpipe has `pipeline`")
    if strategy["kind"] == "pipeline" and strategy["schedule"] != "gpipe":
        raise InvalidSpec(f"strategy.schedule is `{strategy['schedule']}`; torchgpipe has `gpipe`")


# Stages take turns: one computes at a time.
threads = pytorch.threads
precision = pytorch.precision


def devices(device: str, stages: int) -> list[str]:
    """Where each stage computes: on the processor or on the first GPU, which torchgpipe wants with its number."""
    return ["cuda:0" if device == "cuda" else device] * stages


def balance(modules: int, stages: int) -> list[int]:
    """How many modules each stage holds: as equal as can be."""
    if stages > modules:
        raise InvalidSpec(f"strategy.stages is {stages}, but the network has {modules} modules")
    return [modules // stages + (stage < modules % stages) for stage in range(stages)]


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    strategy = job.strategy
    stages = int(strategy.get("stages", 1)) if strategy["kind"] == "pipeline" else 1

    def piped(network: torch.nn.Sequential) -> torch.nn.Module:
        return GPipe(
            network,
            balance(len(network), stages),
            devices=devices(job.device, stages),
            chunks=int(strategy.get("micro_batches", 1)),
            checkpoint=CHECKPOINT[strategy.get("recompute", "never")],
        )

    return pytorch.learn(job, story, pytorch.sliced(job), piped)


def versions() -> dict[str, str]:
    return {"torchgpipe": importlib.metadata.version("torchgpipe"), **pytorch.versions()}
