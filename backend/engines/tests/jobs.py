"""Small jobs for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

SPEC: dict[str, Any] = {
    "version": 1,
    "seed": 42,
    "recommender": {"kind": "mlp", "hidden": [5]},
    "training": {
        "epochs": 2,
        "batch_size": 4,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "loss": "mse",
        "gradient_clip": None,
    },
    "engine": {"kind": "pytorch", "device": "cpu", "threads": 1},
}


def arrays(rows: int, epochs: int) -> dict[str, np.ndarray]:
    """The numbers of a job for `SPEC`."""
    draws = np.random.default_rng(1)
    found = {
        "inputs": draws.random((rows, 3), np.float32),
        "targets": draws.random(rows, np.float32),
        "initial/layers.0.weight": draws.uniform(-0.5, 0.5, (3, 5)).astype(np.float32),
        "initial/layers.0.bias": draws.uniform(-0.5, 0.5, 5).astype(np.float32),
        "initial/layers.1.weight": draws.uniform(-0.5, 0.5, (5, 1)).astype(np.float32),
        "initial/layers.1.bias": np.zeros(1, np.float32),
    }
    for epoch in range(epochs):
        found[f"order.{epoch}"] = draws.permutation(rows).astype(np.uint32)
    return found
