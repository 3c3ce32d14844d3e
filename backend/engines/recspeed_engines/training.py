"""One training, from the first word that is told of it to the file with the trained weights."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import platform
import sys
import traceback
from pathlib import Path
from types import ModuleType

from . import job, story, tensors

# How frameworks say, in an error of their own, that they asked for memory and got none: in small letters.
OF_GPU = ("cuda out of memory", "hip out of memory")
REFUSED = (
    "out of memory",
    "bad_alloc",
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "resourceexhausted",
    "oom when allocating",
)


class Ended(Exception):
    """A run that goes no further; its last word."""

    def __init__(self, code: str, cause: str, detail: str = "") -> None:
        super().__init__(cause)
        self.code, self.cause, self.detail = code, cause, detail


def run(given: argparse.Namespace, tale: story.Story) -> int:
    """Trains; whatever goes wrong becomes the last word. What the process ends with."""
    try:
        train(given, tale)
        return 0
    except Ended as ended:
        return tale.fail(ended.code, ended.cause, ended.detail)
    except job.InvalidSpec as error:
        return tale.fail("invalid-spec", f"The engine {given.engine} cannot run this spec: {error}.")
    except story.Diverged as error:
        return tale.fail("diverged", f"The training diverged: {error}; lower training.learning_rate.")
    except Exception as error:
        if refused := memory_refused(given.engine, error):
            return tale.fail("out-of-memory", refused, f"{type(error).__name__}: {error}")
        cause = f"The engine {given.engine} failed: {type(error).__name__}: {error}"
        return tale.fail("worker", cause, traceback.format_exc())


def memory_refused(name: str, error: Exception) -> str | None:
    """What is known of an engine that asked for memory and got none, and what needs less; nothing of another error."""
    words = f"{type(error).__name__}: {error}".lower()
    if any(device in words for device in OF_GPU):
        what, less = "more of the GPU's memory", "a smaller batch (training.batch_size), smaller layers or fewer rows"
        return f"The engine {name} got no {what}; take {less} (dataset.sample)."
    if isinstance(error, MemoryError) or any(refused in words for refused in REFUSED):
        less = "fewer rows (dataset.sample), a smaller batch (training.batch_size) or smaller layers"
        return f"The engine {name} got no more memory; take {less}."
    return None


def train(given: argparse.Namespace, tale: story.Story) -> None:
    engine = imported(given.engine)
    task = read(given)
    engine.prepare(task)
    info = {
        "kind": given.engine,
        "device": task.device,
        "versions": {"python": platform.python_version(), **engine.versions()},
        "host": f"{platform.system()} {platform.machine()}",
        # What the framework says of itself, not what it was asked for: whoever listens holds one against the other.
        "threads": engine.threads(task),
        "precision": engine.precision(task),
    }
    tale.tell("started", engine=info, seed=task.seed, begun=job.begun(task))
    tale.tell("phase", phase="fit")
    with tale.span("warm up"):
        engine.train(job.warm_up(task), story.Silence())
    with tale.span("train"):
        learnt, _ = engine.train(task, tale)
    if os.environ.get("RECSPEED_RANK", "0") != "0":
        # Only rank 0 is heard; two that write the same file would tear it.
        return
    try:
        tensors.write(given.out, learnt)
        sha256 = hashlib.sha256(given.out.read_bytes()).hexdigest()
    except OSError as error:
        remedy = "make room there, or set TMPDIR to another folder"
        cause = f"The engine {given.engine} cannot write what it has learnt: {error}; {remedy}."
        raise Ended("worker", cause) from error
    if hasattr(engine, "finish"):
        engine.finish()
    tale.tell("checkpoint", file=given.out.name, step=task.steps, sha256=sha256)


def imported(name: str) -> ModuleType:
    """The module of an engine.

    A framework that is only half there fails in other ways than by `ImportError`: `OSError` where `ctypes` loads a
    library that is gone, as CUDA's.
    """
    try:
        return importlib.import_module(f".{name}", __package__)
    except MemoryError as error:
        # Fewer rows would not help: none is read yet.
        remedy = "close other programs, or give the machine more memory"
        cause = f"The engine {name} got no memory for its own libraries; {remedy}."
        raise Ended("out-of-memory", cause, str(error)) from error
    except Exception as error:
        raise Ended("invalid-spec", *story.unusable(name, error)) from error


def read(given: argparse.Namespace) -> job.Job:
    try:
        spec_text = sys.stdin.read() if given.spec is None else Path(given.spec).read_text()
        return job.read(spec_text, given.job, given.engine)
    except (tensors.BadTensors, OSError) as error:
        cause = f"The engine {given.engine} cannot read what it should learn from: {error}."
        raise Ended("data", cause) from error
