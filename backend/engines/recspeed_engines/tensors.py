"""Safetensors files, read and written with NumPy alone: a length, a JSON header, the numbers.

The format is https://github.com/huggingface/safetensors; numbers are little-endian, as on every machine this runs on.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]

_TYPES = {"F32": np.float32, "F64": np.float64, "U32": np.uint32, "U64": np.uint64, "U8": np.uint8}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}


class BadTensors(Exception):
    """A file that is no safetensors file, or is damaged."""


def read(path: Path) -> Arrays:
    """Every array of the file by its name; writing to one does not change the file.

    What is not looked at is not read: a job holds the orders of all its epochs, and needs one at a time.
    """
    if path.stat().st_size < 8:
        raise BadTensors(f"{path} is too short for a safetensors file")
    with path.open("rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    head = int.from_bytes(raw[:8], "little")
    if head > len(raw) - 8:
        raise BadTensors(f"{path} ends inside its header")
    try:
        header = json.loads(raw[8 : 8 + head])
        return {
            name: _array(raw, 8 + head, entry, path, name) for name, entry in header.items() if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTensors(f"{path} has a damaged header: {error}") from error


def _array(raw: mmap.mmap, body: int, entry: Mapping[str, object], path: Path, name: str) -> np.ndarray:
    kind = _TYPES[str(entry["dtype"])]
    shape = [int(size) for size in entry["shape"]]  # type: ignore[attr-defined]
    start, end = (int(place) for place in entry["data_offsets"])  # type: ignore[attr-defined]
    count = int(np.prod(shape, dtype=np.int64))
    if not 0 <= start <= end <= len(raw) - body or end - start != count * np.dtype(kind).itemsize:
        raise BadTensors(f"array {name} of {path} lies outside the file or is cut off")
    return np.frombuffer(raw, dtype=kind, count=count, offset=body + start).reshape(shape)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the file whole or not at all."""
    header: dict[str, object] = {}
    blobs: list[bytes] = []
    place = 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, place + len(blob)],
        }
        blobs.append(blob)
        place += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for blob in blobs:
            file.write(blob)
    os.replace(aside, path)
