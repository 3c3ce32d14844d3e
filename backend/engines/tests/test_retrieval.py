"""Rows come back from every container that is installed here: all of them, whole, and the sums say so."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import unittest
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
                    if importlib.util.find_spec(NEEDS[engine]) is None:
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

    def assert_takes_memory(self, container: retrieval.Container) -> None:
        columns = retrieval.read(self.folder)
        container.fill(columns)
        for given, back in zip(columns, container.back(), strict=True):
            self.assertTrue(np.shares_memory(given, back))
            self.assertTrue(given.flags.writeable)

    def test_nothing_is_copied_for_a_framework_that_takes_an_arrays_memory(self) -> None:
        for engine, container in [("pytorch", "torch"), ("pyvelox", "pyvelox")]:
            with self.subTest(container=container):
                if importlib.util.find_spec(NEEDS[engine]) is None:
                    self.skipTest(f"{engine} is not installed here")
                self.assert_takes_memory(retrieval.CONTAINERS[engine][container]())
        # The same for a PyTorch of one class, which is installed everywhere.
        played = ModuleType("torch")
        played.from_numpy = Shared  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"torch": played}):
            self.assert_takes_memory(retrieval.Torch())


if __name__ == "__main__":
    unittest.main()
