"""SASRec beside its public PyTorch implementation (backend/engines/sasrec.py): seconds of an epoch.

`bench.py` asks `comparisons` what to run. Both learn from the same sequences with the same shape, loss, batches and optimizer;
PyTorch pads every sequence to one length, as all public implementations do; a second row of it cuts each batch down to its
longest sequence. Ours packs several into a row.
"""

from pathlib import Path

ENGINE = Path(__file__).resolve().parents[2] / "backend" / "engines" / "sasrec.py"
SHAPE = {"factors": 64, "blocks": 1, "heads": 1, "length": 50, "dropout": 0.2}
EPOCHS = 4
NOTE = "packs several sequences into a row, and moves only the items' vectors that a batch looks up (a lazy Adam)"
LOSSES = {"bce": "binary cross-entropy with one drawn item", "cross-entropy": "cross-entropy over all items"}


def comparisons(compare, ours, python, data):
    """Sections of docs/benchmarks.md; `data` is the folder of real data."""
    path = data / "amazon-beauty" / "beauty-5core-sequences.txt"

    def entries(loss, threads):
        shape = [f"{name}={value}" for name, value in SHAPE.items()]
        drawn = ["negatives=1", "shared_by=1"] if loss == "bce" else []
        mine = ours("sequence_epoch", path, f"epochs={EPOCHS}", f"loss={loss}", "batch_size=128", *shape, *drawn)
        theirs = [python, ENGINE, path, "--epochs", EPOCHS, "--loss", loss, "--threads", threads]
        theirs += [part for name, value in SHAPE.items() for part in (f"--{name}", value)]
        # Ours asks rayon, PyTorch OpenMP.
        on = ["env", f"RAYON_NUM_THREADS={threads}", f"OMP_NUM_THREADS={threads}"]
        return [("ours", on + mine), ("PyTorch", on + theirs), ("PyTorch, cut", [*on, *theirs, "--cut"])]

    return [compare(f"SASRec, an epoch on {'one thread' if threads == 1 else 'two threads'}, {LOSSES[loss]}: Beauty 5-core",
                    entries(loss, threads), f"faster than PyTorch on the same threads. Ours {NOTE}.")
            for loss in LOSSES for threads in (1, 2)]
