"""The lab's networks in PyTorch, with the lab's first weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from .job import InvalidSpec, Job

# How PyTorch's optimizers update, on every device: a kernel that reads and writes each number once. By itself PyTorch
# takes it nowhere: on a GPU it takes `foreach`, on a processor a loop over the tensors. docs/engines.md has the times.
FASTEST_UPDATE: dict[str, Any] = {"fused": True}
# Of each layer its weight and its bias.
Numbers = list[tuple[np.ndarray, np.ndarray]]
# A kind of module and what it is made from.
Layer = tuple[type[nn.Module], tuple[Any, ...]]


@dataclass(frozen=True)
class First:
    """What a fully connected layer begins with, as the job has it: `weight` is [inputs, outputs], `bias` [outputs]."""

    # Whoever is asked what a layer is made of would print all of it: DeepSpeed asks every one.
    weight: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)


class Linear(nn.Linear):
    """A fully connected layer that begins with the lab's numbers; PyTorch's weights are [outputs, inputs]."""

    def __init__(self, first: First) -> None:
        super().__init__(*first.weight.shape)
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(first.weight.T.copy()))
            self.bias.copy_(torch.from_numpy(first.bias.copy()))


class DenseLayer(nn.Module):
    """Adds what it puts out to what the layers after it see."""

    def __init__(self, first: First, dropout: float) -> None:
        super().__init__()
        self.linear = Linear(first)
        self.dropout = nn.Dropout(dropout)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.cat([seen, self.dropout(torch.relu(self.linear(seen)))], 1)


def layers(job: Job) -> list[Layer]:
    """The network as a row of layers that are still to be made; its scores are `[rows, 1]`, without a sigmoid."""
    *hidden, last = (First(weight, bias) for _, weight, bias in job.layers())
    row: list[Layer] = []
    for first in hidden:
        if job.kind == "mlp":
            row += [(Linear, (first,)), (nn.ReLU, ())]
        else:
            row.append((DenseLayer, (first, float(job.params.get("dropout", 0.0)))))
    return [*row, (Linear, (last,))]


def build(job: Job) -> nn.Sequential:
    """All layers of the network, made."""
    return nn.Sequential(*(kind(*given) for kind, given in layers(job)))


def loss_of(name: str) -> Any:
    if name == "mse":
        return nn.MSELoss()
    if name == "mae":
        return nn.L1Loss()
    if name == "bce":
        return nn.BCEWithLogitsLoss()
    raise InvalidSpec(f"training.loss is `{name}`; the engines in PyTorch have mse, mae and bce")


def optimizer_of(job: Job, parameters: Any) -> torch.optim.Optimizer:
    """The spec's optimizer by PyTorch's own fastest means."""
    training = job.training
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, eps=1e-8, weight_decay=decay, **FASTEST_UPDATE)
    if training.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, eps=1e-8, weight_decay=decay, **FASTEST_UPDATE)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, **FASTEST_UPDATE)


def moments_of(job: Job) -> int:
    return 0 if job.training.optimizer == "sgd" else 2


def numbers(network: nn.Module) -> Numbers:
    """Weight and bias of each fully connected layer that the network has, in their order and in the job's shapes."""
    found = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [(_array(layer.weight).T.copy(), _array(layer.bias).copy()) for layer in found]


def _array(parameter: torch.Tensor) -> np.ndarray:
    array: np.ndarray = parameter.detach().cpu().numpy()
    return array


def named(job: Job, learnt: Numbers) -> dict[str, np.ndarray]:
    """The numbers of all layers by the job's names."""
    arrays: dict[str, np.ndarray] = {}
    for (name, _, _), (weight, bias) in zip(job.layers(), learnt, strict=True):
        arrays[f"{name}.weight"] = weight
        arrays[f"{name}.bias"] = bias
    return arrays


def weights(job: Job, network: nn.Module) -> dict[str, np.ndarray]:
    """What the network has learnt, by the job's names and in its shapes."""
    return named(job, numbers(network))
