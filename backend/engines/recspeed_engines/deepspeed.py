"""DeepSpeed: ranks that divide optimizer state, gradients and parameters (ZeRO 1, 2, 3), or the layers, as stages of a
pipeline, over gloo on the processor.

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
from collections.abc import Iterator
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
from deepspeed.pipe import LayerSpec, PipelineModule

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
    refuse(job.strategy)
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


def refuse(strategy: dict[str, Any]) -> None:
    """Refuses to divide the work as DeepSpeed, or this engine of it, does not."""
    kind, recompute = strategy["kind"], strategy.get("recompute", "never")
    if kind == "pipeline":
        if strategy["schedule"] != "1f1b":
            raise InvalidSpec(f"strategy.schedule is `{strategy['schedule']}`; DeepSpeed's pipelines have `1f1b`")
        if recompute not in ("never", "always"):
            raise InvalidSpec(f"strategy.recompute is `{recompute}`; DeepSpeed's pipelines have `never` and `always`")
        return
    if kind not in ("single", "data-parallel", "zero"):
        raise InvalidSpec(f"strategy.kind is `{kind}`; DeepSpeed has `zero`, `data-parallel` and `pipeline` here")
    if recompute != "never":
        raise InvalidSpec(f"strategy.recompute is `{recompute}`; only DeepSpeed's pipelines compute again here")


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


def _is_staged(job: Job) -> bool:
    return bool(job.strategy["kind"] == "pipeline")


def _ranks(job: Job) -> int:
    # A pipeline has a rank for each stage, and no replicas.
    return int(job.strategy.get("stages" if _is_staged(job) else "ranks", 1)) if job.strategy["kind"] != "single" else 1


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
    micro_batches = _micro_batches(job)
    # Those that share a batch: stages of a pipeline see all of it.
    replicas = 1 if _is_staged(job) else _ranks(job)
    level = int(job.strategy["stage"]) if job.strategy["kind"] == "zero" else 0
    divided: dict[str, Any] = {"stage": level}
    # Unless told, ZeRO 3 keeps every tensor of up to 100,000 numbers whole on every rank.
    threshold = job.strategy.get("persistence_threshold")
    if level == 3 and threshold is not None:
        divided["stage3_param_persistence_threshold"] = int(threshold)
    return {
        "train_micro_batch_size_per_gpu": max(1, job.training.batch_size // (replicas * micro_batches)),
        "gradient_accumulation_steps": micro_batches,
        "gradient_clipping": job.training.gradient_clip or 0.0,
        "zero_optimization": divided,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
    }


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    return _by_stages(job, story) if _is_staged(job) else _by_replicas(job, story)


def _initialized(job: Job, network: torch.nn.Module) -> Any:
    """DeepSpeed's engine around a network, or around this rank's part of one."""
    optimizer = torch_networks.optimizer_of(job, network.parameters())
    engine, *_ = deepspeed.initialize(
        model=network, optimizer=optimizer, config=settings(job), dist_init_required=False
    )
    return engine


def _tell_memory(job: Job, story: Story) -> None:
    # Only rank 0 is heard, so it tells of the rank that held most.
    most = torch.tensor([peak_bytes()], dtype=torch.int64)
    torch.distributed.all_reduce(most, op=torch.distributed.ReduceOp.MAX)
    story.memory(job.parameters, torch_networks.moments_of(job), int(most.item()))


def _by_replicas(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    network = torch_networks.build(job)
    engine = _initialized(job, network)
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
                taken, weight = weighed(rows, parts, rank * micro_batches + micro)
                loss = loss_of(engine(x[taken]), y[taken]) * weight
                engine.backward(loss)
                # It takes the optimizer's step behind the last micro-batch.
                engine.step()
                told += loss.detach()
            torch.distributed.all_reduce(told)
            curve.batch(told.item() / parts, rows)
        curve.epoch()
    _tell_memory(job, story)
    with deepspeed.zero.GatheredParameters(
        list(network.parameters()), enabled=settings(job)["zero_optimization"]["stage"] == 3
    ):
        return torch_networks.weights(job, network), curve.last_epoch_loss


def weighed(rows: int, parts: int, part: int) -> tuple[slice, float]:
    """The rows that are taken for a part, and what its loss weighs where the mean over all parts is taken.

    Ranks must take as many passes as each other, and a pipeline one for each micro-batch: a part without rows takes one
    that weighs nothing.
    """
    own = share(rows, parts, part)
    weight = (own.stop - own.start) * parts / rows
    return (own if weight > 0 else slice(0, 1)), weight


def is_uneven(job: Job) -> bool:
    """Whether the micro-batches of some batch, the last of an epoch too, differ in their rows."""
    parts = _micro_batches(job)
    for rows in (min(job.training.batch_size, job.rows), job.rows % job.training.batch_size):
        taken = [weighed(rows, parts, part)[0] for part in range(parts)] if rows > 0 else []
        if len({part.stop - part.start for part in taken}) > 1:
            return True
    return False


def _staged(job: Job) -> Any:
    """This rank's stage: DeepSpeed makes its layers and no others."""
    loss_of = torch_networks.loss_of(job.training.loss)

    def loss(scores: torch.Tensor, wanted: tuple[torch.Tensor, torch.Tensor]) -> Any:
        y, weight = wanted
        return loss_of(scores, y) * weight

    layers = [LayerSpec(kind, *given) for kind, given in torch_networks.layers(job)]
    network = PipelineModule(
        layers=layers,
        num_stages=_ranks(job),
        loss_fn=loss,
        partition_method="parameters",
        # From how many layers one activation is kept; 0 keeps all. No stage has more, so that it keeps its input alone.
        activation_checkpoint_interval=len(layers) if job.strategy.get("recompute") == "always" else 0,
        # Where they differ in their rows, each message is preceded by one with its shape.
        dynamic_shape=is_uneven(job),
    )
    for parameter in network.parameters():
        # Else DeepSpeed clips by the norm of the first stage's gradients alone: it takes all others for copies.
        parameter.model_parallel = True
    return network


def _micro_batches_of(
    x: torch.Tensor, y: torch.Tensor, parts: int
) -> Iterator[tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]]:
    """What the first stage takes, and what the last one holds the scores against, with what it weighs."""
    for part in range(parts):
        taken, weight = weighed(len(x), parts, part)
        yield x[taken], (y[taken], torch.tensor(weight))


def _by_stages(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    network = _staged(job)
    engine = _initialized(job, network)
    parts = _micro_batches(job)
    curve = Curve(story, job.training.epochs, job.batches)
    bring = pytorch.sliced(job)
    before = 0
    for epoch in range(job.training.epochs):
        for x, y in bring(epoch):
            rows = len(x)
            if rows != before:
                # Stages tell each other the shape of what they send once, and then count on it.
                engine.reset_activation_shape()
                before = rows
            # The mean over the micro-batches, which every stage is told; behind it the optimizer has taken its step.
            curve.batch(engine.train_batch(_micro_batches_of(x, y, parts)).item(), rows)
        curve.epoch()
    _tell_memory(job, story)
    # Rank by rank, which is stage by stage.
    learnt: list[torch_networks.Numbers] = [[] for _ in range(_ranks(job))]
    torch.distributed.all_gather_object(learnt, torch_networks.numbers(network))
    return torch_networks.named(job, [layer for stage in learnt for layer in stage]), curve.last_epoch_loss


def versions() -> dict[str, str]:
    return {"deepspeed": deepspeed.__version__, **pytorch.versions()}
