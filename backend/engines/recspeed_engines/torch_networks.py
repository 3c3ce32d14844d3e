"""The lab's networks in PyTorch, with the lab's first weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from .job import InvalidSpec, Job

# How PyTorch's optimizers update, on every device: a kernel that reads and writes each number once. By itself PyTorch
# takes it nowhere: on a GPU it takes `foreach`, on a processor a loop over the tensors. docs/engines.md has the times.
FASTEST_UPDATE: dict[str, Any] = {"fused": True}


def _linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """The job has `[inputs, outputs]`, PyTorch `[outputs, inputs]`."""
    layer = nn.Linear(*weight.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.T.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
    return layer


class DenseLayer(nn.Module):
    """Adds what it puts out to what the layers after it see."""

    def __init__(self, linear: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.linear = linear
        self.dropout = nn.Dropout(dropout)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.cat([seen, self.dropout(torch.relu(self.linear(seen)))], 1)


def build(job: Job) -> nn.Sequential:
    """The network as a row of layers; its scores are `[rows, 1]`, without a sigmoid."""
    *hidden, last = (_linear(weight, bias) for _, weight, bias in job.layers())
    if job.kind == "mlp":
        return nn.Sequential(*(module for layer in hidden for module in (layer, nn.ReLU())), last)
    dropout = float(job.params.get("dropout", 0.0))
    return nn.Sequential(*(DenseLayer(layer, dropout) for layer in hidden), last)


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


def weights(job: Job, network: nn.Module) -> dict[str, np.ndarray]:
    """What the network has learnt, by the job's names and in its shapes."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    learnt: dict[str, np.ndarray] = {}
    for (name, _, _), layer in zip(job.layers(), layers, strict=True):
        learnt[f"{name}.weight"] = layer.weight.detach().cpu().numpy().T.copy()
        learnt[f"{name}.bias"] = layer.bias.detach().cpu().numpy().copy()
    return learnt
