"""`python -m recspeed_engines ENGINE --spec FILE --job FILE --out FILE`: trains one network and tells of it.

`python -m recspeed_engines ENGINE --check` prints the versions of what the engine uses, as one JSON object.
`python -m recspeed_engines ENGINE --retrieval FOLDER --container NAME` reads ratings back from a container and prints
what it found, as one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import platform
import sys
import traceback
from pathlib import Path
from types import ModuleType

ENGINES = ("pytorch", "tensorflow", "pyvelox", "deepspeed", "torchgpipe")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recspeed_engines", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--check", action="store_true", help="print the versions and leave")
    parser.add_argument("--spec", help="the spec as JSON, every default written out (standard input unless set)")
    parser.add_argument("--job", type=Path, help="the numbers to learn from: a safetensors file")
    parser.add_argument("--out", type=Path, help="where the trained weights go: a safetensors file")
    parser.add_argument("--run", default="local", help="the run's name in every event")
    parser.add_argument("--retrieval", type=Path, help="read the columns of this folder back from a container")
    parser.add_argument("--container", default="", help="the container, with --retrieval")
    parser.add_argument("--repeats", type=int, default=3, help="how often, with --retrieval")
    parser.add_argument("--batch-rows", type=int, default=65_536, help="rows of a batch, with --retrieval")
    parser.add_argument("--single-rows", type=int, help="rows that are read one by one at most, with --retrieval")
    given = parser.parse_args()
    if not given.check and given.retrieval is None and (given.job is None or given.out is None):
        parser.error("--job and --out are needed to train")
    return given


def versions(engine: ModuleType) -> dict[str, str]:
    return {"python": platform.python_version(), **engine.versions()}


def check(name: str) -> int:
    try:
        print(json.dumps(versions(importlib.import_module(f".{name}", __package__))), flush=True)
    except Exception as error:
        print(f"recspeed_engines: {name} cannot be imported: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def run(given: argparse.Namespace) -> int:
    from . import job, story, tensors

    # Frameworks print where they like: only events may reach standard output.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    tale = story.Story(given.run, events)
    story.listen(tale)
    try:
        spec_text = sys.stdin.read() if given.spec is None else Path(given.spec).read_text()
        try:
            engine = importlib.import_module(f".{given.engine}", __package__)
        except ImportError as error:
            remedy = f"recspeed engines install {given.engine}"
            return tale.fail(
                "invalid-spec", f"The engine {given.engine} is not installed here; run `{remedy}`.", str(error)
            )
        task = job.read(spec_text, given.job, given.engine)
        engine.prepare(task)
        info = {
            "kind": given.engine,
            "device": task.device,
            "versions": versions(engine),
            "host": f"{platform.system()} {platform.machine()}",
            "threads": task.threads,
        }
        tale.tell("started", engine=info, seed=task.seed)
        tale.tell("phase", phase="fit")
        with tale.span("warm up"):
            engine.train(job.warm_up(task), story.Silence())
        with tale.span("train"):
            learnt, _ = engine.train(task, tale)
        if os.environ.get("RECSPEED_RANK", "0") != "0":
            # Only rank 0 is heard; two that write the same file would tear it.
            return 0
        tensors.write(given.out, learnt)
        if hasattr(engine, "finish"):
            engine.finish()
        sha256 = hashlib.sha256(given.out.read_bytes()).hexdigest()
        tale.tell("checkpoint", file=given.out.name, step=task.steps, sha256=sha256)
        return 0
    except story.Cancelled:
        return story.cancelled(tale)
    except job.InvalidSpec as error:
        return tale.fail("invalid-spec", f"The engine {given.engine} cannot run this spec: {error}.")
    except (tensors.BadTensors, OSError) as error:
        return tale.fail("data", f"The engine {given.engine} cannot read what it should learn from: {error}.")
    except story.Diverged as error:
        return tale.fail("diverged", f"The training diverged: {error}; lower training.learning_rate.")
    except MemoryError:
        return tale.fail(
            "out-of-memory", "The engine needed more memory than there is; take fewer rows (dataset.sample)."
        )
    except Exception as error:
        if "out of memory" in str(error).lower():
            cause = "The engine needed more memory than there is; take fewer rows (dataset.sample)."
            return tale.fail("out-of-memory", cause, str(error))
        cause = f"The engine {given.engine} failed: {type(error).__name__}: {error}"
        return tale.fail("worker", cause, traceback.format_exc())


def retrieve(given: argparse.Namespace) -> int:
    from . import retrieval, story

    story.follow()
    # Frameworks print where they like: only the answer may reach standard output.
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(answer, "w")
    return retrieval.run(
        given.engine, given.container, given.retrieval, given.repeats, given.batch_rows, given.single_rows
    )


def main() -> int:
    given = arguments()
    if given.retrieval is not None:
        return retrieve(given)
    return check(given.engine) if given.check else run(given)


if __name__ == "__main__":
    STATUS = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # No framework's shutdown may turn a finished run into a crash: PyVelox 0.2.0 aborts when its memory pools go.
    os._exit(STATUS)
