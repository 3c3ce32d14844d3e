"""Factorizations beside LightFM, cmfrec, LibMF and xLearn, each by its own documented means.

`bench.py` asks `comparisons` what to run; as a program, in the peers' virtual environment, this file runs one peer and
prints one JSON object. usage: factorizations.py TASK FILE [--repeats N]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lab
from peer import THREADS, answer, matrix, rows, timed

Command = list[Any]
Section = tuple[str, Callable[[], str]]
WARP = {"factors": 64, "iterations": 10, "learning_rate": 0.05}
EMBEDDINGS = {"factors": 32, "iterations": 10, "learning_rate": 0.05, "max_sampled": 10}
FORK = "Of LightFM the fork lightfm-next: lightfm 1.17 itself is not made by the setuptools of these days."
BLAS = "OPENBLAS_NUM_THREADS"


def comparisons(
    compare: Callable[..., Section], method: Callable[..., Command], recspeed: Path, python: Path, data: Path
) -> list[Section]:
    """Sections of docs/benchmarks.md; `data` is the folder of real data."""
    ratings = data / "ml-100k" / "ml-100k.inter"
    beauty = data / "amazon-beauty" / "beauty-5core-sequences.txt"
    beauty_items = beauty.with_name("beauty-5core-item-attributes.json")
    films = lab.dataset(ratings, ratings.with_suffix(".item"), ratings.with_suffix(".user"))

    def peer(task: str, path: Path, repeats: int = 2) -> Command:
        return [python, Path(__file__), task, path, "--repeats", repeats]

    def attributes(dataset: str, more: str = "") -> Command:
        settings = ", ".join(f"{name} = {value}" for name, value in EMBEDDINGS.items())
        recommender = f'{{ kind = "feature-embeddings", {settings}{more} }}'
        return [python, Path(lab.__file__), recspeed, dataset, recommender, "--repeats", 2]

    warp = [f"{name}={value}" for name, value in WARP.items()] + ["regularization=0.0"]

    def pairs(path: Path, title: str) -> Section:
        entries = [
            ("exact", method("warp", path, *warp, repeats=2)),
            ("fast", method("warp", path, *warp, "mode=fast", repeats=2)),
            ("LightFM", peer("warp_lightfm", path)),
        ]
        why = "Ours in its exact mode learns in one order on one thread; LightFM's threads race."
        budget = f"faster than LightFM, whose threads race as ours do in the fast mode. {FORK}"
        asked = [("exact", "LightFM", 1), ("fast", "LightFM", 1)]
        return compare(f"WARP, 64 factors, 10 epochs: {title}", entries, budget, asked, why)

    embeddings = f"faster than LightFM. Both learn a vector of each id and of each attribute. {FORK}"
    one_thread = "Ours learns in one order on one thread; LightFM's threads race."
    return [
        pairs(ratings, "MovieLens-100K"),
        pairs(beauty, "Beauty 5-core"),
        compare(
            "Feature embeddings by WARP, 32 factors, 10 epochs, ids and attributes: MovieLens-100K",
            [
                ("ours", attributes(films, ', item_attributes = ["release_year", "class"]')),
                ("LightFM", peer("features_lightfm", ratings)),
            ],
            embeddings,
            why=one_thread,
        ),
        compare(
            "Feature embeddings by WARP, 32 factors, 10 epochs, ids and attributes: Beauty 5-core",
            [
                ("ours", attributes(lab.dataset(beauty, beauty_items))),
                ("LightFM", peer("features_lightfm", beauty)),
            ],
            embeddings,
            why=one_thread,
        ),
        compare(
            "Explicit ALS, 20 factors, 15 iterations: MovieLens-100K",
            [
                ("ours", method("als-explicit", ratings)),
                ("cholesky", peer("explicit_cmfrec", ratings)),
                ("cg", peer("explicit_cmfrec_cg", ratings)),
            ],
            "no slower than cmfrec solving exactly, as ours does, and by conjugate gradient, which it says is faster.",
        ),
        compare(
            "Non-negative factorization, 15 factors, 50 epochs: MovieLens-100K",
            [
                ("ours", method("nmf", ratings)),
                ("LibMF", peer("nmf_libmf", ratings)),
                ("Surprise", [python, Path(__file__).with_name("peers.py"), "nmf_surprise", ratings, "--repeats", 1]),
            ],
            "faster than Surprise, which makes the same updates, and no slower than LibMF, which takes steps of "
            "gradient descent and cuts them at 0.",
            why="Ours updates every number at once, each row by itself, on all threads.",
        ),
        compare(
            "Field-aware factorization machine, 4 factors, 20 epochs, ids: MovieLens-100K",
            [("ours", method("ffm", ratings, "iterations=20", repeats=2)), ("xLearn", peer("ffm_xlearn", ratings))],
            "no slower than xLearn, which is of 2018 and is made with a CMake below 4.",
            why="Ours learns in one order on one thread; xLearn's threads race.",
        ),
    ]


def version(package: str) -> str:
    return importlib.metadata.version(package)


def lightfm(path: str, settings: dict[str, Any], features: Sequence[Any], repeats: int, name: str) -> None:
    import lightfm as module

    data = matrix(path).tocoo()
    users, items = features

    def fit() -> None:
        model = module.LightFM(
            no_components=settings["factors"],
            loss="warp",
            learning_rate=settings["learning_rate"],
            max_sampled=10,
            random_state=42,
        )
        model.fit(data, user_features=users, item_features=items, epochs=settings["iterations"], num_threads=THREADS)

    answer(name, version("lightfm-next"), timed(fit, repeats), threads=THREADS)


def warp_lightfm(path: str, repeats: int) -> None:
    lightfm(path, WARP, (None, None), repeats, "LightFM, WARP")


def features_lightfm(path: str, repeats: int) -> None:
    """The id of each and its attributes, divided by their number, as LightFM's `Dataset` makes them."""
    users, items = names(path)
    known_users, known_items = attributes_of(path)
    features = (one_hot(users, known_users), one_hot(items, known_items))
    lightfm(path, EMBEDDINGS, features, repeats, "LightFM, WARP with features")


