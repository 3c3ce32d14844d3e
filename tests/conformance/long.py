"""Runs a long conformance spec to its end and keeps its log in docs/conformance.md.

    tests/conformance/long.py beauty5-sasrec-sampled-softmax
    tests/conformance/long.py beauty5-sasrec-sampled-softmax --seeds 42,43,44

RECSPEED_DATA names the folder of the data; the binaries are those of target/release (RECSPEED_BIN_DIR: elsewhere). A
run that was interrupted goes on from its last checkpoint when it is started again. Events and checkpoints lie in
target/conformance/NAME, those of other seeds than the spec's in NAME-SEED (RECSPEED_CONFORMANCE_DIR: elsewhere). Of
several seeds the mean, with its standard deviation, is held against the published number. `--log` writes the document
of a finished run again. Standard library only.
"""

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "tests" / "conformance" / "long"
DOCUMENT = ROOT / "docs" / "conformance.md"
BIN = Path(os.environ.get("RECSPEED_BIN_DIR", ROOT / "target" / "release"))
PLACE = Path(os.environ.get("RECSPEED_CONFORMANCE_DIR", ROOT / "target" / "conformance"))
HEAD = """# Conformance

What comes out here beside what is published: in the tests, a table for all, which `make conformance` writes, and of
trainings that take longer than the tests may, a section for each.

`tests/conformance/long.py NAME` runs one of those, goes on where it was interrupted, and writes its section here. A
number outside the published band is shown all the same. Every list is a full ranking of all items with a training row,
without the user's own; the last item of each user is the test, the second last steers the training.

Which items stand for the wrong ones is a part of each row: cross-entropy has all others; a sampled softmax draws (256
unless `negatives` says otherwise) and leaves out the wanted one alone, a person's own items count as drawn; binary
cross-entropy leaves out all own items unless the row says `spare_own False`. No row of Caser or GRU4Rec is trained by
binary cross-entropy, as the public Caser is.

A section ends with the day on which its run ended and the commit at which it was written, or, with changes that the
main branch did not have, after which. What is kept of a run is its section, with the curve; its events and checkpoints
lie in `target/conformance/NAME` where it ran, which the repository does not hold.

## Published numbers in the tests

<!-- published: begin -->
<!-- published: end -->
"""


def events(path: Path) -> list[dict[str, Any]]:
    """The whole lines of an event file; a worker that was killed may leave half a line."""
    found: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return found


def spec_of(name: str) -> dict[str, Any]:
    return tomllib.loads((SPECS / f"{name}.toml").read_text())


def place(name: str, seed: int) -> Path:
    """The folder of one training."""
    return PLACE / (name if seed == spec_of(name)["seed"] else f"{name}-{seed}")


def finished(told: list[dict[str, Any]]) -> bool:
    return any(event["kind"] == "finished" for event in told)


