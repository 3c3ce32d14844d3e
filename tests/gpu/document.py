"""`document.py gpu-results.json docs/studies.md docs/parallel.md`: puts what measure.sh brought back into the sections
on a GPU: of the studies, and of memory and NCCL. A section whose step was not taken stays as it is.

A study that ran out of its time brings a partial report: its section says so at its head, and so does this program.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

Told = dict[str, Any]
BEGIN, END = "<!-- gpu -->", "<!-- end of gpu -->"
# A section as `recspeed study --document` writes it.
SECTION = re.compile(r"<!-- (study ([a-z-]+): on a GPU) -->.*?<!-- end of \1 -->", re.DOTALL)


def seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def agrees(row: Told) -> str:
    if "failed" in row:
        return f"failed: {row['failed']} |"
    return f"{row['loss_difference']:.1e} | {row['metric_difference']:.1e}"


def not_tried(network: str, device: str) -> str:
    """Why there is no row: a framework is lent two of the networks, and time may have been over."""
    return "not lent |" if "@" in device and network not in ("mlp", "densenet") else "not tried |"


def agreement(told: Told) -> list[str]:
    devices = list(dict.fromkeys(row["device"] for row in told["agree"]))
    lines = [
        "### Every network learns there what it learns on flex",
        "",
        "Largest relative difference of the first three losses from those on flex, and largest difference of any "
        "metric after one epoch.",
        "",
        f"| network | {' | '.join(f'{device}, losses | {device}, metrics' for device in devices)} |",
        "|---" * (2 * len(devices) + 1) + "|",
    ]
    for network in dict.fromkeys(row["network"] for row in told["agree"]):
        rows = {row["device"]: row for row in told["agree"] if row["network"] == network}
        cells = [agrees(rows[device]) if device in rows else not_tried(network, device) for device in devices]
        lines.append(f"| {network} | {' | '.join(cells)} |")
    if not told["speed"]:
        return [*lines, ""]
    what = f"Seconds of training, median of {told['rounds']} runs (smallest to largest)."
    lines += ["", "### Small and large networks", "", what, ""]
    # Engines are held against flex, and timed by the studies.
    names = ["flex", *(device for device in devices if "@" not in device)]
    lines += [f"| network | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in told["speed"]:
        cells = [
            f"failed: {row[name]['failed']}"
            if "failed" in row[name]
            else f"{seconds(row[name]['median_s'])} ({seconds(row[name]['least_s'])} to {seconds(row[name]['most_s'])})"
            for name in names
        ]
        lines.append(f"| {row['case']} | {' | '.join(cells)} |")
    return [*lines, ""]


def mib(value: float) -> str:
    return f"{value / 1024**2:,.0f}"


def of_memory(result: Told) -> list[str]:
    """What each run held of the card beside its plan."""
    contexts = ", ".join(
        f"{told['device']} with {'one rank' if told['ranks'] == 1 else 'two ranks'} {mib(told['bytes'])}"
        for told in result["contexts"]
    )
    lines = [
        f"Measured by `memory.py` of `make gpu-bundle` on {result['gpu']} ({mib(result['memory_bytes'])} MiB) on "
        f"{result['measured']}, in MiB, ranks sharing the one card. `held` is the most that the driver counted, less "
        f"the context of CUDA, which is what the smallest network holds: {contexts}. A run may hold a ninth more than "
        "foretold, on `cuda` half as much again, and 64 MiB of pages that are not full.",
        "",
        "| run | device | foretold | held | of it | |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        name = f"| {row['case']} | {row['device']} "
        if "failed" in row:
            lines.append(f"{name}| | | | failed: {' '.join(row['failed'].split())} |")
            continue
        verdict = "" if row["holds"] else "**more than foretold**"
        own = mib(row["own_bytes"])
        lines.append(f"{name}| {mib(row['foretold_bytes'])} | {own} | {row['ratio']:.2f} | {verdict} |")
    if (missing := result["wanted"] - len(result["rows"])) > 0:
        lines += ["", f"The step's time was over before {missing} more."]
    return lines


def of_nccl(result: Told) -> list[str]:
    """What a communicator of one rank did."""
    if "failed" in result:
        return [f"On one GPU it failed: {result['failed']}."]
    carried = ", ".join(result["came_back"])
    return [
        f"On one GPU ({result['gpu']}, NCCL {result['nccl']}) `recspeed-worker try-nccl` made a communicator of one "
        f"rank in {seconds(result['opened_s'])}; {result['numbers']:,} numbers came back to the last bit by each of: "
        f"{carried}."
    ]


def parallel(results: dict[str, Told], document: Path) -> None:
    """The sections of docs/parallel.md."""
    text = document.read_text()
    for step, lines_of in (("memory", of_memory), ("nccl", of_nccl)):
        result = results.get(step, {}).get("result")
        if result is None:
            print(f"document: {step} was not measured; its section stays as it is", file=sys.stderr)
            continue
        begin, end = f"<!-- gpu {step} -->", f"<!-- end of gpu {step} -->"
        text = put(text, begin, end, "\n".join([begin, *lines_of(result), end]), "")
    document.write_text(text)


def main() -> None:
    results, document = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    sections = results.pop("sections", "")
    if len(sys.argv) > 3:
        parallel(results, Path(sys.argv[3]))
    text = document.read_text()
    agree = results.get("agree", {}).get("result")
    if agree:
        text = put(text, BEGIN, END, networks(results, agree), "")
    else:
        print("document: the networks were not held against flex; their section stays as it is", file=sys.stderr)
    for section in SECTION.finditer(sections):
        own, study = section[1], section[2]
        text = put(text, f"<!-- {own} -->", f"<!-- end of {own} -->", section[0], f"<!-- end of study {study} -->")
    document.write_text(text)


def networks(results: dict[str, Told], agree: Told) -> str:
    """The section of the networks, with what became of the other steps."""
    told = (part["result"]["machine"] for part in results.values() if "machine" in part.get("result", {}))
    machine: Told = next(told, {"versions": {}, "host": "a machine that no study has named"})
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "## On a GPU: do the networks agree, and what is gained",
        "",
        f"`make gpu-bundle`, then `measure.sh` on a machine with {results['gpu']['text']} (driver), {machine['host']}; "
        f"{versions}; measured on {agree['measured']}.",
        "",
        *agreement(agree),
    ]
    for name, part in results.items():
        if name in ("gpu", "probe", "pytorch", "agree", "memory", "nccl"):
            continue
        if stopped := partial(part):
            lines += [f"### {name}", "", stopped, ""]
            print(f"document: {name}: {stopped}", file=sys.stderr)
        elif part["status"]:
            lines += [f"### {name}", "", f"Failed: {part.get('log', '')}", ""]
    return "\n".join([BEGIN, *lines]).rstrip() + f"\n{END}"


def partial(part: Told) -> str:
    """What is said of a study that was stopped before its end; nothing of any other step."""
    result = part.get("result")
    progress = result.get("partial") if isinstance(result, dict) else None
    if not progress:
        return ""
    done, total = progress["done"], progress["total"]
    return f"Partial: stopped after {done} of {total} measurements, in {part['seconds']} s; its section has these."


def put(text: str, begin: str, end: str, section: str, after: str) -> str:
    """The text with this section in the place of the one that it had, behind `after`, or at the end."""
    if begin in text:
        start, stop = text.index(begin), text.index(end) + len(end)
        return text[:start] + section + text[stop:]
    if after and after in text:
        at = text.index(after) + len(after)
        return f"{text[:at]}\n\n{section}{text[at:]}"
    return f"{text.rstrip()}\n\n{section}\n"


if __name__ == "__main__":
    main()
