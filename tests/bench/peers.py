"""The peers that `make bench` measures beside ours, each by its own documented means.

Prints one JSON object a call: {"name", "version", "seconds": [each repeat], "peak_bytes", ...}.
usage: peers.py TASK [FILE] [--repeats N]
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

from peer import THREADS, answer, matrix, rows, timed


def csv_polars(path, repeats):
    import polars as pl

    # Text first and then a cast is Polars' fastest way to categories here; naming the type while reading is slower. The
    # counted calls fill Polars' table of categories anew, as ours does; the note tells what a call takes while an earlier
    # frame keeps the same categories alive, which is Polars' best case.
    def read():
        frame = pl.read_csv(path, has_header=False, skip_rows=1, new_columns=["user", "item", "rating", "timestamp"],
                            schema_overrides=[pl.String, pl.String, pl.Float32, pl.Int64])
        return frame.with_columns(pl.col("user").cast(pl.Categorical), pl.col("item").cast(pl.Categorical))

    seconds = timed(read, repeats)
    kept = read()
    warm = statistics.median(timed(read, repeats))
    answer("Polars, Categorical", pl.__version__, seconds, rows=kept.height,
           note=f"{warm:.2f} s while an earlier frame keeps the same categories alive")


def csv_polars_strings(path, repeats):
    import polars as pl

    types = [pl.String, pl.String, pl.Float32, pl.Int64]

    def read():
        return pl.read_csv(path, has_header=False, skip_rows=1, schema_overrides=types)

    answer("Polars, ids left as text", pl.__version__, timed(read, repeats), rows=read().height)


def csv_pyarrow(path, repeats):
    import pyarrow as pa
    import pyarrow.csv as pc

    pa.set_cpu_count(THREADS)
    names = ["user", "item", "rating", "timestamp"]
    types = {"user": pa.string(), "item": pa.string(), "rating": pa.float32(), "timestamp": pa.int64()}

    def read():
        table = pc.read_csv(path, read_options=pc.ReadOptions(column_names=names, skip_rows=1),
                            convert_options=pc.ConvertOptions(column_types=types))
        # Chunk by chunk, with one dictionary: faster than joining the chunks first, or than dictionary types while reading.
        user, item = table["user"].dictionary_encode(), table["item"].dictionary_encode()
        return len(user), len(item), table.num_rows

    answer("PyArrow, dictionary_encode", pa.__version__, timed(read, repeats), rows=read()[2])


def csv_pyarrow_strings(path, repeats):
    import pyarrow as pa
    import pyarrow.csv as pc

    pa.set_cpu_count(THREADS)
    names = ["user", "item", "rating", "timestamp"]

    def read():
        return pc.read_csv(path, read_options=pc.ReadOptions(column_names=names, skip_rows=1)).num_rows

    answer("PyArrow, ids left as text", pa.__version__, timed(read, repeats), rows=read())


def csv_pandas(path, repeats):
    import pandas as pd

    def read():
        frame = pd.read_csv(path, header=None, skiprows=1, engine="pyarrow")
        return len(pd.factorize(frame[0])[1]), len(pd.factorize(frame[1])[1])

    answer("pandas, factorize", pd.__version__, timed(read, repeats))


ROWS, EPOCHS, BATCH, HIDDEN = 10_000, 3, 64, 64


def four_layer_data():
    import numpy as np

    rng = np.random.default_rng(42)
    x = rng.random((ROWS, 3), dtype=np.float32)
    y = (0.3 + 0.4 * x[:, :1] + 0.1 * rng.standard_normal((ROWS, 1))).astype(np.float32)
    return x, y


def four_layer_pytorch(_path, repeats):
    import torch

    # The same path of the optimizer as the lab's engine takes.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend" / "engines"))
    from recspeed_engines.torch_networks import FASTEST_UPDATE

    torch.set_num_threads(THREADS)
    x, y = (torch.from_numpy(a) for a in four_layer_data())

    def train():
        torch.manual_seed(42)
        net = torch.nn.Sequential(
            torch.nn.Linear(3, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **FASTEST_UPDATE)
        loss_of = torch.nn.MSELoss()
        for _ in range(EPOCHS):
            order = torch.randperm(ROWS)
            # Tensors in memory, sliced by batch: no worker and no collation of a DataLoader is timed.
            xs, ys = x[order], y[order]
            for at in range(0, ROWS, BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(net(xs[at:at + BATCH]), ys[at:at + BATCH])
                loss.backward()
                optimizer.step()
        return float(loss)

    best = min(((threads, timed_with(torch, threads, train, 1)) for threads in {1, THREADS}), key=lambda p: p[1])[0]
    torch.set_num_threads(best)
    answer("PyTorch, eager", torch.__version__, timed(train, repeats), threads=best)


def timed_with(torch, threads, work, repeats):
    torch.set_num_threads(threads)
    return min(timed(work, repeats))


def four_layer_keras(_path, repeats):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    x, y = four_layer_data()

    def train():
        tf.keras.utils.set_random_seed(42)
        net = tf.keras.Sequential([tf.keras.layers.Input((3,)), *[tf.keras.layers.Dense(HIDDEN, "relu") for _ in range(3)],
                                   tf.keras.layers.Dense(1)])
        net.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss="mse")
        net.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)

    answer("Keras, model.fit", tf.__version__, timed(train, repeats))


def implicit_model(factors=64, iterations=1):
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as implicit's own warning asks
    import implicit

    return implicit, implicit.als.AlternatingLeastSquares(
        factors=factors, regularization=0.01, alpha=1.0, iterations=iterations, use_gpu=False, num_threads=THREADS,
        random_state=42, calculate_training_loss=False)


def als_implicit(path, repeats):
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    data = matrix(path)
    iterations = 5
    implicit, _ = implicit_model()

    def seconds(count):
        model = implicit_model(iterations=count)[1]
        begun = time.perf_counter()
        model.fit(data, show_progress=False)
        return time.perf_counter() - begun

    seconds(1)
    # The difference of two fits leaves out what happens once: initial factors, the transposed matrix.
    each = [(seconds(1 + iterations) - seconds(1)) / iterations for _ in range(repeats)]
    answer("implicit, ALS-CG per iteration", implicit.__version__, each, users=data.shape[0], items=data.shape[1],
           entries=int(data.nnz), threads=THREADS)


def full_ranking(path, repeats):
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy as np

    data = matrix(path)
    implicit, model = implicit_model()
    rng = np.random.default_rng(42)
    model.user_factors = rng.standard_normal((data.shape[0], 64), dtype=np.float32)
    model.item_factors = rng.standard_normal((data.shape[1], 64), dtype=np.float32)
    users = np.arange(data.shape[0])

    def rank():
        return model.recommend(users, data, N=10, filter_already_liked_items=True)

    answer("implicit, recommend N=10", implicit.__version__, timed(rank, repeats), users=data.shape[0],
           items=data.shape[1], threads=THREADS)


def full_ranking_torch(path, repeats):
    """As many users at a time as is fastest here; the scores of all pairs are never held at once."""
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    data = matrix(path)
    rng = np.random.default_rng(42)
    users = torch.from_numpy(rng.standard_normal((data.shape[0], 64), dtype=np.float32))
    items = torch.from_numpy(rng.standard_normal((data.shape[1], 64), dtype=np.float32))
    starts, seen = torch.from_numpy(data.indptr.astype(np.int64)), torch.from_numpy(data.indices.astype(np.int64))
    owner = torch.repeat_interleave(torch.arange(len(users)), starts.diff())

    @torch.inference_mode()
    def rank(tile):
        scores, best = torch.empty(tile, len(items)), []
        for first in range(0, len(users), tile):
            last = min(first + tile, len(users))
            part = torch.matmul(users[first:last], items.T, out=scores[:last - first])
            own = slice(int(starts[first]), int(starts[last]))
            part[owner[own] - first, seen[own]] = -torch.inf
            best.append(torch.topk(part, 10).indices)
        return torch.cat(best)

    tile = min((timed(lambda tile=tile: rank(tile), 1)[0], tile) for tile in (64, 256, 1024, 4096))[1]
    answer("PyTorch, matmul + topk", torch.__version__, timed(lambda: rank(tile), repeats), users=len(users),
           items=len(items), threads=THREADS, note=f"{tile} users at a time, the fastest of 64, 256, 1,024 and 4,096")


def item_knn_implicit(path, repeats):
    import implicit

    data = matrix(path, stars=True)

    def fit():
        model = implicit.nearest_neighbours.CosineRecommender(K=50, num_threads=THREADS)
        model.fit(data, show_progress=False)

    answer("implicit, CosineRecommender K=50", implicit.__version__, timed(fit, repeats), threads=THREADS)


def bpr_implicit(path, repeats):
    import implicit

    data = matrix(path)

    def fit():
        # The gradient is that of half the penalty, as ours.
        model = implicit.bpr.BayesianPersonalizedRanking(
            factors=64, learning_rate=0.02, regularization=0.01, iterations=20, use_gpu=False, num_threads=THREADS,
            random_state=42, verify_negative_samples=True)
        model.fit(data, show_progress=False)

    answer("implicit, BPR 64 factors, 20 epochs", implicit.__version__, timed(fit, repeats), threads=THREADS)


def skrecsys_fit(name, path, repeats, make, stars=True):
    """Its fit from the sparse matrix on; the encoding of ids is left out, as ours is."""
    import numpy as np
    import skrecsys
    from skrecsys import recommendation

    users, items, ratings = rows(path)
    model = make(recommendation)
    model.fit(np.column_stack([users, items]), ratings if stars else None)
    inner = model.interactions_
    answer(name, skrecsys.__version__, timed(lambda: model._fit(inner), repeats), threads=THREADS)


def item_knn_skrecsys(path, repeats):
    skrecsys_fit("skrecsys, ItemKNN 50", path, repeats, lambda r: r.ItemKNNRecommender(n_neighbors=50, n_jobs=THREADS))


def ease_skrecsys(path, repeats):
    skrecsys_fit("skrecsys, EASE", path, repeats, lambda r: r.EASE(l2_reg=500.0, n_jobs=THREADS))


def ease_skrecsys_once(path, _repeats):
    """One fit, none before it that is not counted: it takes minutes. The encoding of the ids is in it."""
    import numpy as np
    import skrecsys
    from skrecsys import recommendation

    users, items, ratings = rows(path)
    pairs = np.column_stack([users, items])
    begun = time.perf_counter()
    recommendation.EASE(l2_reg=500.0, n_jobs=THREADS).fit(pairs, ratings)
    answer("skrecsys, EASE", skrecsys.__version__, [time.perf_counter() - begun], threads=THREADS,
           note="one fit, none before it that is not counted")


def slim_skrecsys(path, repeats):
    skrecsys_fit("skrecsys, SLIM", path, repeats, lambda r: r.SLIMElasticNet(
        alpha=1.0, l1_ratio=0.1, n_neighbors=100, n_jobs=THREADS))


def bpr_skrecsys(path, repeats):
    skrecsys_fit("skrecsys, BPR 64 factors, 20 epochs", path, repeats, lambda r: r.BayesianPersonalizedRanking(
        n_factors=64, learning_rate=0.02, regularization=0.01, max_iter=20, random_state=42, n_jobs=THREADS), stars=False)


def surprise_fit(path, repeats, make):
    """Fit of a method of Surprise on all rows; it has no threads."""
    import pandas as pd
    import surprise

    users, items, ratings = rows(path)
    frame = pd.DataFrame({"user": users, "item": items, "rating": ratings})
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()
    name = type(make(surprise)).__name__
    answer(f"Surprise, {name}", surprise.__version__, timed(lambda: make(surprise).fit(data), repeats),
           note="it has one thread only")


def biased_mf_surprise(path, repeats):
    surprise_fit(path, repeats, lambda s: s.SVD(random_state=42))


def svdpp_surprise(path, repeats):
    surprise_fit(path, repeats, lambda s: s.SVDpp(random_state=42, cache_ratings=True))


def nmf_surprise(path, repeats):
    surprise_fit(path, repeats, lambda s: s.NMF(random_state=42))


TASKS = {f.__name__: f for f in (csv_polars, csv_polars_strings, csv_pyarrow, csv_pyarrow_strings, csv_pandas,
                                 four_layer_pytorch, four_layer_keras, als_implicit, full_ranking, full_ranking_torch,
                                 item_knn_implicit,
                                 bpr_implicit, item_knn_skrecsys, ease_skrecsys, ease_skrecsys_once, slim_skrecsys,
                                 bpr_skrecsys, biased_mf_surprise, svdpp_surprise, nmf_surprise)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    os.environ.setdefault("POLARS_MAX_THREADS", str(THREADS))
    sys.exit(TASKS[given.task](given.file, given.repeats))
