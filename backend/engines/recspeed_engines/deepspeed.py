"""DeepSpeed: ranks that divide optimizer state, gradients and parameters (ZeRO 1, 2, 3), over gloo on the processor.

This process is rank 0, and the one that is heard; it starts the others with the same arguments and with the variables
that torchrun sets. torchrun itself is not used: it would be one more process between the lab and the ranks, which
starts and watches all of them, while the lab hears one process, ends it with all that it has started, and counts its
memory.

On one GPU there are no such ranks: NCCL refuses two on one card, and one rank has nobody to divide anything with.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from . import compiled

os.environ["DS_ACCELERATOR"] = "cpu"
# DeepSpeed compiles a part of itself, with the ninja that lies beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["TORCH_EXTENSIONS_DIR"] = str(compiled.folder("torch"))

import deepspeed
import torch
from deepspeed.accelerator import get_accelerator

from . import pytorch, torch_networks
from .job import InvalidSpec, Job
from .story import PARENT, Curve, Story, peak_bytes

# How long the other ranks may take to leave.
LEAVING_S = 10.0
# Those that this process, rank 0, has started.
_others: list[subprocess.Popen[bytes]] = []


def finish() -> None:
    """Waits for the other ranks: what they computed counts as this process' work only once they have ended."""
    for other in _others:
        try:
            other.wait(LEAVING_S)
        except subprocess.TimeoutExpired:
            # It leaves by itself when this process does.
            return


def compile_parts() -> None:
    """Compiles what DeepSpeed would compile when its ranks meet, or loads it: a row must not pay for compilers."""
    builder = get_accelerator().create_op_builder("ShareMemCommBuilder")
    if builder is None or not deepspeed.ops.__compatible_ops__.get(builder.NAME, False):
        return
    place = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    with compiled.alone(place):
        if not (place / builder.NAME / f"{builder.NAME}.so").is_file():
            print(f"compiling {builder.NAME}, a part of DeepSpeed", file=sys.stderr, flush=True)
        try:
            builder.load(verbose=False)
        except Exception as error:
            raise RuntimeError(f"its part {builder.NAME} cannot be compiled: {compiled.cause(error)}") from error


