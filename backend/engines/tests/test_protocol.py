"""What needs no framework: files, specs, events. NumPy alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("NumPy is not installed here: these tests read and write arrays") from error

from recspeed_engines import compiled, job, precision, story, tensors
from tests.jobs import SPEC, arrays


class Precision(unittest.TestCase):
    def test_what_products_are_computed_in_is_what_setting_and_environment_say(self) -> None:
        for setting, nvidia, torch, expected in [
            ("highest", None, None, "f32"),
            ("highest", None, "0", "f32"),
            ("highest", None, "1", "tf32"),
            ("highest", "0", "1", "f32"),
            ("highest", "1", None, None),
            ("high", None, None, "tf32"),
            ("medium", "", None, "tf32"),
            ("high", "0", None, "f32"),
            ("high", "1", None, "tf32"),
        ]:
            named = {"NVIDIA_TF32_OVERRIDE": nvidia, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": torch}
            environment = {name: value for name, value in named.items() if value is not None}
            with self.subTest(setting=setting, environment=environment):
                self.assertEqual(precision.on_a_gpu(setting, environment), expected)

    def test_what_onednn_may_round_is_not_known_and_everything_else_is_f32(self) -> None:
        own, older, tf = "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE"
        cases: list[tuple[dict[str, str], str | None, str | None]] = [
            ({}, "f32", "f32"),
            ({own: ""}, "f32", "f32"),
            ({own: "strict"}, "f32", "f32"),
            ({own: "fast"}, "f32", "f32"),
            ({own: "BF16"}, None, None),
            ({own: "f16"}, None, None),
            ({own: "tf32"}, None, None),
            ({older: "any"}, None, None),
            ({own: "", older: "any"}, None, None),
            ({own: "strict", older: "any"}, "f32", "f32"),
            ({tf: "BF16"}, "f32", None),
        ]
        for environment, pytorch, tensorflow in cases:
            with self.subTest(environment=environment):
                self.assertEqual(precision.on_a_processor(environment), pytorch)
                self.assertEqual(precision.on_a_processor(environment, tf), tensorflow)


class Files(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_arrays_come_back_bit_for_bit(self) -> None:
        given = {
            "a": np.array([[1.5, -0.0], [np.float32(1e-40), 3.0]], np.float32),
            "n": np.arange(7, dtype=np.uint32),
            "nothing": np.zeros((0, 3), np.float32),
        }
        tensors.write(self.folder / "x.safetensors", given)
        back = tensors.read(self.folder / "x.safetensors")
        self.assertEqual(set(back), set(given))
        for name, array in given.items():
            self.assertEqual(back[name].dtype, array.dtype)
            self.assertEqual(back[name].shape, array.shape)
            self.assertEqual(back[name].tobytes(), array.tobytes())

    def test_a_damaged_file_is_named(self) -> None:
        path = self.folder / "x.safetensors"
        tensors.write(path, {"a": np.arange(100, dtype=np.float32)})
        whole = path.read_bytes()
        for damaged in (b"", whole[:4], whole[:40], whole[:-1], b"\xff" * 64, whole[:8] + b"[" + whole[9:]):
            path.write_bytes(damaged)
            with self.assertRaises(tensors.BadTensors, msg=str(damaged[:20])):
                tensors.read(path)

    def test_a_job_is_read_as_it_was_written(self) -> None:
        tensors.write(self.folder / "job", arrays(rows=10, epochs=2))
        read = job.read(json.dumps(SPEC), self.folder / "job", "pytorch")
        self.assertEqual((read.rows, read.batches, read.steps), (10, 3, 6))
        self.assertEqual([name for name, _, _ in read.layers()], ["layers.0", "layers.1"])
        self.assertEqual(read.parameters, 3 * 5 + 5 + 5 + 1)

    def test_first_weights_and_orders_are_told_as_the_lab_tells_its_own(self) -> None:
        # The same numbers stand in shared/neural/src/training/begun.rs.
        weights = [np.array([[0.5, -0.0]], np.float32), np.array([2.5, -1.0], np.float32)]
        orders = [np.array(order, np.uint32) for order in ([2, 0, 1], [1, 2, 0])]
        self.assertEqual((job.digest(weights), job.digest(orders)), ("cd0a400cec0497d7", "13b5e38a5b5c793e"))
        with mock.patch("recspeed_engines.job.BLOCK", 2):
            self.assertEqual(job.digest(orders), "13b5e38a5b5c793e", "in blocks as at once")
        numbers = arrays(rows=10, epochs=2)

        def told(**changed: np.ndarray) -> dict[str, str]:
            tensors.write(self.folder / "job", {**numbers, **changed})
            return job.begun(job.read(json.dumps(SPEC), self.folder / "job", "pytorch"))

        first = told()
        names = sorted(name for name in numbers if name.startswith("initial/"))
        self.assertEqual(first["weights"], job.digest(numbers[name] for name in names))
        other = numbers["initial/layers.0.bias"].copy()
        other[2] = np.nextafter(other[2], np.float32(9))
        self.assertNotEqual(told(**{"initial/layers.0.bias": other})["weights"], first["weights"], "all bits")
        swapped = told(**{"order.0": numbers["order.1"], "order.1": numbers["order.0"]})
        self.assertEqual(swapped["weights"], first["weights"])
        self.assertNotEqual(swapped["orders"], first["orders"], "of which epoch an order is counts")

    def test_what_an_engine_cannot_run_is_named(self) -> None:
        tensors.write(self.folder / "job", arrays(rows=10, epochs=2))
        for section, field, value, word in [
            ("engine", "kind", "tensorflow", "engine.kind"),
            ("recommender", "kind", "als", "recommender.kind"),
            ("training", "early_stopping", 3, "early_stopping"),
        ]:
            spec = json.loads(json.dumps(SPEC))
            spec[section][field] = value
            with self.assertRaises(job.InvalidSpec) as refused:
                job.read(json.dumps(spec), self.folder / "job", "pytorch")
            self.assertIn(word, str(refused.exception))
        short = json.loads(json.dumps(SPEC))
        short["training"]["epochs"] = 3
        with self.assertRaises(tensors.BadTensors):
            job.read(json.dumps(short), self.folder / "job", "pytorch")


class Compiled(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def placed(self, **named: str) -> Path:
        with mock.patch.dict(os.environ, named, clear=True):
            return compiled.folder("numpy")

    def test_what_is_compiled_lies_in_a_folder_of_the_lab_and_not_in_the_environment(self) -> None:
        lab, cache, home = (str(self.folder / name) for name in ("lab", "cache", "home"))
        # One that cannot be made, as on a disk that nobody may write to.
        (self.folder / "file").write_text("")
        bad = str(self.folder / "file" / "lab")
        for named, expected in [
            ({compiled.PLACE: lab, "XDG_CACHE_HOME": cache, "HOME": home}, Path(lab)),
            ({"XDG_CACHE_HOME": cache, "HOME": home}, Path(cache) / "recspeed" / "compiled"),
            ({"HOME": home}, Path(home) / ".cache" / "recspeed" / "compiled"),
            ({compiled.PLACE: bad, "HOME": home}, Path(home) / ".cache" / "recspeed" / "compiled"),
        ]:
            with self.subTest(named=named):
                found = self.placed(**named)
                self.assertEqual(found.parent, expected)
                self.assertTrue(found.is_dir())
        last = self.placed(**{compiled.PLACE: bad, "HOME": bad})
        self.addCleanup(shutil.rmtree, last.parent)
        self.assertTrue(last.is_dir() and not last.is_relative_to(sys.prefix))

    def test_another_version_of_what_it_is_compiled_against_has_another_folder(self) -> None:
        place = {compiled.PLACE: str(self.folder)}
        before = self.placed(**place)
        self.assertEqual(self.placed(**place), before)
        with mock.patch("recspeed_engines.compiled.metadata.version", return_value="0.0.0"):
            self.assertNotEqual(self.placed(**place), before)

    def test_a_lock_that_one_who_was_killed_has_left_keeps_nobody_out(self) -> None:
        left = self.folder / "op" / "lock"
        left.parent.mkdir()
        left.write_text("")
        with compiled.alone(self.folder):
            self.assertFalse(left.exists())

    def test_the_cause_of_a_compiler_is_its_error(self) -> None:
        said = "Error building extension 'op'\n[1/2] c++ -c a.cpp\na.cpp:1:1: error: no type\nninja: build stopped."
        self.assertEqual(compiled.cause(RuntimeError(said)), "a.cpp:1:1: error: no type")
        self.assertEqual(compiled.cause(RuntimeError("no ninja\nat all")), "no ninja")
        self.assertEqual(compiled.cause(RuntimeError()), "RuntimeError")


class Checks(unittest.TestCase):
    def test_a_check_compiles_first_and_only_its_answer_reaches_standard_output(self) -> None:
        plays = """
