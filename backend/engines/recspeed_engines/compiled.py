"""Where an engine keeps what it compiles: a folder of the lab, never one of the environment, which may be theirs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

# Names the lab's folder for it; the lab sets it where it starts an engine.
PLACE = "RECSPEED_COMPILED"


def folder(package: str) -> Path:
    """The folder for what is compiled against this package, made where it is not there.

    One for each environment and version: what was compiled against one of them does not fit another.
    """
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = ""
    words = "\n".join([sys.prefix, sys.version, package, version])
    name = f"{package}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    for place in _places():
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place / name, os.W_OK | os.X_OK):
            return place / name
    # A new one: somebody else could have put a library into one whose name is known.
    place = Path(tempfile.mkdtemp(prefix="recspeed-compiled-"))
    # For the ranks that this process starts.
    os.environ[PLACE] = str(place)
    (place / name).mkdir()
    return place / name


def _places() -> Iterator[Path]:
    if named := os.environ.get(PLACE):
        yield Path(named)
    if cache := os.environ.get("XDG_CACHE_HOME"):
        yield Path(cache) / "recspeed" / "compiled"
    elif home := os.environ.get("HOME"):
        yield Path(home) / ".cache" / "recspeed" / "compiled"


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """While it lasts, no other process of the lab compiles there.

    PyTorch keeps others out by a file `lock`, which one that is killed leaves behind: all others would wait for ever.
    """
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "alone", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in place.glob("*/lock"):
            left.unlink(missing_ok=True)
        yield


def cause(error: Exception) -> str:
    """Why a compiler failed, in a line: what it calls an error, or else the first that it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    return next(iter(errors or lines), type(error).__name__)
