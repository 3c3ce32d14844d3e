"""Measures the lab beside its peers and writes docs/benchmarks.md.

    tests/bench/run.sh [--only REGEX]

Each comparison is one run: ours and the peers in turn, ROUNDS times, so that a machine whose speed drifts slows them alike.
A figure is the median over all repeats of all rounds; the spread is the smallest and the largest. With --only, sections whose
title matches are measured again and the others stay; each section says when it was measured and from which commit it was built.
Standard library only; the peers run in the virtual environment of run.sh.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import document
import factorizations
import lab
import machines
import pipelines
import sequences
import sizes

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
WORK = ROOT / "target" / "bench"
PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"
ROUNDS = int(os.environ.get("RECSPEED_BENCH_ROUNDS", "3"))
THREADS = os.environ.get("RECSPEED_BENCH_THREADS", "2")
DATA = os.environ.get("RECSPEED_DATA")
# What our worker sets for itself (backend/worker/src/allocation.rs), for programs that are none, and for every peer.
KEPT = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=268435456"


def call(command, threads=THREADS):
    """The JSON objects that a program prints, or the last line of its complaint."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads), "RECSPEED_BENCH_THREADS": THREADS,
                   "POLARS_MAX_THREADS": THREADS, "OMP_NUM_THREADS": THREADS, "GLIBC_TUNABLES": KEPT}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode != 0:
        return [{"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ours(example, *arguments):
    return [RELEASE / "examples" / example, *arguments]


def peer(task, *arguments):
    return [PYTHON, ROOT / "tests" / "bench" / "peers.py", task, *arguments]


def compare(title, entries, budget, asked=None, why="", rounds=None):
    """A section that runs the entries in turn. `asked` lists (entry, peer, factor): the entry is to be factor times as fast as
    the peer; left out, the first entry is to be as fast as each other that is not of ours. `why` explains a miss. `rounds`:
    at most so many, where one takes minutes."""
    if asked is None:
        asked = [(entries[0][0], label, 1) for label, _ in entries[1:]]
    return title, lambda: table(entries, budget, asked, why, min(ROUNDS, rounds or ROUNDS))


def table(entries, budget, asked, why, rounds):
    gathered = {}
    for _ in range(rounds):
        for label, line in entries:
            for answer in call(line):
                row = gathered.setdefault(label, {"seconds": [], "peak": 0})
                if "failed" in answer:
                    row["failed"] = answer["failed"]
                    continue
                row["seconds"] += answer["seconds"]
                row["peak"] = max(row["peak"], answer.get("peak_bytes", 0))
                row["name"] = answer.get("name", label)
                row["version"] = answer.get("version", "")
                row["note"] = answer.get("note", "")
    medians = {label: statistics.median(row["seconds"]) for label, row in gathered.items() if row["seconds"]}
    base = medians.get(entries[0][0])
    lines = ["| what | median | smallest to largest | repeats | ours is … times as fast | peak memory |",
             "|---|---|---|---|---|---|"]
    for label, _ in entries:
        row = gathered.get(label, {"seconds": [], "peak": 0, "failed": "it printed nothing"})
        name = f"{row.get('name', label)} {row.get('version', '')}".strip()
        if label not in medians:
            lines.append(f"| {name} | failed: {row.get('failed')} | | | | |")
            continue
        median = medians[label]
        ratio = "" if base is None or label == entries[0][0] else f"{median / base:.2f}"
        lines.append(f"| {name} | {show(median)} | {show(min(row['seconds']))} to {show(max(row['seconds']))} | "
                     f"{len(row['seconds'])} | {ratio} | {mebibytes(row['peak'])} |")
    notes = [f"{row['name']}: {row['note']}" for row in gathered.values() if row.get("note")]
    names = {label: row.get("name", label) for label, row in gathered.items()}
    return "\n".join([*lines, "", *[f"- {note}" for note in notes], *[""] * bool(notes),
                      "Each process makes one call, fit, iteration or epoch that is not counted first, unless a note says it "
                      "does not.",
                      *["One round: it takes minutes."] * (rounds < ROUNDS), "", f"Budget: {budget}", "",
                      *verdicts(medians, names, asked, why), ""])


def verdicts(medians, names, asked, why):
    """What became of the budget, in a sentence for each peer."""
    missed, sentences = False, []
    for mine, peer, factor in asked:
        if mine not in medians or peer not in medians:
            sentences.append(f"Not measured: {names.get(mine, mine)} beside {names.get(peer, peer)}.")
            continue
        ratio = medians[peer] / medians[mine]
        held = ratio >= factor
        missed = missed or not held
        wanted = f" ({factor} asked)" if factor != 1 else ""
        sentences.append(f"{'Held' if held else '**Missed**'}: {names[mine]} is {ratio:.2f} times as fast as {names[peer]}{wanted}.")
    return [" ".join(sentences + [why] * (missed and bool(why)))]


def method(kind, path, *settings, ranked=False, repeats=5):
    """The fit; with the transposing of users × items, where peers who are given that transpose it in theirs."""
    transposed = ["--transposed", 1] if kind in {"item-knn", "ease", "slim"} else []
    return ours("fit_and_rank", path, kind, *settings, *transposed, "--ranked", int(ranked), "--repeats", repeats)


def classical(movielens, beauty, csv):
    """Fits beside implicit, skrecsys and Surprise, each with the same parameters and threads."""
    bpr = ["iterations=20", "factors=64"]
    knn = [("implicit", "item_knn_implicit"), ("skrecsys", "item_knn_skrecsys")]

    def item_knn(path, title):
        entries = [("ours", method("item-knn", path))] + [(name, peer(task, path)) for name, task in knn]
        return compare(f"item-knn, cosine, 50 neighbours: {title}", entries, "faster than both.")

    slim = ["l1=94.3", "l2=848.7"]
    return [
        item_knn(movielens, "MovieLens-100K (943 × 1,682, 100,000 ratings)"),
        item_knn(beauty, "Beauty 5-core"),
        item_knn(csv, "beauty-synthetic (2 million rows)"),
        compare("BPR, 64 factors, 20 epochs: MovieLens-100K", [
            ("ours", method("bpr", movielens, *bpr)),
            ("implicit", peer("bpr_implicit", movielens)), ("skrecsys", peer("bpr_skrecsys", movielens))],
            "faster than both. Ours repeats to the bit on any number of threads; implicit's threads race."),
        compare("BPR, 64 factors, 20 epochs: Beauty 5-core", [
            ("ours", method("bpr", beauty, *bpr)),
            ("implicit", peer("bpr_implicit", beauty)), ("skrecsys", peer("bpr_skrecsys", beauty))],
            "faster than both."),
        compare("Biased matrix factorization, 100 factors, 20 epochs: MovieLens-100K", [
            ("ours", method("biased-mf", movielens)),
            ("LibMF", [PYTHON, factorizations.__file__, "biased_mf_libmf", movielens]),
            ("Surprise", peer("biased_mf_surprise", movielens, "--repeats", "2"))], "faster than Surprise and LibMF."),
        compare("SVD++, 20 factors, 20 epochs: MovieLens-100K", [
            ("ours", method("svd++", movielens)), ("Surprise", peer("svdpp_surprise", movielens, "--repeats", "1"))],
            "faster than Surprise."),
        compare("EASE, λ = 500: MovieLens-100K", [
            ("ours", method("ease", movielens)), ("skrecsys", peer("ease_skrecsys", movielens))],
            "no slower than skrecsys."),
        compare("EASE, λ = 500: Beauty 5-core", [
            ("ours", [PYTHON, lab.__file__, RELEASE / "recspeed", lab.dataset(beauty),
                      '{ kind = "ease", regularization = 500 }']),
            ("skrecsys", peer("ease_skrecsys_once", beauty))], "no slower than skrecsys.", rounds=1),
        compare("SLIM, α = 1, l1 ratio .1, 100 neighbours: MovieLens-100K", [
            ("ours", method("slim", movielens, *slim)), ("skrecsys", peer("slim_skrecsys", movielens, "--repeats", "2"))],
            "no slower than skrecsys."),
    ]


def spread(path, form, methods):
    """What threads do to a result: nothing in the exact mode, and what they race for in the fast one. `methods`: kind, metric
    and split of each; `form`: the format of the file."""
    lines = ["`recspeed run`, five runs of each. Exact: seeds 1 to 5, because one seed always gives the same, on one thread too; fast "
             "(`recommender.mode`, which `warp` alone has): seed 1 five times, so that all of the spread is the threads' race.", "",
             "| method | metric | exact, seeds 1 to 5: mean ± sd | seed 1 on one thread | exact fit, on one thread and on all | "
             "fast, seed 1: mean ± sd | largest difference | fast fit | peak memory |",
             "|---|---|---|---|---|---|---|---|---|"]
    told = []
    for kind, metric, split in methods:
        def run(seed, mode="", threads=THREADS):
            spec = WORK / "spread.toml"
            spec.write_text(f'version = 1\nseed = {seed}\n[dataset]\nsource = "file"\npath = "{path}"\n'
                            f'format = "{form}"\n[split]\n{split}[recommender]\nkind = "{kind}"\n{mode}'
                            f'[evaluation]\nmetrics = ["{metric}"]\n')
            summary = call([RELEASE / "recspeed", "run", spec, "--json", "--no-keep"], threads)[0]
            return summary["metrics"][metric], summary["timing"]["fit_s"], summary["memory"]["peak"], summary.get("mode")

        def both(answers):
            values = [value for value, *_ in answers]
            return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"

        def seconds(answers):
            return statistics.median(seconds for _, seconds, *_ in answers)

        exact, alone = [run(seed) for seed in range(1, 6)], [run(1, threads=1) for _ in range(3)]
        again = all(value == exact[0][0] for value, *_ in alone)
        fast = [run(1, 'mode = "fast"\n') for _ in range(5)] if kind == "warp" else []
        values = [value for value, *_ in fast]
        raced = f"{both(fast)} | {max(values) - min(values):.4f} | {show(seconds(fast))}" if fast else " | | "
        lines.append(f"| {kind} | {metric} | {both(exact)} | {'the same' if again else 'NOT the same'} | "
                     f"{show(seconds(alone))}, {show(seconds(exact))} | {raced} | "
                     f"{mebibytes(max(peak for _, _, peak, _ in exact + fast))} |")
        if any(mode == "fast" for *_, mode in fast):
            told.append(f"Threads raced: the fast fit of {kind} took {seconds(fast) / seconds(exact):.2f} times as long as the "
                        f"exact one on as many threads.")
        elif fast:
            told.append(f"No thread raced: on {THREADS} threads the fast mode of {kind} is the exact one over so few items.")
    told.append("Which of the two is the faster elsewhere depends on the machine: docs/compare.md says how to measure both.")
    return "\n".join([*lines, "", " ".join(told), ""])


LAST = 'kind = "leave-last-out"\nvalidation = true\nfit_on = "train-validation"\n'
UA = 'kind = "per-user-first-n"\nn = 10\n'
U1 = 'kind = "contiguous-fold"\nfolds = 5\nfold = 1\n'


def page_cost():
    """Size and speed of the page itself, against the design's budgets."""
    answer = call(["node", ROOT / "tests" / "browser" / "page-cost.mjs"])[0]
    if "failed" in answer:
        return f"failed: {answer['failed']}\n"

    def times(key):
        return f"{show(statistics.median(answer[key]))} | {show(answer[key][0])} to {show(answer[key][-1])}"

    rows = ["`node tests/browser/page-cost.mjs`, loopback, a fresh profile each time, Chromium " + answer["browser"], "",
            "| what | median | smallest to largest | budget |", "|---|---|---|---|",
            f"| first contentful paint | {times('first')} | 600 ms |",
            f"| interactive | {times('interactive')} | 1.5 s |",
            f"| main program after brotli | {answer['bytes']['page'] / 1000:.0f} KB | | 300 KB |",
            f"| in-tab runner after brotli | {answer['bytes']['runner'] / 1000:.0f} KB | | 900 KB |", ""]
    budgets = [("first contentful paint", statistics.median(answer["first"]), 0.6),
               ("interactive", statistics.median(answer["interactive"]), 1.5),
               ("main program", answer["bytes"]["page"], 300_000), ("in-tab runner", answer["bytes"]["runner"], 900_000)]
    said = [f"{'Held' if found <= budget else '**Missed**'}: {what}, {found / budget:.2f} of its budget." for what, found, budget in budgets]
    why = "The sizes and what they are made of: docs/architecture.md."
    return "\n".join([*rows, " ".join([*said, why]), ""])


def mebibytes(peak):
    """A tab does not tell what its process holds."""
    return f"{peak / 2**20:.0f} MiB" if peak else "not told"


def show(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def sections(csv):
    """Titles and what measures them, in the order of the document."""
    tab = ["node", ROOT / "tests" / "browser" / "time-in-tab.mjs"]
    four_layer = [("ours", ours("four_layer")), ("tab, first", [*tab, "first"]), ("tab, fifth", [*tab, "fifth"]),
                  ("keras", peer("four_layer_keras")), ("torch", peer("four_layer_pytorch"))]
    yield compare(
        "2,023,070 CSV rows into columns with ids", [
            ("ours", ours("read_csv", csv)), ("arrow", peer("csv_pyarrow", csv)), ("pandas", peer("csv_pandas", csv)),
            ("arrow text", peer("csv_pyarrow_strings", csv)), ("polars text", peer("csv_polars_strings", csv)),
            ("polars", peer("csv_polars", csv))],
        "faster than Polars and PyArrow reading the same file into the same thing, columns with encoded ids. The rows "
        "\"ids left as text\" do less: they are shown as the floor.",
        asked=[("ours", "arrow", 1), ("ours", "polars", 1)])
    yield compare(
        "Four-layer network, 10,000 rows × 3 epochs, batch 64, hidden 64", four_layer,
        "flex at least 5 times as fast as PyTorch eager and 10 times as fast as Keras; in the tab, in its fifth run, at least twice as fast as "
        "PyTorch.",
        asked=[("ours", "torch", 5), ("ours", "keras", 10), ("tab, fifth", "torch", 2)])
    if DATA:
        beauty = Path(DATA) / "amazon-beauty" / "beauty-5core-sequences.txt"
        yield compare(
            "Implicit ALS, 64 factors, per iteration: Beauty 5-core (22,363 × 12,101, 198,502 entries)",
            [("ours", ours("als_iteration", beauty)), ("implicit", peer("als_implicit", beauty)),
             ("cmfrec", [PYTHON, factorizations.__file__, "implicit_cmfrec", beauty])],
            "no slower than implicit and cmfrec on the same machine, threads and factors.")
        yield compare(
            "Implicit ALS, 64 factors, per iteration: beauty-synthetic (2 million rows)",
            [("ours", ours("als_iteration", csv)), ("implicit", peer("als_implicit", csv, "--repeats", "2"))],
            "no slower than implicit on the same machine, threads and factors.")
        yield compare(
            "Full ranking, 22,363 users × 12,101 items, d = 64, top 10",
            [("ours", ours("full_ranking", beauty)), ("implicit", peer("full_ranking", beauty)),
             ("PyTorch", peer("full_ranking_torch", beauty))],
            "no slower than implicit's top-k and PyTorch's matmul + topk; never a full score matrix (1.08 GB) in memory.")
        movielens = Path(DATA) / "ml-100k" / "ml-100k.inter"
        yield from classical(movielens, beauty, csv)
        lists = [("bpr", "ndcg@10", UA), ("warp", "ndcg@10", UA), ("biased-mf", "rmse", U1)]
        yield "Exact and fast mode: MovieLens-100K", lambda: spread(movielens, "recbole", lists)
        # Of many items two threads race, too.
        yield "Exact and fast mode: Beauty 5-core", lambda: spread(beauty, "sequences", [("warp", "ndcg@10", LAST)])
        yield from factorizations.comparisons(compare, method, RELEASE / "recspeed", PYTHON, Path(DATA))
        yield from machines.comparisons(compare, ours, PYTHON, Path(DATA), csv)
        yield from sequences.comparisons(compare, ours, PYTHON, Path(DATA))
    else:
        print("bench: the sections on real data keep what they have: set RECSPEED_DATA", file=sys.stderr)
    yield from pipelines.sections(RELEASE, ROUNDS)
    yield from sizes.sections(call, method, RELEASE / "recspeed", csv)
    yield "The page", page_cost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=re.compile, default=re.compile(""), help="measure the sections whose title matches")
    only = parser.parse_args().only
    WORK.mkdir(parents=True, exist_ok=True)
    csv = WORK / "beauty-synthetic.csv"
    if not csv.exists():
        subprocess.run([RELEASE / "recspeed", "data", "generate", "beauty-synthetic", "--seed", "42", "--to", csv], check=True)
    wanted = list(sections(csv))
    written = document.Document(ROOT / "docs" / "benchmarks.md", [title for title, _ in wanted])
    for title, measure in wanted:
        if only.search(title):
            print(f"{title} …", file=sys.stderr, flush=True)
            written.put(title, measure(), ROUNDS, THREADS)
    print("wrote docs/benchmarks.md", file=sys.stderr)


if __name__ == "__main__":
    main()
