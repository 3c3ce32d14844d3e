"""Measures the lab beside its peers and writes docs/benchmarks.md.

Each comparison is one run: ours and the peers in turn, ROUNDS times, so that a machine whose speed drifts slows them alike.
A figure is the median over all repeats of all rounds; the spread is the smallest and the largest.
Standard library only; the peers run in the virtual environment of run.sh.
"""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
WORK = ROOT / "target" / "bench"
PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"
ROUNDS = int(os.environ.get("RECSPEED_BENCH_ROUNDS", "3"))
THREADS = os.environ.get("RECSPEED_BENCH_THREADS", "2")
DATA = os.environ.get("RECSPEED_DATA")


def call(command):
    """The JSON objects that a program prints, or the last line of its complaint."""
    environment = {**os.environ, "RAYON_NUM_THREADS": THREADS, "RECSPEED_BENCH_THREADS": THREADS,
                   "POLARS_MAX_THREADS": THREADS, "OMP_NUM_THREADS": THREADS}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode != 0:
        return [{"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ours(example, *arguments):
    return [RELEASE / "examples" / example, *arguments]


def peer(task, *arguments):
    return [PYTHON, ROOT / "tests" / "bench" / "peers.py", task, *arguments]


def compare(title, command, entries, budget):
    """Runs the entries in turn; the first is ours, the last is what the budget speaks of."""
    print(f"{title} …", file=sys.stderr, flush=True)
    gathered = {}
    for _ in range(ROUNDS):
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
    first = gathered.get(entries[0][0], {"seconds": []})["seconds"]
    base = statistics.median(first) if first else None
    lines = [f"## {title}", "", f"`{command}`", "", "| what | median | smallest to largest | repeats | ours is … times as fast | peak memory |",
             "|---|---|---|---|---|---|"]
    for label, _ in entries:
        row = gathered.get(label, {"seconds": [], "peak": 0, "failed": "it printed nothing"})
        name = f"{row.get('name', label)} {row.get('version', '')}".strip()
        if not row["seconds"]:
            lines.append(f"| {name} | failed: {row.get('failed')} | | | | |")
            continue
        median = statistics.median(row["seconds"])
        ratio = "" if base is None or label == entries[0][0] else f"{median / base:.2f}"
        lines.append(f"| {name} | {show(median)} | {show(min(row['seconds']))} to {show(max(row['seconds']))} | "
                     f"{len(row['seconds'])} | {ratio} | {row['peak'] / 2**20:.0f} MiB |")
    notes = [f"{row['name']}: {row['note']}" for row in gathered.values() if row.get("note")]
    lines += ["", *[f"- {note}" for note in notes], "", f"Budget: {budget}", ""]
    return "\n".join(lines)


def page_cost():
    """Size and speed of the page itself, against the design's budgets."""
    print("the page …", file=sys.stderr, flush=True)
    answer = call(["node", ROOT / "tests" / "browser" / "page-cost.mjs"])[0]
    if "failed" in answer:
        return f"## The page\n\nfailed: {answer['failed']}\n"

    def times(key):
        return f"{show(statistics.median(answer[key]))} | {show(answer[key][0])} to {show(answer[key][-1])}"

    rows = ["## The page", "", "`node tests/browser/page-cost.mjs`, loopback, a fresh profile each time, Chromium " + answer["browser"], "",
            "| what | median | smallest to largest | budget |", "|---|---|---|---|",
            f"| first contentful paint | {times('first')} | 600 ms |",
            f"| interactive | {times('interactive')} | 1.5 s |",
            f"| main program after brotli | {answer['bytes']['page'] / 1000:.0f} KB | | 300 KB |",
            f"| in-tab runner after brotli | {answer['bytes']['runner'] / 1000:.0f} KB | | 900 KB |", ""]
    return "\n".join(rows)


def show(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    csv = WORK / "beauty-synthetic.csv"
    if not csv.exists():
        subprocess.run([RELEASE / "recspeed", "data", "generate", "beauty-synthetic", "--seed", "42", "--out", csv], check=True)
    parts = [head()]
    parts.append(compare(
        "2,023,070 CSV rows into columns with ids", "make bench", [
            ("ours", ours("read_csv", csv)), ("arrow", peer("csv_pyarrow", csv)), ("pandas", peer("csv_pandas", csv)),
            ("arrow text", peer("csv_pyarrow_strings", csv)), ("polars text", peer("csv_polars_strings", csv)),
            ("polars", peer("csv_polars", csv))],
        "faster than Polars and PyArrow reading the same file into the same thing, columns with encoded ids. The rows "
        "\"ids left as text\" do less: they are shown as the floor."))
    parts.append(compare(
        "Four-layer network, 10,000 rows × 3 epochs, batch 64, hidden 64", "make bench", [
            ("ours", ours("four_layer")), ("tab", ["node", ROOT / "tests" / "browser" / "time-in-tab.mjs"]),
            ("keras", peer("four_layer_keras")), ("torch", peer("four_layer_pytorch"))],
        "flex at least 5 times as fast as PyTorch eager and 10 times as fast as Keras; in the tab at least twice as fast as PyTorch."))
    if DATA:
        beauty = Path(DATA) / "amazon-beauty" / "beauty-5core-sequences.txt"
        parts.append(compare(
            "Implicit ALS, 64 factors, per iteration: Beauty 5-core (22,363 × 12,101, 198,502 entries)", "make bench",
            [("ours", ours("als_iteration", beauty)), ("implicit", peer("als_implicit", beauty))],
            "no slower than implicit on the same machine, threads and factors."))
        parts.append(compare(
            "Implicit ALS, 64 factors, per iteration: beauty-synthetic (2 million rows)", "make bench",
            [("ours", ours("als_iteration", csv)), ("implicit", peer("als_implicit", csv, "--repeats", "2"))],
            "no slower than implicit on the same machine, threads and factors."))
        parts.append(compare(
            "Full ranking, 22,363 users × 12,101 items, d = 64, top 10", "make bench",
            [("ours", ours("full_ranking", beauty)), ("implicit", peer("full_ranking", beauty))],
            "no slower than implicit's top-k; never a full score matrix (1.08 GB) in memory."))
    else:
        parts.append("The ALS and ranking rows need real data: set `RECSPEED_DATA`.\n")
    parts.append(page_cost())
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(parts))
    print("wrote docs/benchmarks.md", file=sys.stderr)


def head():
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return "\n".join([
        "# Benchmarks", "",
        "Written by `make bench`; do not edit. Each comparison alternates ours and the peers "
        f"{ROUNDS} times in one run; the figure is the median of all repeats. The machine is shared and noisy: read the ratios.", "",
        f"- date: {datetime.date.today().isoformat()}",
        f"- machine: {processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        f"- threads: {THREADS}; warm file cache; one uncounted call first",
        f"- {rust}; Python {platform.python_version()}; peers pinned in `tests/bench/requirements.txt`", ""])


if __name__ == "__main__":
    main()
