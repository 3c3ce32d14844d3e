"""Factorization machines beside myFM's Gibbs sampler, by its own documented means.

`bench.py` asks `comparisons` what to run; as a program, in the peers' virtual environment, this file runs one peer and prints
one JSON object. usage: machines.py TASK FILE [--repeats N] [--iterations N] [--samples N]
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

RANK = 10


def comparisons(compare, ours, python, data, csv):
    """Sections of docs/benchmarks.md; `data` is the folder of real data."""

    def peer(task, *arguments):
        return [python, Path(__file__), task, *arguments]

    ratings = data / "ml-100k" / "ml-100k.inter"
    budget = ("no slower than myFM on the same rows, rank and iterations. The newest myFM, 0.5.0, asks for Python 3.12; an "
              "older Python gets 0.4.0. xLearn has no Gibbs sampler: it stands beside the field-aware machine.")
    return [
        compare("Factorization machine by Gibbs sampling, rank 10, 200 iterations: MovieLens-100K", [
            ("ours", ours("fm_fit", ratings)), ("myfm", peer("myfm_ids", ratings, "--repeats", "2"))], budget),
        compare("The same with attributes of users and items", [
            ("ours", ours("fm_fit", ratings, "--side", "1")), ("myfm", peer("myfm_side", ratings, "--repeats", "2"))], budget),
        compare("The same without, 5 iterations, 1 sample: beauty-synthetic (2 million rows)", [
            ("ours", ours("fm_fit", csv, "--iterations", "5", "--samples", "1", "--repeats", "2")),
            ("myfm", peer("myfm_ids", csv, "--iterations", "5", "--samples", "1", "--repeats", "1"))], budget)]


def columns(path):
    """Ids of users and items, and ratings."""
    users, items, ratings = [], [], []
    separator = "\t" if path.suffix == ".inter" else ","
    with open(path) as lines:
        next(lines)
        for line in lines:
            user, item, rating = line.split(separator)[:3]
            users.append(user)
            items.append(item)
            ratings.append(float(rating))
    return users, items, ratings


def one_hot(ids, values_of):
    """A matrix with a row for each id and a column for each value; `values_of(id)` are its values."""
    import numpy as np
    import scipy.sparse as sp

    known, indices, ends = {}, [], [0]
    for name in ids:
        indices += [known.setdefault(value, len(known)) for value in values_of(name)]
        ends.append(len(indices))
    return sp.csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(ids), len(known)))


def attributes(path):
    with open(path) as lines:
        next(lines)
        return {fields[0]: fields[1:] for fields in (line.rstrip("\n").split("\t") for line in lines)}


def itself(name):
    return [name]


def gibbs(name, design, related, groups, ratings, given):
    """Fits myFM to the columns of `design` and those of relational blocks, each group of columns with a prior of its own, as its
    documentation recommends; after a short fit that is not counted."""
    import myfm
    import numpy as np

    ratings = np.array(ratings)

    def fit(iterations, samples):
        model = myfm.MyFMRegressor(rank=RANK, random_seed=42)
        begun = time.perf_counter()
        model.fit(design, ratings, X_rel=related, n_iter=iterations, n_kept_samples=samples, group_shapes=groups)
        return time.perf_counter() - begun

    fit(2, 1)
    answer(name, myfm.__version__, [fit(given.iterations, given.samples) for _ in range(given.repeats)])


def related(ids, columns_of):
    """What is known of each id, once, and where each row finds it: myFM's relational block; and the sizes of its groups."""
    import myfm
    import scipy.sparse as sp

    place = {name: at for at, name in enumerate(dict.fromkeys(ids))}
    parts = [one_hot(place, values_of) for values_of in columns_of]
    block = myfm.RelationBlock([place[name] for name in ids], sp.hstack(parts).tocsr())
    return block, [part.shape[1] for part in parts]


def myfm_ids(given):
    users, items, ratings = columns(given.file)
    import scipy.sparse as sp

    blocks = [one_hot(users, itself), one_hot(items, itself)]
    groups = [block.shape[1] for block in blocks]
    gibbs("myFM, MyFMRegressor", sp.hstack(blocks).tocsr(), [], groups, ratings, given)


def myfm_side(given):
    users, items, ratings = columns(given.file)
    of_user, of_item = attributes(given.file.with_suffix(".user")), attributes(given.file.with_suffix(".item"))
    user_block, user_groups = related(
        users, [itself, *(lambda user, at=at: [of_user[user][at]] for at in range(4))])
    item_block, item_groups = related(items, [
        itself, lambda item: [of_item[item][1]], lambda item: sorted(set(of_item[item][2].split()))])
    gibbs("myFM, MyFMRegressor with RelationBlock", None, [user_block, item_block], [*user_groups, *item_groups],
          ratings, given)


def answer(name, version, seconds):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"name": name, "version": version, "seconds": seconds,
                      "median": statistics.median(seconds), "peak_bytes": peak}))


if __name__ == "__main__":
    tasks = {task.__name__: task for task in (myfm_ids, myfm_side)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=tasks)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--samples", type=int, default=190)
    given = parser.parse_args()
    sys.exit(tasks[given.task](given))
