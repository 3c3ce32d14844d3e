"""Each engine takes the steps that a few lines of NumPy take; skipped, by name, where its framework is not installed.

`RECSPEED_ENGINE_PYTHONS="tensorflow=/path/python pyvelox=/path/python"` names other Pythons for some engines.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent
try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("NumPy is not installed here: these tests compute with it") from error

from recspeed_engines import job, tensors
from tests.jobs import SPEC, arrays

# Of DeepSpeed, with a rank for each stage.
PIPELINE: dict[str, Any] = {"kind": "pipeline", "stages": 2, "schedule": "1f1b"}
PYTHONS = dict(pair.split("=", 1) for pair in os.environ.get("RECSPEED_ENGINE_PYTHONS", "").split())


def command(engine: str, *arguments: str) -> list[str]:
    return [PYTHONS.get(engine, sys.executable), "-m", "recspeed_engines", engine, *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}


def reference_losses(numbers: dict[str, np.ndarray], spec: dict[str, Any]) -> list[float]:
    """The loss of each step: back-propagation and Adam by hand, in 64 bits."""
    names = [f"initial/layers.{i}.{part}" for i in range(2) for part in ("weight", "bias")]
    layers = [numbers[name].astype(np.float64) for name in names]
    first, second = [np.zeros_like(p) for p in layers], [np.zeros_like(p) for p in layers]
    losses, step = [], 0
    training = spec["training"]
    for epoch in range(training["epochs"]):
        order = numbers[f"order.{epoch}"]
        for at in range(0, len(order), training["batch_size"]):
            rows = order[at : at + training["batch_size"]]
            x, y = numbers["inputs"][rows].astype(np.float64), numbers["targets"][rows].astype(np.float64)[:, None]
            before = x @ layers[0] + layers[1]
            hidden = np.maximum(before, 0)
            error = hidden @ layers[2] + layers[3] - y
            losses.append(float((error**2).mean()))
            slope = 2 * error / len(rows)
            back = (slope @ layers[2].T) * (before > 0)
            gradients = [x.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0)]
            if training["gradient_clip"] is not None:
                norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
                gradients = [gradient * min(1.0, training["gradient_clip"] / norm) for gradient in gradients]
            step += 1
            for parameter, m, v, gradient in zip(layers, first, second, gradients, strict=True):
                m += 0.1 * (gradient - m)
                v += 0.001 * (gradient**2 - v)
                corrected = np.sqrt(v / (1 - 0.999**step)) + 1e-8
                parameter -= training["learning_rate"] * m / (1 - 0.9**step) / corrected
    return losses


class Training(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def need(self, engine: str) -> None:
        if subprocess.run(command(engine, "--check"), env=environment(), capture_output=True).returncode != 0:
            self.skipTest(f"{engine} is not installed here; `recspeed engines install {engine}` does that")

    def says(self, engine: str, program: str) -> str:
        """What a few lines of Python print last in the environment of an engine."""
        run = [command(engine)[0], "-c", program]
        ended = subprocess.run(run, env=environment(), capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.splitlines()[-1]

    def start(
        self,
        engine: str,
        rows: int,
        epochs: int,
        strategy: dict[str, Any] | None = None,
        threads: int = 1,
        device: str = "cpu",
        clip: float | None = None,
    ) -> subprocess.Popen:
        spec = {
            **SPEC,
            "engine": {"kind": engine, "device": device, "threads": threads},
            "training": {**SPEC["training"], "epochs": epochs, "gradient_clip": clip},
        }
        spec["strategy"] = strategy or {"kind": "single"}
        self.numbers, self.spec = arrays(rows, epochs), spec
        tensors.write(self.folder / "job", self.numbers)
        (self.folder / "spec.json").write_text(json.dumps(spec))
        files = ["--spec", self.folder / "spec.json", "--job", self.folder / "job", "--out", self.folder / "out"]
        run, pipe = command(engine, *map(str, files)), subprocess.PIPE
        return subprocess.Popen(run, env=environment(), stdout=pipe, stderr=pipe, text=True)

    def agrees(
        self, engine: str, strategy: dict[str, Any] | None = None, device: str = "cpu", clip: float | None = None
    ) -> None:
        self.need(engine)
        running = self.start(engine, rows=50, epochs=2, strategy=strategy, device=device, clip=clip)
        out, log = running.communicate(timeout=600)
        self.assertEqual(running.returncode, 0, log)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([event["seq"] for event in events], list(range(len(events))))
        self.assertEqual((events[0]["kind"], events[-1]["kind"]), ("started", "checkpoint"))
        told = [event["value"] for event in events if event.get("name") == "loss"]
        expected = reference_losses(self.numbers, self.spec)
        # Keras tells running means in 32 bits; the loss of one batch comes out of two of them.
        np.testing.assert_allclose(told, expected, rtol=1e-4, atol=1e-6)
        learnt = tensors.read(self.folder / "out")
        handed = {name.removeprefix("initial/"): a for name, a in self.numbers.items() if name.startswith("initial/")}
        orders = (self.numbers[f"order.{epoch}"] for epoch in range(2))
        begun = {"weights": job.digest(handed[name] for name in sorted(handed)), "orders": job.digest(orders)}
        self.assertEqual(events[0]["begun"], begun)
        self.assertEqual({n: a.shape for n, a in learnt.items()}, {n: a.shape for n, a in handed.items()})
        self.assertFalse(np.array_equal(learnt["layers.0.weight"], handed["layers.0.weight"]))

    def test_pytorch_takes_the_steps_by_hand(self) -> None:
        self.agrees("pytorch")

    def test_keras_takes_the_steps_by_hand(self) -> None:
        self.agrees("tensorflow")

    def test_pyvelox_takes_the_steps_by_hand(self) -> None:
        self.agrees("pyvelox")

    def test_torchgpipe_takes_the_steps_by_hand(self) -> None:
        recompute = {"schedule": "gpipe", "recompute": "except-last"}
        self.agrees("torchgpipe", {"kind": "pipeline", "stages": 2, "micro_batches": 2, **recompute})

    def test_engines_take_the_steps_by_hand_on_a_gpu(self) -> None:
        piped = {"kind": "pipeline", "stages": 2, "micro_batches": 2, "schedule": "gpipe", "recompute": "except-last"}
        for engine, strategy in [("pytorch", None), ("pyvelox", None), ("torchgpipe", piped)]:
            with self.subTest(engine=engine):
                self.need(engine)
                if self.says(engine, "import torch; print(torch.cuda.is_available())") != "True":
                    self.skipTest("PyTorch finds no GPU here")
                self.agrees(engine, strategy, device="cuda")

    def test_all_stages_of_torchgpipe_are_on_the_one_device(self) -> None:
        self.need("torchgpipe")
        told = "from recspeed_engines.torchgpipe import devices; print(*devices('cpu', 2), *devices('cuda', 2))"
        self.assertEqual(self.says("torchgpipe", told), "cpu cpu cuda:0 cuda:0")

    def test_pytorchs_optimizers_take_the_fused_kernel(self) -> None:
        self.need("pytorch")
        of_all = """
