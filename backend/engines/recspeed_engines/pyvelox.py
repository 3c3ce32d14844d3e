"""PyVelox as the data path, PyTorch as what trains.

Each input and the targets are one Velox vector. They come in through Arrow without a copy, or, where
`RECSPEED_PYVELOX=list` is set, by `pyvelox.from_list`, as the paper built them; an epoch's rows are read from the
vectors through Arrow again. Vectors lie in the machine's own memory: where a GPU trains, each epoch's rows go there.
"""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

import numpy as np
import pyarrow
import pyvelox
import torch

from . import pytorch
from .job import Job
from .pytorch import Batches
from .story import Story


def vector(column: np.ndarray) -> Any:
    """A Velox vector of 32-bit floats."""
    if os.environ.get("RECSPEED_PYVELOX") == "list":
        return pyvelox.from_list(column.tolist())
    return pyvelox.import_from_arrow(pyarrow.array(column))


def tensor(column: Any) -> torch.Tensor:
    """A vector's numbers, without a copy where it holds 32-bit ones; a vector made of a list holds 64-bit ones."""
    return torch.from_dlpack(pyvelox.export_to_arrow(column)).float()


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    columns = [vector(np.ascontiguousarray(job.inputs[:, column])) for column in range(job.inputs.shape[1])]
    answers = vector(job.targets)

    def batches(epoch: int) -> Batches:
        order = torch.from_numpy(job.order(epoch))
        x = torch.stack([tensor(column)[order] for column in columns], 1).to(job.device)
        y = tensor(answers)[order].unsqueeze(1).to(job.device)
        size = job.training.batch_size
        for at in range(0, job.rows, size):
            yield x[at : at + size], y[at : at + size]

    return pytorch.learn(job, story, batches)


prepare = pytorch.prepare
threads = pytorch.threads
precision = pytorch.precision


def versions() -> dict[str, str]:
    velox = importlib.metadata.version("pyvelox")
    # How the vectors are built changes the times, so a run says it.
    built = "list" if os.environ.get("RECSPEED_PYVELOX") == "list" else "arrow"
    return {"pyvelox": velox, "pyvelox-vectors": built, "pyarrow": pyarrow.__version__, **pytorch.versions()}
