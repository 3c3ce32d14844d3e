"""What a fit costs against the size of the data: seconds and peak memory of a process that has nothing else to do.

`bench.py` asks `sections` what to run.
"""

from __future__ import annotations

import collections
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import lab

Call = Callable[[list[Any]], list[dict[str, Any]]]
Method = Callable[..., list[Any]]
SIZES = [10_000, 100_000, 1_000_000, 2_000_000]
# One round of those that go over their data again and again.
METHODS = [
    ("popularity",),
    ("item-knn",),
    ("als-implicit", "iterations=1"),
    ("als-explicit", "iterations=1"),
    ("biased-mf", "iterations=1"),
    ("svd++", "iterations=1"),
    ("nmf", "iterations=1"),
    ("bpr", "iterations=1"),
    ("warp", "iterations=1"),
    ("slope-one",),
    ("slim", "l1=50", "l2=500"),
    ("fm", "iterations=1"),
    ("ffm", "iterations=1"),
]
# Those that read attributes or orders, or that may be refused: by `recspeed run`.
BY_THE_LAB = [
    ("user-knn", '{ kind = "user-knn" }', ""),
    ("content-tfidf", '{ kind = "content-tfidf" }', ""),
    ("content-linear", '{ kind = "content-linear" }', ""),
    ("feature-embeddings", '{ kind = "feature-embeddings", iterations = 1 }', ""),
    ("sasrec", '{ kind = "sasrec" }', "{ epochs = 1 }"),
]
# Rows whose items are about 1,000, 2,000, 4,000 and 8,000.
ROWS_FOR_EASE = [1_050, 2_150, 4_500, 9_700]
# Ids of a copy of the largest size whose numbers all stay in the nearest caches.
FEW_IDS = 2_000
# Items that may have a weight in one of slim's systems, and items of a history that sasrec reads, by default.
SLIM_NEIGHBOURS = 100
SASREC_LENGTH = 50