import torch
from types import SimpleNamespace as Some
from recspeed_engines.torch_networks import optimizer_of
for name in ("adam", "adamw", "sgd"):
    training = Some(optimizer=name, learning_rate=0.01, weight_decay=0.0)
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = optimizer_of(Some(training=training), [weight])
    weight.sum().backward()
    optimizer.step()
    assert optimizer.param_groups[0]["fused"] is True, name
    assert weight.max() < 1, name
print("fused")
"""
        self.assertEqual(self.says("pytorch", of_all), "fused")

    def test_deepspeed_takes_the_steps_by_hand_whatever_it_divides(self) -> None:
        for stage in (1, 2, 3):
            with self.subTest(stage=stage):
                self.agrees("deepspeed", {"kind": "zero", "ranks": 2, "stage": stage})

    def test_deepspeed_takes_the_steps_by_hand_where_it_divides_every_layer(self) -> None:
        self.agrees("deepspeed", {"kind": "zero", "ranks": 2, "stage": 3, "persistence_threshold": 0})

    def test_deepspeed_is_told_what_it_keeps_whole_where_the_spec_says_so_and_else_has_its_own_default(self) -> None:
        self.need("deepspeed")
        told = """
from types import SimpleNamespace as Some
from recspeed_engines.deepspeed import settings
def key(**more):
    strategy = {"kind": "zero", "ranks": 2, "stage": 3, **more}
    job = Some(strategy=strategy, training=Some(batch_size=4, gradient_clip=None))
    return settings(job)["zero_optimization"].get("stage3_param_persistence_threshold")
print(key(), key(persistence_threshold=None), key(persistence_threshold=0), key(stage=2, persistence_threshold=0))
"""
        self.assertEqual(self.says("deepspeed", told), "None None 0 None")

    def test_deepspeed_takes_the_same_steps_by_micro_batches(self) -> None:
        # Batches of 4 and a last one of 2, in 2 × 3 parts: some of them are empty.
        for kind in ({"kind": "zero", "stage": 1}, {"kind": "zero", "stage": 2}, {"kind": "data-parallel"}):
            with self.subTest(kind=kind):
                self.agrees("deepspeed", {**kind, "ranks": 2, "micro_batches": 3})

    def test_deepspeeds_pipeline_takes_the_steps_by_hand_whatever_it_computes_again(self) -> None:
        for recompute in ("never", "always"):
            with self.subTest(recompute=recompute):
                self.agrees("deepspeed", {**PIPELINE, "micro_batches": 2, "recompute": recompute})

    def test_deepspeeds_pipeline_takes_the_same_steps_where_micro_batches_differ_or_are_empty(self) -> None:
        # Batches of 4 and a last one of 2, in 3 parts.
        self.agrees("deepspeed", {**PIPELINE, "micro_batches": 3})

    def test_who_clips_clips_by_the_norm_of_the_whole_network_and_not_of_a_stage(self) -> None:
        # Below the norm of every step, so that each is clipped.
        for engine, strategy in [("pytorch", None), ("deepspeed", {**PIPELINE, "micro_batches": 2})]:
            with self.subTest(engine=engine):
                self.agrees(engine, strategy, clip=1e-3)

    def test_deepspeeds_pipeline_sends_shapes_only_where_micro_batches_differ(self) -> None:
        self.need("deepspeed")
        told = """
