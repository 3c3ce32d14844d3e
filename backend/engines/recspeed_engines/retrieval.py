"""Ratings read back from a framework's container: one by one and in batches, and what the container holds.

`python -m recspeed_engines ENGINE --retrieval FOLDER --container NAME` prints one JSON object. The folder holds four
columns as bare little-endian numbers. Every number that is read is added up, so that nothing can be left out and so
that whoever asked can tell which rows were read.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from . import story

COLUMNS = {"user": "<u4", "item": "<u4", "rating": "<f4", "timestamp": "<i8"}
# What ids are in frameworks without unsigned numbers of this width.
SIGNED = {"user": np.int32, "item": np.int32, "rating": np.float32, "timestamp": np.int64}

Arrays = list[np.ndarray]
# Rows that are read one by one in each call before any is timed, at most, and the seconds for which they are read again
# and again at least: what a framework does once a process is no part of a row. The same for every container, also for
# those of the lab, whose code has both numbers as `WARM_ROWS` and `WARM_S`.
WARM_ROWS = 100
WARM_S = 0.02


class Container(Protocol):
    """Rows in a framework's own objects."""

    def fill(self, columns: Arrays) -> None:
        """Takes the columns in, with their memory where the framework can; else arrays are let go of behind a copy."""

    def clear(self) -> None:
        """Lets go of what it holds."""

    def objects(self) -> Sequence[Any]:
        """The framework's objects."""

    def header_bytes(self) -> int:
        """Bytes of the first object itself, without the numbers, whatever `sys.getsizeof` counts."""

    def buffer_bytes(self) -> int:
        """Bytes of the numbers."""

    def singles(self, rows: int) -> float:
        """Reads the first rows one by one, all four numbers of each, and adds them up."""

    def batch(self, start: int, end: int, into: Arrays) -> None:
        """Copies rows into arrays."""

    def back(self) -> Arrays:
        """Every number, as arrays: the container's own memory where the framework hands it out."""

    def threads(self) -> int:
        """How many threads the framework has for it, as it says itself."""


class Columns:
    """Objects, one a column or one for all."""

    def __init__(self) -> None:
        self._columns: list[Any] = []

    def clear(self) -> None:
        self._columns = []

    def objects(self) -> Sequence[Any]:
        return self._columns

    def header_bytes(self) -> int:
        return sys.getsizeof(self._columns[0])


class Torch(Columns):
    """A tensor for each column, in the array's own memory; a number is read by `tensor[row].item()`."""

    def __init__(self) -> None:
        super().__init__()
        self._torch = importlib.import_module("torch")

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._torch.from_numpy(column) for column in columns]

    def buffer_bytes(self) -> int:
        return sum(column.untyped_storage().nbytes() for column in self._columns)

    def singles(self, rows: int) -> float:
        user, item, rating, timestamp = self._columns
        total = 0.0
        for row in range(rows):
            total += user[row].item() + item[row].item() + rating[row].item() + timestamp[row].item()
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        for column, target in zip(self._columns, into, strict=True):
            self._torch.from_numpy(target[: end - start]).copy_(column[start:end])

    def back(self) -> Arrays:
        return [column.numpy() for column in self._columns]

    def threads(self) -> int:
        return int(self._torch.get_num_threads())


class TorchMatrix(Torch):
    """One tensor of 64-bit floats, which hold every number of a row exactly; a row is `tensor[row].tolist()`."""

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._torch.from_numpy(np.stack(columns, 1, dtype=np.float64))]

    def singles(self, rows: int) -> float:
        matrix = self._columns[0]
        total = 0.0
        for row in range(rows):
            user, item, rating, timestamp = matrix[row].tolist()
            total += user + item + rating + timestamp
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        rows = self._columns[0][start:end]
        for place, target in enumerate(into):
            self._torch.from_numpy(target[: end - start]).copy_(rows[:, place])

    def back(self) -> Arrays:
        matrix = self._columns[0].numpy()
        return [np.ascontiguousarray(matrix[:, place]) for place in range(matrix.shape[1])]


