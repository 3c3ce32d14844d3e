"""How a run ends, whatever its framework does: a module of a few lines plays PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

try:
    import numpy  # noqa: F401
except ImportError as error:
    raise unittest.SkipTest("NumPy is not installed here: these tests read and write arrays") from error

from recspeed_engines import tensors
from tests.jobs import SPEC, arrays

PACKAGE = Path(__file__).parent.parent
# Plays `recspeed_engines.pytorch`, and then runs what `python -m recspeed_engines` runs.
PROGRAM = """
import os, signal, sys, time
from types import ModuleType
from recspeed_engines import __main__, story
import numpy
engine = ModuleType("recspeed_engines.pytorch")
engine.versions = lambda: {"numpy": numpy.__version__}
engine.prepare = lambda task: None
engine.threads = lambda task: 7
engine.precision = lambda task: "tf32"
engine.train = lambda task, story: ({"a": numpy.zeros(1, numpy.float32)}, 0.0)
sys.modules[engine.__name__] = engine
%s
status = __main__.main()
sys.stdout.flush()
os._exit(status)
"""


class Endings(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        tensors.write(self.folder / "job", arrays(rows=10, epochs=2))
        (self.folder / "spec.json").write_text(json.dumps(SPEC))

    def run_with(self, change: str, **named: str) -> tuple[list[dict[str, Any]], int, str]:
        """The events, the status and the log of a run whose engine is changed by a few lines."""
        files = {"spec": "spec.json", "job": "job", "out": "out", **named}
        arguments = [word for name, file in files.items() for word in (f"--{name}", str(self.folder / file))]
        program = [sys.executable, "-c", PROGRAM % change, "pytorch", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60)
        return [json.loads(line) for line in ended.stdout.splitlines()], ended.returncode, ended.stderr

    def failed(self, change: str, **named: str) -> tuple[str, str, int]:
        events, status, log = self.run_with(change, **named)
        self.assertEqual([event["seq"] for event in events], list(range(len(events))), log)
        self.assertEqual(events[-1]["kind"], "failed", log)
        return events[-1]["code"], events[-1]["cause"], status

    def test_a_signal_that_comes_again_while_the_first_is_told_of_changes_nothing(self) -> None:
        # A terminal's Ctrl-C reaches the whole group, and the worker sends its own behind it.
        again = """
first = story.cancelled
def train(task, tale):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
def cancelled(tale):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
        time.sleep(0.05)
    return first(tale)
engine.train, story.cancelled = train, cancelled
"""
        code, _, status = self.failed(again)
        self.assertEqual((code, status), ("cancelled", 130))

    def test_a_signal_that_comes_while_another_failure_is_told_of_is_the_end(self) -> None:
        # What is being told when the signal comes is lost or whole; the status says that the run was cancelled.
        late = """
def fail(self, code, cause, detail="", told=story.Story.fail):
    if code == "diverged":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    return told(self, code, cause, detail)
def train(task, tale):
    raise story.Diverged("the loss became nan")
engine.train, story.Story.fail = train, fail
"""
        code, _, status = self.failed(late)
        self.assertEqual((code, status), ("cancelled", 130))

    def test_a_framework_that_is_half_there_is_no_unreadable_data(self) -> None:
        breaks = """
import importlib
os.environ.pop(story.PARENT, None)
def broken(name, package=None, found=importlib.import_module):
    if name == ".pytorch":
        raise %s
    return found(name, package)
importlib.import_module = broken
"""
        for error, words in [
            ('OSError("libcudart.so.12: cannot open shared object file")', "cannot be imported: libcudart.so.12: "),
            ('ImportError("undefined symbol: x")', "cannot be imported: undefined symbol: x;"),
            ('AttributeError("numpy has no attribute y")', "cannot be imported: numpy has no attribute y;"),
            # A framework that lacks a package of its own is there.
            ('ModuleNotFoundError("No module named keras", name="keras")', "imported: No module named keras;"),
            ('ModuleNotFoundError("No module named torch", name="torch")', "is not installed here"),
            # The lab has a record of whatever it starts.
            (
                'os.environ.update({story.PARENT: "1"}) or ModuleNotFoundError("No module named torch", name="torch")',
                "cannot be imported: No module named torch;",
            ),
        ]:
            with self.subTest(error=error):
                code, cause, status = self.failed(breaks % error)
                self.assertEqual((code, status), ("invalid-spec", 2))
                self.assertIn(words, cause)
                self.assertIn("run `recspeed engines install pytorch`", cause)

    def test_an_engine_that_got_no_memory_says_whose_and_what_needs_less(self) -> None:
        fails = "def train(task, tale): raise %s\nengine.train = train"
        for error, words in [
            ('MemoryError("Unable to allocate 7.45 GiB")', "got no more memory; take fewer rows (dataset.sample)"),
            ("""RuntimeError("CPUAllocator: can't allocate memory")""", "got no more memory; take fewer rows"),
            ('RuntimeError("std::bad_alloc")', "got no more memory; take fewer rows"),
            ('RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")', "GPU's memory; take a smaller batch"),
        ]:
            with self.subTest(error=error):
                code, cause, status = self.failed(fails % error)
                self.assertEqual((code, status), ("out-of-memory", 3))
                self.assertTrue(cause.startswith("The engine pytorch got no more "), cause)
                self.assertIn(words, cause)
        # Nothing is read yet, so fewer rows would not help.
        imports = """
import importlib
def broken(name, package=None):
    raise MemoryError
importlib.import_module = broken
"""
        code, cause, status = self.failed(imports)
        self.assertEqual((code, status), ("out-of-memory", 3))
        self.assertIn("got no memory for its own libraries", cause)
        self.assertNotIn("fewer rows", cause)
        # Another error is none of memory.
        code, cause, status = self.failed(fails % 'RuntimeError("the rows are kept in memory")')
        self.assertEqual((code, status), ("worker", 1), cause)

    def test_only_what_cannot_be_read_is_unreadable_data(self) -> None:
        code, cause, status = self.failed("", job="nothing")
        self.assertEqual((code, status), ("data", 4))
        self.assertIn("cannot read what it should learn from", cause)
        (self.folder / "short").write_bytes(b"1234")
        self.assertEqual(self.failed("", job="short")[0], "data")
        # A framework's own files are none of the job's.
        compiles = "def train(task, tale): open('/nowhere/ninja')\nengine.train = train"
        code, cause, status = self.failed(compiles)
        self.assertEqual((code, status), ("worker", 1))
        self.assertIn("FileNotFoundError", cause)
        code, cause, status = self.failed("", out="nowhere/out")
        self.assertEqual((code, status), ("worker", 1))
        self.assertIn("cannot write what it has learnt", cause)

    def test_threads_and_precision_are_what_the_framework_says_of_itself(self) -> None:
        events, status, log = self.run_with("")
        self.assertEqual(status, 0, log)
        self.assertEqual((SPEC["engine"]["threads"], events[0]["engine"]["threads"]), (1, 7))
        self.assertEqual(events[0]["engine"]["precision"], "tf32")


if __name__ == "__main__":
    unittest.main()