from types import SimpleNamespace as Some
from recspeed_engines.deepspeed import is_uneven
def uneven(rows, batch_size, micro_batches):
    strategy = {"kind": "pipeline", "micro_batches": micro_batches}
    return is_uneven(Some(rows=rows, strategy=strategy, training=Some(batch_size=batch_size)))
print(*(uneven(*each) for each in [
    # Whole batches, and a last one of other rows, that are cut into equal parts; one that is not.
    (512, 256, 4), (320, 256, 4), (322, 256, 4),
    # Fewer rows than a batch.
    (6, 256, 4), (8, 256, 4),
    # As many parts as rows, and more, of which each takes one row.
    (4, 4, 4), (2, 4, 4), (6, 4, 4),
]))
"""
        self.assertEqual(self.says("deepspeed", told), "False False True True False False False False")

    def test_deepspeed_refuses_what_its_pipelines_have_not_and_computes_nothing_again_without_one(self) -> None:
        self.need("deepspeed")
        told = """
from recspeed_engines.deepspeed import refuse
from recspeed_engines.job import InvalidSpec
def said(**strategy):
    try:
        return refuse(strategy)
    except InvalidSpec as error:
        return str(error).split(";")[0]
pipeline = {"kind": "pipeline", "schedule": "1f1b"}
print([
    said(**pipeline), said(**pipeline, recompute="always"), said(**pipeline, recompute="except-last"),
    said(kind="pipeline", schedule="gpipe"), said(kind="hybrid"), said(kind="zero", recompute="always"),
])
"""
        refused = [
            "strategy.recompute is `except-last`",
            "strategy.schedule is `gpipe`",
            "strategy.kind is `hybrid`",
            "strategy.recompute is `always`",
        ]
        self.assertEqual(self.says("deepspeed", told), str([None, None, *refused]))

    def test_deepspeed_draws_dropout_on_each_rank_of_its_own(self) -> None:
        self.need("deepspeed")
        told = "from recspeed_engines.deepspeed import seed_of; print(seed_of(42, 0), seed_of(42, 1))"
        self.assertEqual(self.says("deepspeed", told), "42 43")

    def test_every_engine_computes_with_the_threads_that_it_was_given(self) -> None:
        for engine in ("pytorch", "tensorflow", "pyvelox", "torchgpipe"):
            for threads in (1, 3):
                with self.subTest(engine=engine, threads=threads):
                    self.need(engine)
                    running = self.start(engine, rows=8, epochs=1, threads=threads)
                    out, log = running.communicate(timeout=600)
                    self.assertEqual(running.returncode, 0, log)
                    told = json.loads(out.splitlines()[0])["engine"]
                    self.assertEqual((told["threads"], told["precision"]), (threads, "f32"))

    def test_ranks_of_deepspeed_have_a_thread_each_and_all_of_them_are_told(self) -> None:
        self.need("deepspeed")
        for threads, told in [(4, 4), (1, 2)]:
            with self.subTest(threads=threads):
                for strategy in ({"kind": "zero", "ranks": 2, "stage": 1}, {**PIPELINE, "micro_batches": 2}):
                    running = self.start("deepspeed", rows=8, epochs=1, strategy=strategy, threads=threads)
                    out, log = running.communicate(timeout=600)
                    self.assertEqual(running.returncode, 0, log)
                    self.assertEqual(json.loads(out.splitlines()[0])["engine"]["threads"], told)

    def test_an_engine_leaves_within_five_seconds_of_sigterm(self) -> None:
        self.need("pytorch")
        running = self.start("pytorch", rows=4000, epochs=200)
        assert running.stdout is not None
        for line in running.stdout:
            if json.loads(line)["kind"] == "progress":
                break
        begun = time.monotonic()
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=10)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(running.returncode, 130)
        last = json.loads(rest.splitlines()[-1])
        self.assertEqual((last["kind"], last["code"]), ("failed", "cancelled"))


if __name__ == "__main__":
    unittest.main()