class Tensorflow(Columns):
    """A tensor for each column; a number is read by `tensor[row].numpy()`."""

    def __init__(self) -> None:
        super().__init__()
        self._tf = importlib.import_module("tensorflow")

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._tf.constant(column) for column in columns]

    def buffer_bytes(self) -> int:
        return sum(column.numpy().nbytes for column in self._columns)

    def singles(self, rows: int) -> float:
        user, item, rating, timestamp = self._columns
        total = 0.0
        for row in range(rows):
            total += (
                int(user[row].numpy())
                + int(item[row].numpy())
                + float(rating[row].numpy())
                + int(timestamp[row].numpy())
            )
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        for column, target in zip(self._columns, into, strict=True):
            np.copyto(target[: end - start], column[start:end].numpy())

    def back(self) -> Arrays:
        # TensorFlow's `numpy()` copies.
        return [column.numpy() for column in self._columns]

    def threads(self) -> int:
        # 0: nobody has set it, and TensorFlow takes what its variable says, and else every processor.
        told = int(self._tf.config.threading.get_intra_op_parallelism_threads())
        return told or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or len(os.sched_getaffinity(0))


class TensorflowMatrix(Tensorflow):
    """One tensor of 64-bit floats; a row is read by `tensor[row].numpy()`."""

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._tf.constant(np.stack(columns, 1, dtype=np.float64))]

    def singles(self, rows: int) -> float:
        matrix = self._columns[0]
        total = 0.0
        for row in range(rows):
            user, item, rating, timestamp = matrix[row].numpy().tolist()
            total += user + item + rating + timestamp
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        rows = self._columns[0][start:end].numpy()
        for place, target in enumerate(into):
            np.copyto(target[: end - start], rows[:, place], casting="unsafe")

    def back(self) -> Arrays:
        matrix = self._columns[0].numpy()
        return [np.ascontiguousarray(matrix[:, place]) for place in range(matrix.shape[1])]


class Pyvelox(Columns):
    """A vector for each column, in and out through Arrow; a number is read by `vector[row]`."""

    def __init__(self) -> None:
        super().__init__()
        self._velox = importlib.import_module("pyvelox")
        self._arrow = importlib.import_module("pyarrow")

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._velox.import_from_arrow(self._arrow.array(column)) for column in columns]

    def buffer_bytes(self) -> int:
        return sum(self._velox.export_to_arrow(column).nbytes for column in self._columns)

    def singles(self, rows: int) -> float:
        user, item, rating, timestamp = self._columns
        total = 0.0
        for row in range(rows):
            total += user[row] + item[row] + rating[row] + timestamp[row]
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        for column, target in zip(self._columns, into, strict=True):
            part = self._velox.export_to_arrow(column.slice(start, end))
            np.copyto(target[: end - start], part.to_numpy(zero_copy_only=False), casting="unsafe")

    def back(self) -> Arrays:
        return [self._velox.export_to_arrow(column).to_numpy(zero_copy_only=False) for column in self._columns]

    def threads(self) -> int:
        # Velox has none of its own here; Arrow, through which numbers come and go, has a pool.
        return int(self._arrow.cpu_count())


class PyveloxList(Pyvelox):
    """The same, each vector made of a Python list, as the paper built them, and taken back as one."""

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._velox.from_list(column.tolist()) for column in columns]

    def back(self) -> Arrays:
        return [np.array([column[row] for row in range(len(column))]) for column in self._columns]


class Arrow(Columns):
    """An array of PyArrow for each column, in the array's own memory; a number is read by `array[row].as_py()`."""

    def __init__(self) -> None:
        super().__init__()
        self._arrow = importlib.import_module("pyarrow")

    def fill(self, columns: Arrays) -> None:
        self._columns = [self._arrow.array(column) for column in columns]

    def header_bytes(self) -> int:
        # PyArrow's `__sizeof__` adds `nbytes`.
        return sys.getsizeof(self._columns[0]) - int(self._columns[0].nbytes)

    def buffer_bytes(self) -> int:
        return sum(column.nbytes for column in self._columns)

    def singles(self, rows: int) -> float:
        user, item, rating, timestamp = self._columns
        total = 0.0
        for row in range(rows):
            total += user[row].as_py() + item[row].as_py() + rating[row].as_py() + timestamp[row].as_py()
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        for column, target in zip(self._columns, into, strict=True):
            np.copyto(target[: end - start], column.slice(start, end - start).to_numpy(zero_copy_only=True))

    def back(self) -> Arrays:
        return [column.to_numpy(zero_copy_only=True) for column in self._columns]

    def threads(self) -> int:
        return int(self._arrow.cpu_count())


