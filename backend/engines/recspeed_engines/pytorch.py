"""PyTorch, eager: tensors in memory, sliced by batch, so that no worker and no collation of a DataLoader is timed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import torch

from . import torch_networks
from .job import InvalidSpec, Job
from .precision import on_a_gpu, on_a_processor
from .story import Curve, Story

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def prepare(job: Job) -> None:
    if job.device not in ("cpu", "cuda"):
        raise InvalidSpec(f"engine.device is `{job.device}`; this engine computes on `cpu` and `cuda`")
    if job.device == "cuda" and not torch.cuda.is_available():
        raise InvalidSpec("engine.device is `cuda`, and PyTorch finds no GPU here; set engine.device to `cpu`")
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)


def threads(_job: Job) -> int:
    """With how many threads it computes, as PyTorch says."""
    return int(torch.get_num_threads())


def precision(job: Job) -> str | None:
    """What products are computed in: TF32 on a GPU is a setting, of the environment too; oneDNN may be let round."""
    if job.device != "cuda":
        return on_a_processor(os.environ)
    return on_a_gpu(torch.get_float32_matmul_precision(), os.environ)


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    return learn(job, story, sliced(job))


def sliced(job: Job) -> Callable[[int], Batches]:
    """The batches of each epoch: the rows in its order, then views of them; all of it on the device from the start."""
    inputs = torch.from_numpy(job.inputs).to(job.device)
    targets = torch.from_numpy(job.targets).unsqueeze(1).to(job.device)

    def batches(epoch: int) -> Batches:
        order = torch.from_numpy(job.order(epoch)).to(job.device)
        x, y = inputs[order], targets[order]
        size = job.training.batch_size
        for at in range(0, job.rows, size):
            yield x[at : at + size], y[at : at + size]

    return batches


def learn(
    job: Job,
    story: Story,
    batches: Callable[[int], Batches],
    wrap: Callable[[torch.nn.Sequential], torch.nn.Module] = lambda network: network,
) -> tuple[dict[str, np.ndarray], float]:
    """The loop that PyTorch's documentation shows, over whatever brings the batches."""
    network = wrap(torch_networks.build(job).to(job.device))
    optimizer = torch_networks.optimizer_of(job, network.parameters())
    loss_of = torch_networks.loss_of(job.training.loss)
    clip = job.training.gradient_clip
    curve = Curve(story, job.training.epochs, job.batches)
    for epoch in range(job.training.epochs):
        for x, y in batches(epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(network(x), y)
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            curve.batch(loss.item(), len(x))
        curve.epoch()
    story.memory(job.parameters, torch_networks.moments_of(job))
    return torch_networks.weights(job, network), curve.last_epoch_loss


def versions() -> dict[str, str]:
    return {"torch": str(torch.__version__), "numpy": np.__version__}
