"""Writes what the tests measured beside published numbers into docs/conformance.md, between the markers of its table.

    RECSPEED_DATA=/path/to/data make conformance

runs those tests, which leave their rows in a folder (`RECSPEED_ROWS`), and then this. Where rows are missing nothing is
written: a table without them would not say so. Standard library only.
"""

import argparse
import datetime
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from long import DOCUMENT, ROOT, commit, cpu

BEGIN, END = "<!-- published: begin -->", "<!-- published: end -->"
# Rows of the tests of shared/recommenders; those of tests/tests/conformance.rs have the names of their specs.
OTHERS = ("surprise", "bias", "biased-mf-u1", "slim", "bpr")
# Of these less is better.
ERRORS = ("rmse", "mae")

Row = dict[str, Any]


def names() -> list[str]:
    """Of the files that the tests leave, in the order of the table."""
    expected = tomllib.loads((ROOT / "tests" / "conformance" / "expected.toml").read_text())
    return [*OTHERS, *expected["published"], *expected["exact"]]


def decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


def difference(row: Row) -> float:
    return float(row["measured"]) - float(row["published"])


def is_equal(row: Row) -> bool:
    """Whether what was measured rounds to what is printed."""
    printed = str(row["published"])
    return f"{row['measured']:.{decimals(printed)}f}" == printed


def is_within(row: Row) -> bool:
    return abs(difference(row)) <= float(row["within"])


def verdict(row: Row) -> str:
    if is_within(row):
        return "yes"
    better = (difference(row) < 0) == (row["metric"] in ERRORS)
    return "no, better" if better else "**no, worse**"


def near(rows: list[Row]) -> list[str]:
    """The table of rows that need not be equal, and why those lie apart that do."""
    lines = [
        "| protocol | method | metric | published | measured | difference | within |",
        "|---|---|---|---|---|---|---|",
    ]
    apart: dict[str, list[str]] = {}
    for row in rows:
        digits = max(4, decimals(row["published"]))
        spread = "" if row["deviation"] is None else f" ± {row['deviation']:.{digits}f}"
        lines.append(
            f"| {row['protocol']} | {row['method']} | {row['metric']} | {row['published']} "
            f"| {row['measured']:.{digits}f}{spread} | {difference(row):+.{digits}f} "
            f"| ± {row['within']}: {verdict(row)} |"
        )
        if not is_within(row):
            why = row["note"] or "Nobody knows why."
            apart.setdefault(f"{row['method']}, {row['protocol']}: {why}", []).append(row["metric"])
    notes = [f"- {told} ({', '.join(metrics)})" for told, metrics in apart.items()]
    return [*lines, "", "What lies further apart, and why:", "", *notes] if notes else lines


def equal(rows: list[Row]) -> list[str]:
    """The table of rows that must be equal in every printed digit, a line for each method."""
    lines = ["| protocol | method | published | measured |", "|---|---|---|---|"]
    methods: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        methods.setdefault((row["protocol"], row["method"]), []).append(row)
    for (protocol, method), its in methods.items():
        printed = ", ".join(f"{row['metric']} {row['published']}" for row in its)
        others = [f"{row['metric']} {row['measured']}" for row in its if not is_equal(row)]
        told = f"**otherwise: {', '.join(others)}**" if others else "equal in every digit"
        lines.append(f"| {protocol} | {method} | {printed} | {told} |")
    return lines


def tables(rows: list[Row]) -> str:
    threads = os.environ.get("RAYON_NUM_THREADS") or os.cpu_count()
    stamp = (
        f"{datetime.date.today().isoformat()}, {commit()}; {cpu()}, {os.cpu_count()} cores, {threads} thread(s). "
        f"No number depends on the threads."
    )
    apart, same = [row for row in rows if row["within"] is not None], [row for row in rows if row["within"] is None]
    return "\n".join([*near(apart), "", *equal(same), "", stamp])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=Path, help="the folder that RECSPEED_ROWS named")
    folder: Path = parser.parse_args().rows
    missing = [name for name in names() if not (folder / f"{name}.json").is_file()]
    if missing:
        sys.exit(f"{folder} has no rows of {', '.join(missing)}: those tests did not measure; see what they said")
    rows: list[Row] = [row for name in names() for row in json.loads((folder / f"{name}.json").read_text())]
    text = DOCUMENT.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        sys.exit(f"{DOCUMENT} has no place for the table: it is written between {BEGIN} and {END}, once each")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    part = DOCUMENT.with_suffix(".part")
    part.write_text(f"{before}{BEGIN}\n\n{tables(rows)}\n\n{after}")
    part.replace(DOCUMENT)
    print(f"{len(rows)} rows in {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
