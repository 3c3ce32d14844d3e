"""TensorFlow through Keras: `compile`, then `model.fit` for each epoch, its rows in the lab's order."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The pinned `tensorflow-cpu` has no CUDA; one of somebody's own that has it shall not compute elsewhere than it says.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

# Keras reads its settings as it is imported; those of the one who starts it must not change the numbers.
with tempfile.TemporaryDirectory() as nothing:
    os.environ["KERAS_HOME"] = nothing
    import keras
import tensorflow

from .job import InvalidSpec, Job
from .precision import on_a_processor
from .story import POINTS, Curve, Story


def prepare(job: Job) -> None:
    if job.device != "cpu":
        raise InvalidSpec(f"engine.device is `{job.device}`; this engine computes on `cpu`")
    if job.training.weight_decay > 0 and job.training.optimizer != "adamw":
        raise InvalidSpec(
            "training.weight_decay with this optimizer is decoupled in Keras; set training.optimizer = adamw"
        )
    tensorflow.config.threading.set_intra_op_parallelism_threads(job.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(job.threads)
    keras.utils.set_random_seed(job.seed % 2**32)


def threads(_job: Job) -> int:
    """With how many threads an operation computes, as TensorFlow says."""
    return int(tensorflow.config.threading.get_intra_op_parallelism_threads())


def precision(_job: Job) -> str | None:
    """What products are computed in: TensorFlow takes TF32 on a GPU, and has the processor here, by oneDNN."""
    return on_a_processor(os.environ, "TF_SET_ONEDNN_FPMATH_MODE")


def build(job: Job) -> tuple[Any, list[Any]]:
    """The network with the job's first weights, and its layers that have weights; no sigmoid at its end."""
    named = job.layers()
    *hidden, last = (keras.layers.Dense(weight.shape[1]) for _, weight, _ in named)
    seen = given = keras.Input((job.inputs.shape[1],))
    dropout = float(job.params.get("dropout", 0.0))
    for layer in hidden:
        output = keras.layers.Activation("relu")(layer(seen))
        if job.kind == "mlp":
            seen = output
        else:
            seen = keras.layers.Concatenate()([seen, keras.layers.Dropout(dropout)(output)])
    network = keras.Model(given, last(seen))
    for layer, (_, weight, bias) in zip([*hidden, last], named, strict=True):
        layer.set_weights([weight, bias])
    return network, [*hidden, last]


def loss_of(name: str) -> Any:
    if name == "mse":
        return keras.losses.MeanSquaredError()
    if name == "mae":
        return keras.losses.MeanAbsoluteError()
    if name == "bce":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    raise InvalidSpec(f"training.loss is `{name}`; the engine in Keras has mse, mae and bce")


def optimizer_of(job: Job) -> Any:
    training = job.training
    common: dict[str, Any] = {"learning_rate": training.learning_rate, "global_clipnorm": training.gradient_clip}
    if training.optimizer == "adam":
        return keras.optimizers.Adam(epsilon=1e-8, **common)
    if training.optimizer == "adamw":
        return keras.optimizers.AdamW(epsilon=1e-8, weight_decay=training.weight_decay, **common)
    return keras.optimizers.SGD(**common)


class EachBatch(keras.callbacks.Callback):
    """The loss of each batch, out of the running means that Keras tells.

    Asking for it after every batch slows a training down, so only short ones do, whose curve has a point for each.
    """

    def __init__(self, curve: Curve, job: Job) -> None:
        super().__init__()
        self._curve, self._job = curve, job
        self._sum, self._rows = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        rows = min(self._job.training.batch_size, self._job.rows - batch * self._job.training.batch_size)
        mean = float((logs or {})["loss"])
        total = mean * (self._rows + rows)
        self._curve.batch((total - self._sum) / rows, rows)
        self._sum, self._rows = total, self._rows + rows

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._sum, self._rows = 0.0, 0
        self._curve.epoch()


class EachEpoch(keras.callbacks.Callback):
    """The mean loss of each epoch."""

    def __init__(self, curve: Curve) -> None:
        super().__init__()
        self._curve = curve

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._curve.whole_epoch(float((logs or {})["loss"]))


def train(job: Job, story: Story) -> tuple[dict[str, np.ndarray], float]:
    """The trained weights, and the mean loss of the last epoch."""
    network, layers = build(job)
    network.compile(optimizer=optimizer_of(job), loss=loss_of(job.training.loss))
    curve = Curve(story, job.training.epochs, job.batches)
    hears = EachBatch(curve, job) if job.steps <= POINTS else EachEpoch(curve)
    targets = job.targets.reshape(-1, 1)
    # Keras tells of whole epochs, and one may take long; its optimizer counts the steps, and can be asked beside it.
    with story.beating(lambda: int(network.optimizer.iterations.numpy()), job.steps):
        for epoch in range(job.training.epochs):
            order = job.order(epoch)
            network.fit(
                job.inputs[order],
                targets[order],
                batch_size=job.training.batch_size,
                shuffle=False,
                verbose=0,
                callbacks=[hears],
            )
    story.memory(job.parameters, 0 if job.training.optimizer == "sgd" else 2)
    learnt: dict[str, np.ndarray] = {}
    for (name, _, _), layer in zip(job.layers(), layers, strict=True):
        weight, bias = layer.get_weights()
        learnt[f"{name}.weight"], learnt[f"{name}.bias"] = weight, bias
    return learnt, curve.last_epoch_loss


def versions() -> dict[str, str]:
    return {"tensorflow": tensorflow.__version__, "keras": keras.__version__, "numpy": np.__version__}