def run(name: str, seed: int, threads: int, again: bool) -> bool:
    """Runs or resumes; true when the run has finished. One that has finished already runs again only if `again`."""
    folder = place(name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "events.jsonl"
    if not again and finished(events(log)):
        return True
    spec = folder / "spec.toml"
    spec.write_text(re.sub(r"(?m)^seed = .*$", f"seed = {seed}", (SPECS / f"{name}.toml").read_text(), count=1))
    told = [event for event in events(log) if event["kind"] not in ("finished", "failed")]
    log.write_text("".join(json.dumps(event) + "\n" for event in told))
    command = [
        BIN / "recspeed-worker",
        "--spec",
        spec,
        "--run",
        name[:40],
        "--checkpoint-dir",
        folder / "checkpoints",
    ]
    if "RECSPEED_DATA" in os.environ:
        command += ["--spec-dir", os.environ["RECSPEED_DATA"]]
    checkpoints = sorted(folder.glob("checkpoints/checkpoint-*.bin"), key=lambda path: int(path.stem.split("-")[1]))
    if told and checkpoints:
        command += ["--resume", checkpoints[-1], "--first-seq", told[-1]["seq"] + 1, "--start-us", told[-1]["at_us"]]
    elif told:
        log.unlink()
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    with log.open("a") as out:
        status = subprocess.run([str(part) for part in command], stdout=out, env=environment, check=False).returncode
    return status == 0


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def source(name: str) -> str:
    """Where the published numbers come from and what differs from there: the spec's own comment from `Source:` on."""
    comment: list[str] = []
    for line in (SPECS / f"{name}.toml").read_text().splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    text = " ".join(comment)
    return text[text.index("Source:") :] if "Source:" in text else ""


def verdict(value: float, least: float | None) -> str:
    """Of a row that is to be reached: what lies below it has not reached it, however near."""
    if least is None:
        return ""
    if value >= least:
        return "held"
    missing = least - value
    return f"**not reached**, {missing:.4f} below" if missing >= 0.00005 else "**not reached**, less than 0.0001 below"


def git(*arguments: str) -> str:
    said = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    return said.stdout.strip() if said.returncode == 0 else ""


def commit() -> str:
    """Where this was written: the newest commit that the main branch has too, because others may be rewritten before
    they are there; and that something was changed after it, where it was."""
    here = git("rev-parse", "HEAD")
    kept = next(filter(None, (git("merge-base", "HEAD", main) for main in ("origin/main", "main"))), here)
    if not kept:
        return "written at an unknown commit"
    # This document itself is being written.
    changed = here != kept or git("status", "--porcelain", "--", ".", f":!{DOCUMENT.relative_to(ROOT)}")
    return f"written {'after' if changed else 'at'} commit {kept[:7]}"


def measured(values: list[float]) -> str:
    """One number, or the mean of several with their standard deviation."""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def summary_of(told: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = next(event for event in reversed(told) if event["kind"] == "finished")["summary"]
    return found


def section(name: str, seeds: list[int], threads: int) -> str:
    """The section of a document. Curve, times and memory are the first seed's."""
    logs = [events(place(name, seed) / "events.jsonl") for seed in seeds]
    summaries = [summary_of(told) for told in logs]
    told, summary = logs[0], summaries[0]
    spec = spec_of(name)
    bands = tomllib.loads((SPECS / "expected.toml").read_text()).get(name, {})
    starts = [event for event in told if event["kind"] == "started"]
    started = starts[0]
    # A resumed worker counts its own seconds; the events count those of the whole run.
    pieces = f" of the last of {len(starts)} pieces, {told[-1]['at_us'] / 1e6:.0f} s in all" if len(starts) > 1 else ""
    training = summary["training"]
    curve: dict[int, dict[str, float]] = {}
    for event in told:
        if event["kind"] == "metric" and (event["split"], event["name"]) in (
            ("train", "epoch-loss"),
            ("validation", "ndcg@10"),
        ):
            curve.setdefault(round(event["epoch"]), {})[event["name"]] = event["value"]
    setting = ", ".join(f"{key} {value}" for part in ("recommender", "training") for key, value in spec[part].items())
    lines = [
        f"## {name}",
        "",
        f"{spec['name']}. {setting}; {'seed' if len(seeds) == 1 else 'mean ± standard deviation over the seeds'} "
        f"{', '.join(map(str, seeds))}.",
        "",
        source(name),
        "",
        "| metric | measured | published, at least | |",
        "|---|---|---|---|",
    ]
    for metric in summary["metrics"]:
        found = [each["metrics"][metric] for each in summaries]
        least = bands.get(metric)
        lines.append(f"| {metric} | {measured(found)} | {least or ''} | {verdict(statistics.mean(found), least)} |")
    # The day on which the run ended: its log is as old as that.
    ended = datetime.date.fromtimestamp((place(name, seeds[0]) / "events.jsonl").stat().st_mtime).isoformat()
    versions = ", ".join(f"{key} {value}" for key, value in started["engine"]["versions"].items())
    whose = f"Seed {seeds[0]}: " if len(seeds) > 1 else ""
    lines += [
        "",
        f"{whose}{training['epochs']} epochs ({training['steps']} steps), the best {training.get('best_epoch', '')}, "
        f"{training['parameters']} parameters. Fit {summary['timing']['fit_s']:.0f} s{pieces}, evaluation "
        f"{summary['timing']['evaluate_s']:.1f} s; peak memory {summary['memory']['peak'] >> 20} MiB. {cpu()}, "
        f"{os.cpu_count()} cores, {threads} thread(s), shared with other work; {versions}; {ended}, "
        f"{commit()}.",
        "",
        "<details><summary>The curve: epoch, training loss, validation NDCG@10</summary>",
        "",
        "```",
    ]
    for epoch, values in sorted(curve.items()):
        lines.append(
            f"{epoch:4} {values.get('epoch-loss', float('nan')):9.5f} {values.get('ndcg@10', float('nan')):8.5f}"
        )
    lines += ["```", "", "</details>", ""]
    return "\n".join(lines)


def write(name: str, seeds: list[int], threads: int) -> None:
    text = DOCUMENT.read_text() if DOCUMENT.exists() else HEAD
    head, *parts = text.split("\n## ")
    sections = {part.split("\n", 1)[0]: part.rstrip() for part in parts}
    sections[name] = section(name, seeds, threads).rstrip().removeprefix("## ")
    DOCUMENT.write_text(head.rstrip() + "\n" + "".join(f"\n## {part}\n" for _, part in sorted(sections.items())))


def main() -> None:
    names = sorted(path.stem for path in SPECS.glob("*.toml") if path.stem != "expected")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=names)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", help="as 42,43,44; without it the spec's own alone")
    parser.add_argument("--log", action="store_true", help="write the section of a finished run, without running")
    arguments = parser.parse_args()
    name, threads = arguments.name, arguments.threads
    seeds = [int(seed) for seed in (arguments.seeds or str(spec_of(name)["seed"])).split(",")]
    for seed in seeds:
        # Of several, those that have finished stay: an interrupted series goes on with the rest.
        if not arguments.log and not run(name, seed, threads, again=len(seeds) == 1):
            sys.exit(f"{name} with seed {seed} did not finish; start it again to go on")
    write(name, seeds, threads)


if __name__ == "__main__":
    main()