class Numpy(Columns):
    """The arrays themselves; a number is read by `array[row].item()`."""

    def fill(self, columns: Arrays) -> None:
        self._columns = list(columns)

    def header_bytes(self) -> int:
        # NumPy's `__sizeof__` adds the numbers where the array owns them, which a view of it does not.
        return sys.getsizeof(self._columns[0].view())

    def buffer_bytes(self) -> int:
        return sum(column.nbytes for column in self._columns)

    def singles(self, rows: int) -> float:
        user, item, rating, timestamp = self._columns
        total = 0.0
        for row in range(rows):
            total += user[row].item() + item[row].item() + rating[row].item() + timestamp[row].item()
        return total

    def batch(self, start: int, end: int, into: Arrays) -> None:
        for column, target in zip(self._columns, into, strict=True):
            np.copyto(target[: end - start], column[start:end])

    def back(self) -> Arrays:
        return self._columns

    def threads(self) -> int:
        # An array is read by the thread that asks.
        return 1


CONTAINERS: dict[str, dict[str, Callable[[], Container]]] = {
    "pytorch": {"torch": Torch, "torch-matrix": TorchMatrix},
    "tensorflow": {"tensorflow": Tensorflow, "tensorflow-matrix": TensorflowMatrix},
    "pyvelox": {"pyvelox": Pyvelox, "pyvelox-list": PyveloxList, "pyarrow": Arrow, "numpy": Numpy},
}