def show(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def first_rows(csv: Path, rows: int) -> Path:
    """The first rows of the file."""
    part = csv.with_name(f"rows-{rows}.csv")
    with csv.open() as whole, part.open("w") as first:
        first.writelines(line for line, _ in zip(whole, range(rows + 1), strict=False))
    return part


def with_few_ids(rows: Path, people: bool = False) -> Path:
    """The same rows, of whose items several share an id, and, where asked, of whose people too."""
    few = rows.with_name("rows-few-ids.csv" if people else "rows-few-items.csv")
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    with rows.open() as whole, few.open("w") as file:
        file.write(next(whole))
        for line in whole:
            user, item, rest = line.split(",", 2)
            if people:
                user = f"u{users.setdefault(user, len(users)) % FEW_IDS}"
            file.write(f"{user},i{items.setdefault(item, len(items)) % FEW_IDS},{rest}")
    return few


def pairs(rows: Path) -> Iterator[tuple[str, str]]:
    """User and item of each row."""
    with rows.open() as lines:
        next(lines)
        for line in lines:
            user, item, _ = line.split(",", 2)
            yield user, item


def rows_of_users(rows: Path) -> collections.Counter[str]:
    return collections.Counter(user for user, _ in pairs(rows))


def products_a_row(rows: Path) -> float:
    """Products of two of a user's rows that item-knn adds, for each row: those of users with a single row are none."""
    of_users = rows_of_users(rows)
    return sum(n * n for n in of_users.values() if n > 1) / of_users.total()


def entries_a_row(rows: Path) -> float:
    """Entries of slim's systems, for each row: of each item the square of the others that share a user with it."""
    number: dict[str, int] = {}
    of_users: dict[str, list[int]] = collections.defaultdict(list)
    for user, item in pairs(rows):
        of_users[user].append(number.setdefault(item, len(number)))
    of_items: list[list[list[int]]] = [[] for _ in number]
    for own in of_users.values():
        for item_number in own:
            of_items[item_number].append(own)
    beside = (len({other for own in users for other in own}) - 1 for users in of_items)
    return sum(min(n, SLIM_NEIGHBOURS) ** 2 for n in beside) / sum(len(own) for own in of_users.values())


def questions_a_row(rows: Path) -> float:
    """Items that sasrec is asked for, for each row: those that come after another one of the same person."""
    of_users = rows_of_users(rows)
    return sum(min(n - 1, SASREC_LENGTH) for n in of_users.values()) / of_users.total()


def table(rows: Iterable[tuple[str, list[tuple[float | None, str]]]]) -> list[str]:
    """Of each method a cell for each size; and how the time per row grows where every size has one."""
    lines = [
        f"| method | {' | '.join(f'{size:,} rows' for size in SIZES)} | time per row, last against first |",
        f"|---|{'---|' * (len(SIZES) + 1)}",
    ]
    for name, cells in rows:
        first, last = cells[0][0], cells[-1][0]
        grown = f"{last / SIZES[-1] / (first / SIZES[0]):.2f}" if first and last else ""
        lines.append(f"| {name} | {' | '.join(told for _, told in cells)} | {grown} |")
    return lines


def told(seconds: float, peak: float) -> tuple[float | None, str]:
    return seconds, f"{show(seconds)}, {peak / 2**20:.0f} MiB"


def growth(call: Call, method: Method, csv: Path) -> str:
    files = [first_rows(csv, size) for size in SIZES]

    def cell(kind: str, settings: list[str], file: Path) -> tuple[float | None, str]:
        answer = (call(method(kind, file, *settings, repeats=1)) or [{"failed": "it printed nothing"}])[0]
        if "failed" in answer:
            return None, f"failed: {answer['failed']}"
        return told(answer["median_s"], answer["peak_bytes"])

    rows = [(kind, [cell(kind, settings, file) for file in files]) for kind, *settings in METHODS]
    few_items, few_ids = with_few_ids(files[-1]), with_few_ids(files[-1], people=True)
    settings_of = {kind: settings for kind, *settings in METHODS}

    def control(kind: str, file: Path) -> str:
        return f"{kind} {cell(kind, settings_of[kind], file)[1]}"

    of_items = "; ".join(control(kind, few_items) for kind in ("popularity", "item-knn", "nmf", "ffm"))
    products, entries = ([of(file) for file in (files[0], files[-1])] for of in (products_a_row, entries_a_row))
    words = (
        "Why some cost more for each row. Some do more: item-knn multiplies every two rows of a user, "
        f"{products[0]:.1f} products for each row of the first {SIZES[0]:,} and {products[1]:.1f} of {SIZES[-1]:,}, "
        "because more people have several. So more items share somebody, and slim solves for each item a system of "
        f"those that do, the {SLIM_NEIGHBOURS} most similar at most: {entries[0]:.1f} entries for each row at first "
        f"and {entries[1]:.1f} at last. And the numbers that a row needs lie anywhere among those of all: popularity "
        "adds to 4 bytes of the row's item, item-knn to 8 bytes of an item for each product; nmf reads 60 bytes of the "
        "row's item for its user and 60 of its user for the item; ffm takes the rows in an order drawn anew, and reads "
        "and writes 40 bytes in four places of the row's user and as many of its item. Of few items these stay in the "
        "caches, of many they do not; the arithmetic of popularity, nmf and ffm for a row is the same at every size. "
        f"The last rows again, with {FEW_IDS:,} ids in place of those of their items: {of_items}. With as few people, "
        f"too: {control('ffm', few_ids)}; what is left are the rows themselves, which lie in the order of the file."
    )
    head = (
        "One fit of the first rows of beauty-synthetic, one round of the methods that go over their data again and "
        "again, after an uncounted fit; slim with penalties of 50 and 500; and the whole process's peak memory."
    )
    return "\n".join([head, "", *table(rows), "", words, ""])


def by_the_lab(recspeed: Path, csv: Path) -> str:
    items = csv.with_name("beauty-synthetic-items.parquet")
    # The seed of the rows: attributes of the same items.
    made: list[str | Path] = [
        recspeed,
        "data",
        "export",
        "beauty-synthetic",
        "--attributes",
        "items",
        "--seed",
        "42",
        "--to",
        items,
    ]
    items.unlink(missing_ok=True)
    subprocess.run(made, check=True, capture_output=True)
    files = [first_rows(csv, size) for size in SIZES]

    def cell(recommender: str, training: str, file: Path) -> tuple[float | None, str]:
        run = lab.fit(recspeed, lab.dataset(file, items), recommender, training)
        if "failed" in run:
            return None, run["failed"]
        return told(run["timing"]["fit_s"], run["memory"]["peak"])

    rows = [(kind, [cell(recommender, training, file) for file in files]) for kind, recommender, training in BY_THE_LAB]
    head = (
        "`recspeed run` with the first rows of beauty-synthetic and the attributes of its items: the fit, with none "
        "before it that is not counted, one round of feature-embeddings, one epoch of sasrec; and the whole process's "
        "peak memory, of reading the attributes of all 249,274 items and of ranking for ten people too."
    )
    questions = [questions_a_row(file) for file in (files[0], files[-1])]
    sequences = next((recommender, training) for kind, recommender, training in BY_THE_LAB if kind == "sasrec")
    # Its items are none that the attributes are of.
    of_few = lab.fit(recspeed, lab.dataset(with_few_ids(files[-1])), *sequences)
    failed = of_few.get("failed")
    control = failed or told(of_few["timing"]["fit_s"], of_few["memory"]["peak"])[1]
    words = (
        "user-knn compares every two people who share an item, and keeps how like they are: that grows with the square "
        "of an item's rows. content-linear inverts a matrix of the attributes' words, whose number soon stops growing. "
        "sasrec learns what comes next in the rows of people who have several: "
        f"{questions[0]:.2f} questions for each row of the first {SIZES[0]:,} and {questions[1]:.2f} of {SIZES[-1]:,}. "
        "It looks the vectors of its own and of drawn items up anywhere among those of all, and moves them: of few "
        "items they stay in the caches. The last rows again, with "
        f"{FEW_IDS:,} ids in place of those of their items and without attributes: sasrec {control}."
    )
    return "\n".join([head, "", *table(rows), "", words, ""])


def ease(call: Call, method: Method, csv: Path) -> str:
    lines = ["| items | fit | peak memory | fit for the cube of the items, against the first |", "|---|---|---|---|"]
    first = 0.0
    for rows in ROWS_FOR_EASE:
        file = first_rows(csv, rows)
        answer = (call(method("ease", file, repeats=1)) or [{"failed": "it printed nothing"}])[0]
        if "failed" in answer:
            lines.append(f"| of {rows:,} rows | failed: {answer['failed']} | | |")
            continue
        cubed = answer["median_s"] / answer["items"] ** 3
        first = first or cubed
        cells = [f"{answer['items']:,}", show(answer["median_s"]), f"{answer['peak_bytes'] / 2**20:.0f} MiB"]
        lines.append(f"| {' | '.join(cells)} | {cubed / first:.2f} |")
    words = (
        "EASE inverts a dense matrix of the items: its cost is that of the items, not of the rows, their cube in time "
        "and their square in memory. So the sizes here are items, those of the first rows of beauty-synthetic; of "
        "more, `recspeed run` refuses what the machine cannot hold, and says how long it would take."
    )
    return "\n".join([*lines, "", words, ""])


def sections(call: Call, method: Method, recspeed: Path, csv: Path) -> list[tuple[str, Callable[[], str]]]:
    """Sections of docs/benchmarks.md."""
    return [
        ("Cost against size", lambda: growth(call, method, csv)),
        ("Cost against size: user-knn, content, features, SASRec", lambda: by_the_lab(recspeed, csv)),
        ("Cost against size: EASE, by items", lambda: ease(call, method, csv)),
    ]