def names(path: str) -> tuple[list[str], list[str]]:
    """Ids of users and items in the order of the indices of `rows`."""
    if path.endswith(".txt"):
        users, items, _ = rows(path)
        return [str(user) for user in range(users.max() + 1)], [str(item + 1) for item in range(items.max() + 1)]
    with open(path) as lines:
        next(lines)
        pairs = [line.split("\t")[:2] for line in lines]
    return list(dict.fromkeys(user for user, _ in pairs)), list(dict.fromkeys(item for _, item in pairs))


def attributes_of(path: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Values of users and items by id: those that our row is given."""
    if path.endswith(".txt"):
        import json

        file = Path(path).with_name("beauty-5core-item-attributes.json")
        return {}, {item: [str(value) for value in values] for item, values in json.loads(file.read_text()).items()}
    users, items = (table(Path(path).with_suffix(end)) for end in (".user", ".item"))
    films = {item: [f"year {fields[1]}", *fields[2].split()] for item, fields in items.items()}
    return {user: [f"{at} {value}" for at, value in enumerate(fields)] for user, fields in users.items()}, films


def table(path: Path) -> dict[str, list[str]]:
    with path.open() as lines:
        next(lines)
        return {fields[0]: fields[1:] for fields in (line.rstrip("\n").split("\t") for line in lines)}


def one_hot(ids: list[str], values_of: dict[str, list[str]]) -> Any:
    """A row for each id: the id itself and its values, which add up to 1."""
    import numpy as np
    import scipy.sparse as sp

    known: dict[str, int] = {}
    indices: list[int] = []
    ends = [0]
    values: list[float] = []
    for name in ids:
        own = sorted(set(values_of.get(name, [])))
        indices += [len(ids) + known.setdefault(value, len(known)) for value in own]
        indices.append(len(ends) - 1)
        values += [1 / (len(own) + 1)] * (len(own) + 1)
        ends.append(len(indices))
    shape = (len(ids), len(ids) + len(known))
    return sp.csr_matrix((np.array(values, np.float32), np.array(indices, np.int32), np.array(ends, np.int32)), shape)


# What its documentation asks for where speed counts; the threads are its own, not those of BLAS.
CMFREC = {
    "finalize_chol": False,
    "use_float": True,
    "precompute_for_predictions": False,
    "produce_dicts": False,
    "verbose": False,
    "random_state": 42,
}


def explicit(path: str, repeats: int, cg: bool) -> None:
    os.environ[BLAS] = "1"
    import cmfrec

    data = matrix(path, stars=True).tocoo()
    fast = {**CMFREC, "nthreads": THREADS}

    def fit() -> None:
        # The penalty of each row counts for each of its ratings, as ours.
        cmfrec.CMF(k=20, lambda_=0.15, scale_lam=True, use_cg=cg, niter=15, **fast).fit(data)

    name = f"cmfrec, CMF by {'conjugate gradient' if cg else 'Cholesky'}"
    answer(name, version("cmfrec"), timed(fit, repeats), threads=THREADS)


def explicit_cmfrec(path: str, repeats: int) -> None:
    explicit(path, repeats, cg=False)


def explicit_cmfrec_cg(path: str, repeats: int) -> None:
    explicit(path, repeats, cg=True)


def implicit_cmfrec(path: str, repeats: int) -> None:
    os.environ[BLAS] = "1"
    import cmfrec

    data = matrix(path).tocoo()
    iterations = 5

    def seconds(count: int) -> float:
        # As its documentation says it equals implicit.
        fast = {**CMFREC, "nthreads": THREADS}
        model = cmfrec.CMF_implicit(k=64, lambda_=0.01, alpha=1.0, use_cg=True, max_cg_steps=3, niter=count, **fast)
        begun = time.perf_counter()
        model.fit(data)
        return time.perf_counter() - begun

    seconds(1)
    # The difference of two fits leaves out what happens once, as with implicit.
    each = [(seconds(1 + iterations) - seconds(1)) / iterations for _ in range(repeats)]
    answer("cmfrec, CMF_implicit by CG per iteration", version("cmfrec"), each, threads=THREADS)


def libmf(path: str, repeats: int, name: str, note: str = "", **settings: Any) -> None:
    import numpy as np

    # The package says on import where its library lies.
    said, sys.stdout = sys.stdout, sys.stderr
    from libmf import mf

    sys.stdout = said
    table = np.column_stack(rows(path)).astype(np.float32)

    def fit() -> None:
        mf.MF(fun=mf.P_L2_MFR, nr_threads=THREADS, quiet=True, **settings).fit(table)

    answer(name, version("libmf"), timed(fit, repeats), threads=THREADS, note=note)


def biased_mf_libmf(path: str, repeats: int) -> None:
    note = "it has no deviations of users and items"
    libmf(path, repeats, "LibMF", note, k=100, nr_iters=20, lambda_p2=0.02, lambda_q2=0.02)


def nmf_libmf(path: str, repeats: int) -> None:
    libmf(path, repeats, "LibMF, do_nmf", k=15, nr_iters=50, do_nmf=True, lambda_p2=0.06, lambda_q2=0.06)


def ffm_xlearn(path: str, repeats: int) -> None:
    # Its log is named after the user; without one it ends the process.
    os.environ.setdefault("USER", "bench")
    import xlearn

    users, items, ratings = rows(path)
    with tempfile.TemporaryDirectory() as folder:
        text, model = f"{folder}/rows.ffm", f"{folder}/model"
        first = int(users.max()) + 1
        with open(text, "w") as file:
            lines = zip(ratings, users, items, strict=True)
            file.writelines(f"{rating} 0:{user}:1 1:{first + item}:1\n" for rating, user, item in lines)
        rates = {"lr": 0.05, "lambda": 0.05}
        settings = {"task": "reg", "k": 4, "epoch": 20, "opt": "adagrad", "nthread": THREADS, **rates}

        def fit() -> None:
            machine = xlearn.create_ffm()
            machine.setTrain(text)
            machine.setQuiet()
            machine.disableNorm()
            machine.fit(settings, model)

        seconds = timed(fit, repeats)
    print()
    note = "its fit reads the rows from a text file each time, in which they lie as it wants them, and writes the model"
    answer("xLearn, FFM", version("xlearn"), seconds, threads=THREADS, note=note)


def main() -> None:
    known = (warp_lightfm, features_lightfm, explicit_cmfrec, explicit_cmfrec_cg, implicit_cmfrec, biased_mf_libmf)
    tasks = {task.__name__: task for task in (*known, nmf_libmf, ffm_xlearn)}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=tasks)
    parser.add_argument("file")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    tasks[given.task](given.file, given.repeats)


if __name__ == "__main__":
    main()