def read(folder: Path) -> Arrays:
    """The four columns, with signed ids."""
    columns = [np.fromfile(folder / f"{name}.{kind[1]}{8 * int(kind[2])}", kind) for name, kind in COLUMNS.items()]
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"the columns in {folder} differ in length")
    return [column.astype(SIGNED[name]) for name, column in zip(COLUMNS, columns, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    return [seconds(work) for _ in range(repeats)]


def warm_up(read: Callable[[int], object], rows: int) -> None:
    """Reads the first rows one by one, again and again until `WARM_S` have passed."""
    begun = time.perf_counter()
    while True:
        read(min(rows, WARM_ROWS))
        if time.perf_counter() - begun >= WARM_S:
            return


def built(container: Container, columns: Arrays) -> float:
    """Seconds from columns to the container, without those that it takes to let go of what was in it."""
    container.clear()
    return seconds(lambda: container.fill(columns))


def loop(rows: int) -> float:
    """Goes over as many rows as a container's `singles` does and adds up four numbers that it has already."""
    user, item, rating, timestamp = 69, 29, 4.5, 1_400_000_000
    total = 0.0
    for _row in range(rows):
        total += user + item + rating + timestamp
    return total


def grown(before: int, after: int) -> int | None:
    """Bytes that this process holds more than before; `None` where the system does not tell and either is 0."""
    return max(0, after - before) if before and after else None


class Wide:
    """More bytes than a cache has, and room for a piece of them."""

    def __init__(self, size: int, piece: int) -> None:
        # No zeros: the system may give those as one page for all, which a cache holds.
        self.source = np.ones(size, np.uint8)
        self.target = np.empty(max(1, piece), np.uint8)

    def copy(self) -> None:
        """Copies all of it, piece by piece to the same place. Of what lay in the caches before, nothing does then."""
        piece = len(self.target)
        for start in range(0, len(self.source), piece):
            part = self.source[start : start + piece]
            np.copyto(self.target[: len(part)], part)


def beyond(
    batches: Callable[[], None], copies: Callable[[], None], size: int, piece: int, repeats: int
) -> dict[str, object] | None:
    """Both again, each behind a copy of `size` bytes, which leaves nothing of them in the caches.

    `None` where there is no room.
    """
    try:
        wide = Wide(size, piece)
    except MemoryError:
        return None
    memory_s: list[float] = []
    batch_s: list[float] = []
    copy_s: list[float] = []
    for _ in range(repeats):
        memory_s.append(seconds(wide.copy))
        batch_s.append(seconds(batches))
        wide.copy()
        copy_s.append(seconds(copies))
    return {"bytes": size, "memory_s": memory_s, "batch_s": batch_s, "copy_s": copy_s}


def measure(
    container: Container,
    folder: Path,
    repeats: int,
    batch_rows: int,
    single_rows: int | None,
    beyond_bytes: int | None = None,
) -> dict[str, object]:
    """Everything that is told of a container but its name and versions."""
    # What a framework loads when it is first used is not what the container holds.
    container.fill([np.ones(1, kind) for kind in SIGNED.values()])
    gc.collect()
    before = story.resident_bytes()
    columns = read(folder)
    rows = len(columns[0])
    container.fill(columns)
    del columns
    gc.collect()
    resident = grown(before, story.resident_bytes())

    single_rows = min(rows, single_rows or rows)
    batch_rows = min(rows, batch_rows)
    targets = [np.empty(batch_rows, kind) for kind in SIGNED.values()]
    starts = range(0, rows, batch_rows)

    def batches() -> None:
        for start in starts:
            container.batch(start, min(rows, start + batch_rows), targets)

    batch_sum = 0.0
    for start in starts:
        end = min(rows, start + batch_rows)
        container.batch(start, end, targets)
        batch_sum += sum(float(target[: end - start].sum(dtype=np.float64)) for target in targets)
    warm_up(container.singles, single_rows)
    single_s: list[float] = []
    single_sum = 0.0
    for _ in range(repeats):
        begun = time.perf_counter()
        single_sum = container.singles(single_rows)
        single_s.append(time.perf_counter() - begun)
    warm_up(loop, single_rows)
    loop_s = timed(lambda: loop(single_rows), repeats)

    plain = read(folder)

    def copies() -> None:
        for start in starts:
            end = min(rows, start + batch_rows)
            for column, target in zip(plain, targets, strict=True):
                np.copyto(target[: end - start], column[start:end])

    # The container's numbers have been through the caches by now; so have those that it is held against.
    copies()
    # In turns: both meet the same caches and the same load, and neither has them to itself.
    turns = [(seconds(batches), seconds(copies)) for _ in range(repeats)]
    piece = sum(target.nbytes for target in targets)
    return {
        "threads": container.threads(),
        "rows": rows,
        "objects": len(container.objects()),
        "header_bytes": container.header_bytes(),
        "buffer_bytes": container.buffer_bytes(),
        "resident_bytes": resident,
        "single_rows": single_rows,
        "single_s": single_s,
        "loop_s": loop_s,
        "batch_rows": batch_rows,
        "batch_s": [batch for batch, _ in turns],
        "copy_s": [copy for _, copy in turns],
        "beyond": beyond(batches, copies, beyond_bytes, piece, repeats) if beyond_bytes else None,
        "back_s": timed(container.back, repeats),
        "build_s": [built(container, plain) for _ in range(repeats)],
        "single_sum": single_sum,
        "batch_sum": batch_sum,
    }


def run(
    engine: str,
    name: str,
    folder: Path,
    repeats: int,
    batch_rows: int,
    single_rows: int | None,
    beyond_bytes: int | None,
) -> int:
    """Measures one container and prints what it found."""
    known = CONTAINERS.get(engine, {})
    if name not in known:
        print(f"recspeed_engines: {engine} has no container {name}; it has {', '.join(known)}", file=sys.stderr)
        return 2
    container = known[name]()
    found = measure(container, folder, repeats, batch_rows, single_rows, beyond_bytes)
    versions = importlib.import_module(f".{engine}", __package__).versions()
    told = {"container": name, "versions": {"python": platform.python_version(), **versions}, **found}
    print(json.dumps(told, allow_nan=False), flush=True)
    return 0