def prepare(job: Job) -> None:
    pytorch.prepare(job)
    strategy = job.strategy
    if strategy["kind"] not in ("single", "data-parallel", "zero"):
        raise InvalidSpec(f"strategy.kind is `{strategy['kind']}`; DeepSpeed has `zero` and `data-parallel` here")
    if job.training.gradient_clip is not None and job.training.gradient_clip <= 0:
        raise InvalidSpec("training.gradient_clip must be above 0")
    ranks = _ranks(job)
    # The processor's threads are shared among the ranks.
    torch.set_num_threads(max(1, job.threads // ranks))
    # Before the other ranks are started: they only load it.
    compile_parts()
    # A variable of its own: Slurm and torchrun set RANK, which says nothing of the ranks of this run.
    if "RECSPEED_RANK" not in os.environ:
        _start_others(ranks)
    torch.manual_seed(seed_of(job.seed, int(os.environ["RANK"])))
    deepspeed.init_distributed(dist_backend="gloo", verbose=False)


def threads(job: Job) -> int:
    """With how many threads all ranks compute; more than was asked for where there are more ranks than that."""
    return pytorch.threads(job) * _ranks(job)


precision = pytorch.precision


def seed_of(seed: int, rank: int) -> int:
    """The seed that a rank draws dropout from.

    Not the same on every rank: then rows of different ranks would be dropped alike, as on no single device. DeepSpeed
    leaves the seed to its user; its own `model_parallel_cuda_manual_seed` says that what dropout outside a divided
    layer draws from differs among replicas.
    """
    return int((seed + rank) % 2**63)


def share(rows: int, parts: int, part: int) -> slice:
    """A part of so many rows: parts differ by one row at most, and are empty where there are more of them than rows."""
    return slice(rows * part // parts, rows * (part + 1) // parts)


def _ranks(job: Job) -> int:
    return int(job.strategy.get("ranks", 1)) if job.strategy["kind"] != "single" else 1


def _micro_batches(job: Job) -> int:
    return int(job.strategy.get("micro_batches", 1)) if job.strategy["kind"] != "single" else 1


def _start_others(ranks: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE=str(ranks), LOCAL_SIZE=str(ranks))
    for rank in range(1, ranks):
        ranked = {"RECSPEED_RANK": str(rank), "RANK": str(rank), "LOCAL_RANK": str(rank)}
        environment = {**os.environ, **ranked, PARENT: str(os.getpid())}
        # Nobody listens to what they tell; they leave when this process does.
        command = [sys.executable, "-s", "-P", "-m", *_arguments()]
        _others.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
    os.environ.update(RECSPEED_RANK="0", RANK="0", LOCAL_RANK="0")


def _arguments() -> list[str]:
    return [__package__ or "recspeed_engines", *sys.argv[1:]]


def settings(job: Job) -> dict[str, Any]:
    """DeepSpeed's own configuration."""
    ranks, micro_batches = _ranks(job), _micro_batches(job)
    level = int(job.strategy["stage"]) if job.strategy["kind"] == "zero" else 0
    divided: dict[str, Any] = {"stage": level}
    # Unless told, ZeRO 3 keeps every tensor of up to 100,000 numbers whole on every rank.
    threshold = job.strategy.get("persistence_threshold")
    if level == 3 and threshold is not None:
        divided["stage3_param_persistence_threshold"] = int(threshold)
    return {
        "train_micro_batch_size_per_gpu": max(1, job.training.batch_size // (ranks * micro_batches)),
        "gradient_accumulation_steps": micro_batches,
        "gradient_clipping": job.training.gradient_clip or 0.0,
        "zero_optimization": divided,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
    }


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    network = torch_networks.build(job)
    optimizer = torch_networks.optimizer_of(job, network.parameters())
    engine, *_ = deepspeed.initialize(
        model=network, optimizer=optimizer, config=settings(job), dist_init_required=False
    )
    loss_of = torch_networks.loss_of(job.training.loss)
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    micro_batches = _micro_batches(job)
    parts = ranks * micro_batches
    curve = Curve(story, job.training.epochs, job.batches)
    bring = pytorch.sliced(job)
    for epoch in range(job.training.epochs):
        for x, y in bring(epoch):
            rows = len(x)
            told = torch.zeros(())
            for micro in range(micro_batches):
                # DeepSpeed takes the mean over ranks and micro-batches, so each part weighs as much as it has rows.
                part = share(rows, parts, rank * micro_batches + micro)
                weight = (part.stop - part.start) * parts / rows
                # Ranks must take as many passes as each other: one without rows takes one that weighs nothing.
                taken = part if weight > 0 else slice(0, 1)
                loss = loss_of(engine(x[taken]), y[taken]) * weight
                engine.backward(loss)
                # It takes the optimizer's step behind the last micro-batch.
                engine.step()
                told += loss.detach()
            torch.distributed.all_reduce(told)
            curve.batch(told.item() / parts, rows)
        curve.epoch()
    # Only rank 0 is heard, so it tells of the rank that held most.
    most = torch.tensor([peak_bytes()], dtype=torch.int64)
    torch.distributed.all_reduce(most, op=torch.distributed.ReduceOp.MAX)
    story.memory(job.parameters, torch_networks.moments_of(job), int(most.item()))
    with deepspeed.zero.GatheredParameters(
        list(network.parameters()), enabled=settings(job)["zero_optimization"]["stage"] == 3
    ):
        return torch_networks.weights(job, network), curve.last_epoch_loss


def versions() -> dict[str, str]:
    return {"deepspeed": deepspeed.__version__, **pytorch.versions()}