import os, sys
from types import ModuleType
from recspeed_engines import __main__
engine = ModuleType("recspeed_engines.deepspeed")
engine.versions = lambda: {"deepspeed": built[0]}
built = []
def compile_parts():
    os.system("echo compiler")
    print("DeepSpeed op built successfully", flush=True)
    %s
    built.append("1")
engine.compile_parts = compile_parts
sys.modules[engine.__name__] = engine
status = __main__.main()
os._exit(status)
"""
        environment = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
        for fails, status in [("", 0), ("raise RuntimeError('no compiler')", 1)]:
            with self.subTest(fails=fails):
                program = [sys.executable, "-c", plays % fails, "deepspeed", "--check"]
                ended = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60)
                self.assertEqual(ended.returncode, status, ended.stderr)
                if status == 0:
                    self.assertEqual(json.loads(ended.stdout)["deepspeed"], "1")
                else:
                    self.assertEqual(ended.stdout, "")
                    self.assertIn("no compiler", ended.stderr.splitlines()[-1])

    def test_a_check_does_not_take_what_builds_a_network_for_what_compiles_the_engine(self) -> None:
        plays = """
import os, sys
from types import ModuleType
from recspeed_engines import __main__
engine = ModuleType("recspeed_engines.tensorflow")
engine.versions = lambda: {"tensorflow": "1"}
engine.build = lambda job: 1 / 0
sys.modules[engine.__name__] = engine
status = __main__.main()
os._exit(status)
"""
        environment = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
        program = [sys.executable, "-c", plays, "tensorflow", "--check"]
        ended = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(json.loads(ended.stdout)["tensorflow"], "1")


class Start(unittest.TestCase):
    def test_the_folder_it_is_started_in_is_not_imported_from(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "numpy.py").write_text("raise SystemExit('the wrong NumPy')")
        path = os.pathsep.join([str(Path(job.__file__).parents[1]), *filter(None, sys.path)])
        program = [sys.executable, "-s", "-P", "-m", "recspeed_engines.job"]
        ended = subprocess.run(program, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)


class Orphans(unittest.TestCase):
    def test_one_whose_starter_is_gone_before_it_looks_leaves(self) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        path = str(Path(job.__file__).parents[1])
        told = "from recspeed_engines import story; import time; story.follow(); print('stays'); time.sleep(1)"
        for parent, status, said in [(str(gone.pid), 130, ""), (str(os.getpid()), 0, "stays\n"), ("", 0, "stays\n")]:
            with self.subTest(parent=parent):
                named = {**os.environ, "PYTHONPATH": path, story.PARENT: parent}
                ended = subprocess.run([sys.executable, "-c", told], env=named, capture_output=True, text=True)
                self.assertEqual((ended.returncode, ended.stdout), (status, said), ended.stderr)

    def test_a_program_between_the_two_is_a_parent(self) -> None:
        self.assertFalse(story.is_orphan(os.getppid(), str(os.getpid())), "it is there")
        self.assertFalse(story.is_orphan(7, "no number"))


class Events(unittest.TestCase):
    def test_a_slow_training_is_heard_of_while_it_goes_forward_and_only_then(self) -> None:
        out, steps = io.StringIO(), iter([1, 2, 2, 3, *[3] * 1000])
        tale = story.Story("r1", out)
        with tale.beating(lambda: next(steps), total=9, every_s=0.02):
            time.sleep(0.5)
            # What came late must not go back.
            tale.progress(2, 9)
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([event["done"] for event in told], [1, 2, 3])
        self.assertTrue(all(event["kind"] == "progress" for event in told))

    def test_a_curve_of_few_points_tells_of_its_progress_between_them(self) -> None:
        out = io.StringIO()
        curve = story.Curve(story.Story("r1", out), epochs=1, batches=2000)
        with mock.patch.object(story, "BEAT_S", 0.0):
            for _ in range(3):
                curve.batch(1.0, 4)
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([event["done"] for event in told], [1, 2, 3])

    def test_events_are_numbered_without_a_gap_and_nothing_follows_the_end(self) -> None:
        out = io.StringIO()
        tale = story.Story("r1", out)
        tale.tell("phase", phase="fit")
        tale.tell("log", message="hello")
        sys.stderr, kept = io.StringIO(), sys.stderr
        try:
            self.assertEqual(tale.fail("diverged", "why"), 5)
        finally:
            sys.stderr = kept
        tale.tell("log", message="too late")
        events = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([event["seq"] for event in events], [0, 1, 2])
        self.assertEqual(events[-1]["kind"], "failed")
        self.assertTrue(all(event["run"] == "r1" for event in events))

    def test_a_curve_has_about_two_hundred_points_and_the_means_of_its_windows(self) -> None:
        out = io.StringIO()
        curve = story.Curve(story.Story("r1", out), epochs=2, batches=300)
        for _ in range(2):
            for batch in range(300):
                curve.batch(float(batch % 3), 4)
            curve.epoch()
        events = [json.loads(line) for line in out.getvalue().splitlines()]
        losses = [event for event in events if event.get("name") == "loss"]
        self.assertEqual(len(losses), 200)
        self.assertTrue(all(event["value"] == 1.0 for event in losses))
        self.assertEqual([e["value"] for e in events if e.get("name") == "epoch-loss"], [1.0, 1.0])

    def test_a_loss_that_is_no_number_ends_the_training(self) -> None:
        curve = story.Curve(story.Story("r1", io.StringIO()), epochs=1, batches=2)
        with self.assertRaises(story.Diverged):
            curve.batch(float("nan"), 4)


if __name__ == "__main__":
    unittest.main()
