"""What the programs of the peers share: timing, their answer, and the data as arrays."""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

THREADS = int(os.environ.get("RECSPEED_BENCH_THREADS", "2"))


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each repeat, after one that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return seconds


def answer(name: str, version: str, seconds: list[float], **more: object) -> None:
    """One JSON object, as `bench.py` reads it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    told = {
        "name": name,
        "version": version,
        "seconds": seconds,
        "median": statistics.median(seconds),
        "peak_bytes": peak,
    }
    print(json.dumps({**told, **more}))


def rows(path: str) -> tuple[Any, Any, Any]:
    """User, item and rating of each row of a RecBole, Amazon or sequence file, as indices and stars."""
    import numpy as np
    import pandas as pd

    if path.endswith(".txt"):
        users, items = [], []
        with open(path) as lines:
            for user, line in enumerate(lines):
                for item in line.split()[1:]:
                    users.append(user)
                    items.append(int(item) - 1)
        return np.array(users), np.array(items), np.ones(len(users), np.float32)
    if path.endswith(".inter"):
        frame = pd.read_csv(path, header=None, skiprows=1, sep="\t")
    else:
        frame = pd.read_csv(path, header=None, skiprows=1, engine="pyarrow")
    return pd.factorize(frame[0])[0], pd.factorize(frame[1])[0], frame[2].to_numpy(np.float32)


def matrix(path: str, stars: bool = False) -> Any:
    """Users × items with 1, or the stars, for each row of the file; of several rows of one pair the last counts."""
    import numpy as np
    import scipy.sparse as sp

    users, items, ratings = rows(path)
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    pair = users.astype(np.int64) * shape[1] + items
    last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    values = ratings[last] if stars else np.ones(len(last), np.float32)
    return sp.csr_matrix((values, (users[last], items[last])), shape)
