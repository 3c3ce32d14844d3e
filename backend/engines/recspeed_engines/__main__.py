"""`python -m recspeed_engines ENGINE --spec FILE --job FILE --out FILE`: trains one network and tells of it.

`python -m recspeed_engines ENGINE --check` prints the versions of what the engine uses, as one JSON object; one
that compiles a part of itself does so first.
`python -m recspeed_engines ENGINE --retrieval FOLDER --container NAME` reads ratings back from a container and prints
what it found, as one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
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
    parser.add_argument("--beyond-bytes", type=int, help="bytes of a copy that no cache holds, with --retrieval")
    given = parser.parse_args()
    if not given.check and given.retrieval is None and (given.job is None or given.out is None):
        parser.error("--job and --out are needed to train")
    return given


def versions(engine: ModuleType) -> dict[str, str]:
    return {"python": platform.python_version(), **engine.versions()}


def check(name: str) -> int:
    # Frameworks and compilers print where they like: only the answer may reach standard output.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        engine = importlib.import_module(f".{name}", __package__)
        if hasattr(engine, "compile_parts"):
            engine.compile_parts()
        print(json.dumps(versions(engine)), file=answer, flush=True)
    except Exception as error:
        print(f"recspeed_engines: {name} cannot be imported: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def run(given: argparse.Namespace) -> int:
    from . import story

    # Frameworks print where they like: only events may reach standard output.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    tale = story.Story(given.run, events)
    story.listen(tale)
    # Around everything else: the signal may come while another failure is being told.
    try:
        try:
            from . import training
        except ImportError as error:
            # It needs NumPy.
            return tale.fail("invalid-spec", *story.unusable(given.engine, error))
        return training.run(given, tale)
    except story.Cancelled:
        return story.cancelled(tale)


def retrieve(given: argparse.Namespace) -> int:
    from . import retrieval, story

    story.follow()
    # Frameworks print where they like: only the answer may reach standard output.
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(answer, "w")
    return retrieval.run(
        given.engine,
        given.container,
        given.retrieval,
        given.repeats,
        given.batch_rows,
        given.single_rows,
        given.beyond_bytes,
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
