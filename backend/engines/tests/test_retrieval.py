"""Rows come back from every container that is installed here: all of them, whole, and the sums say so."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

try:
    import numpy as np
except ImportError as error:
    raise unittest.SkipTest("NumPy is not installed here: these tests read and write arrays") from error

from recspeed_engines import retrieval

ROWS = 1000
NEEDS = {"pytorch": "torch", "tensorflow": "tensorflow", "pyvelox": "pyvelox"}
# These need less than the engine in whose environment they are read.
NEEDS_LESS = {"pyarrow": "pyarrow", "numpy": "numpy"}


def is_here(engine: str, container: str) -> bool:
    return importlib.util.find_spec(NEEDS_LESS.get(container, NEEDS[engine])) is not None


class Shared:
    """What PyTorch's tensor is to the array that it was made from."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def numpy(self) -> Any:
        return self._array

    def clone(self) -> Shared:
        return Shared(self._array.copy())


class Retrieval(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        row = np.arange(ROWS)
        self.columns = [row % 70, row % 30, 1 + row % 5, 1_400_000_000 + row]
        for (name, kind), column in zip(retrieval.COLUMNS.items(), self.columns, strict=True):
            column.astype(kind).tofile(self.folder / f"{name}.{kind[1]}{8 * int(kind[2])}")

    def test_columns_are_read_as_they_were_written(self) -> None:
        for read, written in zip(retrieval.read(self.folder), self.columns, strict=True):
            np.testing.assert_array_equal(read, written)

    def test_every_container_gives_every_number_back(self) -> None:
        for engine, containers in retrieval.CONTAINERS.items():
            for name, make in containers.items():
                with self.subTest(container=name):
                    if not is_here(engine, name):
                        self.skipTest(f"{engine} is not installed here")
                    # 300 rows a batch: the last one is shorter.
                    found = retrieval.measure(make(), self.folder, 1, 300, 50)
                    self.assertEqual(found["batch_sum"], float(sum(column.sum() for column in self.columns)))
                    self.assertEqual(found["single_sum"], float(sum(column[:50].sum() for column in self.columns)))
                    self.assertEqual((found["rows"], found["single_rows"]), (ROWS, 50))
                    self.assertGreaterEqual(int(str(found["threads"])), 1)

    def test_what_the_system_does_not_tell_of_a_process_is_not_0_bytes(self) -> None:
        told = [retrieval.grown(before, after) for before, after in [(10, 30), (30, 10), (10, 0), (0, 30), (0, 0)]]
        self.assertEqual(told, [20, 0, None, None, None])

    def test_a_container_has_the_threads_that_its_framework_says(self) -> None:
        torch, arrow = ModuleType("torch"), ModuleType("pyarrow")
        torch.get_num_threads = lambda: 3  # type: ignore[attr-defined]
        arrow.cpu_count = lambda: 5  # type: ignore[attr-defined]
        # TensorFlow's own setting counts before its variable, and that before the processors.
        told = mock.MagicMock()
        played = {"torch": torch, "pyarrow": arrow, "pyvelox": ModuleType("pyvelox"), "tensorflow": told}
        with mock.patch.dict(sys.modules, played):
            self.assertEqual((retrieval.Torch().threads(), retrieval.Pyvelox().threads()), (3, 5))
            for setting, variable, threads in [(4, "2", 4), (0, "2", 2), (0, "", len(os.sched_getaffinity(0)))]:
                told.config.threading.get_intra_op_parallelism_threads = lambda setting=setting: setting
                named = mock.patch.dict(os.environ, {"TF_NUM_INTRAOP_THREADS": variable})
                with self.subTest(setting=setting, variable=variable), named:
                    self.assertEqual(retrieval.Tensorflow().threads(), threads)

    def test_batches_and_the_copy_that_they_are_held_against_are_timed_in_turns_in_and_out_of_the_caches(self) -> None:
        timed: list[str] = []

        def seconds(work: Callable[[], object]) -> float:
            timed.append(getattr(work, "__name__", ""))
            work()
            return 0.5

        with mock.patch.object(retrieval, "seconds", seconds):
            found = retrieval.measure(retrieval.Numpy(), self.folder, 2, 300, None, 100_000)
        in_turns = ["batches", "copies"] * 2
        beyond = ["copy", "batches", "copies"] * 2
        self.assertEqual(timed, ["<lambda>"] * 2 + in_turns + beyond + ["back"] * 2 + ["<lambda>"] * 2)
        halves = [0.5, 0.5]
        out = {"bytes": 100_000, "memory_s": halves, "batch_s": halves, "copy_s": halves}
        self.assertEqual((found["batch_s"], found["copy_s"], found["beyond"]), (halves, halves, out))

    def test_a_copy_beyond_the_caches_that_has_no_room_is_left_out(self) -> None:
        found = retrieval.measure(retrieval.Numpy(), self.folder, 1, 300, None)
        self.assertIsNone(found["beyond"], "nobody asked for it")
        with mock.patch.object(retrieval, "Wide", side_effect=MemoryError):
            found = retrieval.measure(retrieval.Numpy(), self.folder, 1, 300, None, 100_000)
        self.assertIsNone(found["beyond"])

    def test_the_copy_beyond_the_caches_goes_over_every_byte_and_lies_in_pages_of_its_own(self) -> None:
        wide = retrieval.Wide(10, 4)
        self.assertEqual(wide.source.tolist(), [1] * 10, "zeros may all be one page")
        wide.source = np.arange(10, dtype=np.uint8)
        wide.copy()
        self.assertEqual(wide.target.tolist(), [8, 9, 6, 7], "the last piece is shorter")

    def test_a_container_is_empty_before_the_clock_of_its_filling_begins(self) -> None:
        held: list[int] = []

        class Watched(retrieval.Numpy):
            def fill(self, columns: retrieval.Arrays) -> None:
                held.append(len(self.objects()))
                super().fill(columns)

        container = Watched()
        columns = retrieval.read(self.folder)
        container.fill(columns)
        self.assertGreaterEqual(retrieval.built(container, columns), 0.0)
        self.assertEqual((held, len(container.objects())), ([0, 0], 4))

    def test_the_loop_alone_goes_over_every_row_and_reads_nothing(self) -> None:
        self.assertEqual(retrieval.loop(1000), 1000 * (69 + 29 + 4.5 + 1_400_000_000))
        found = retrieval.measure(retrieval.Numpy(), self.folder, 3, 300, 50)
        self.assertEqual([len(found[key]) for key in ("loop_s", "single_s")], [3, 3])  # type: ignore[arg-type]

    def test_before_any_row_is_timed_the_first_are_read_again_and_again_for_as_long_as_of_every_container(self) -> None:
        def calls(seconds: float, rows: int) -> list[int]:
            # A clock that moves so far at each look.
            looks = iter(number * seconds for number in range(1_000))
            read: list[int] = []
            with mock.patch("time.perf_counter", lambda: next(looks)):
                retrieval.warm_up(read.append, rows)
            return read

        first = retrieval.WARM_ROWS
        self.assertEqual(calls(2 * retrieval.WARM_S, 10 * first), [first], "a slow container reads them once")
        self.assertEqual(calls(retrieval.WARM_S / 3.5, 10 * first), [first] * 4, "until the time has passed")
        self.assertEqual(calls(2 * retrieval.WARM_S, 3), [3], "there are no more")
        warmed: list[str] = []

        def warm_up(read: Callable[[int], object], _rows: int) -> None:
            warmed.append(getattr(read, "__name__", ""))

        with mock.patch.object(retrieval, "warm_up", warm_up):
            retrieval.measure(retrieval.Numpy(), self.folder, 2, 300, None)
        self.assertEqual(warmed, ["singles", "loop"], "once, not before each pass")

    def test_one_object_is_as_large_whatever_the_rows(self) -> None:
        for engine, containers in retrieval.CONTAINERS.items():
            for name, make in containers.items():
                with self.subTest(container=name):
                    if not is_here(engine, name):
                        self.skipTest(f"{engine} is not installed here")
                    container = make()
                    sizes: list[int] = []
                    for rows in (10, ROWS):
                        container.fill([column[:rows].copy() for column in retrieval.read(self.folder)])
                        sizes.append(container.header_bytes())
                    self.assertEqual(sizes[0], sizes[1])
                    self.assertTrue(0 < sizes[0] < 1000, sizes)

    def test_strings_take_what_the_study_counts_for_pandas(self) -> None:
        # Of pandas 2.3 with Python 3.11: 48 bytes and one a string; from 3.12 on a string has a field less.
        header = 49 if sys.version_info < (3, 12) else 41
        self.assertEqual(sys.getsizeof("A234567890123X"), header + 14)
        if importlib.util.find_spec("pyarrow") is None:
            self.skipTest("pyarrow is not installed here")
        arrow = importlib.import_module("pyarrow")
        # Of pandas 3: the bytes of all strings, a 64-bit offset before the first and behind each (`nbytes` lacks one).
        strings = arrow.array(np.array(["A234567890123X", "A234567890123Y"], object), type=arrow.large_string())
        self.assertEqual(sum(buffer.size for buffer in strings.buffers() if buffer), 2 * 14 + 3 * 8)

    def assert_takes_memory(self, container: retrieval.Container) -> None:
        columns = retrieval.read(self.folder)
        container.fill(columns)
        for given, back in zip(columns, container.back(), strict=True):
            self.assertTrue(np.shares_memory(given, back))
            self.assertTrue(given.flags.writeable)

    def test_nothing_is_copied_for_a_framework_that_takes_an_arrays_memory(self) -> None:
        memory = [("pytorch", "torch"), ("pyvelox", "pyvelox"), ("pyvelox", "pyarrow"), ("pyvelox", "numpy")]
        for engine, container in memory:
            with self.subTest(container=container):
                if not is_here(engine, container):
                    self.skipTest(f"{engine} is not installed here")
                self.assert_takes_memory(retrieval.CONTAINERS[engine][container]())
        # The same for a PyTorch of one class, which is installed everywhere.
        played = ModuleType("torch")
        played.from_numpy = Shared  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"torch": played}):
            self.assert_takes_memory(retrieval.Torch())


if __name__ == "__main__":
    unittest.main()
