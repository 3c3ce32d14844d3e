"""`document.py gpu-results.json docs/studies.md`: puts what measure.sh brought back into the section on a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Told = dict[str, Any]
BEGIN, END = "<!-- gpu -->", "<!-- end of gpu -->"


def seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def number(value: float, unit: str) -> str:
    if unit == "seconds":
        return seconds(value)
    return f"{value / 2**20:.0f} MiB" if unit == "bytes" else f"{value:.4f}"


def cell(cell: Told, unit: str) -> str:
    kind = cell["cell"]
    if kind == "number":
        text, spread = number(cell["value"], unit), cell.get("spread")
        if not spread or spread["runs"] <= 1:
            return text
        return f"{text} ({seconds(spread['least'])} to {seconds(spread['most'])})"
    if kind == "missing":
        return f"not there: {cell['why']}"
    if kind == "failed":
        return f"failed: {cell['cause']}"
    return str(cell.get("text", ""))


def study(report: Told) -> list[str]:
    lines = [f"### {report['title']}", "", f"`{report['command']}`", "", *report["conditions"], ""]
    measured = [table for table in report["tables"] if table["whose"] == "measured"]
    for table in measured:
        # One table is what its heading says.
        lines += [f"{table['title']}:", ""] if len(measured) > 1 else []
        columns = table["columns"]
        names = " | ".join(column["name"] for column in columns)
        lines += [f"| {table['rows_are']} | {names} |", "|---" * (len(columns) + 1) + "|"]
        for row in table["rows"]:
            # A device that this bundle was built without is no news.
            if row["cells"][0]["cell"] != "missing":
                cells = (cell(each, column["unit"]) for each, column in zip(row["cells"], columns, strict=True))
                lines.append(f"| {row['name']} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def agrees(row: Told) -> str:
    if "failed" in row:
        return f"failed: {row['failed']} |"
    return f"{row['loss_difference']:.1e} | {row['metric_difference']:.1e}"


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
        cells = [agrees(rows[device]) for device in devices]
        lines.append(f"| {network} | {' | '.join(cells)} |")
    what = f"Seconds of training, median of {told['rounds']} runs (smallest to largest)."
    lines += ["", "### Small and large networks", "", what, ""]
    names = ["flex", *devices]
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


def main() -> None:
    results, document = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    machine = next(part["result"]["machine"] for part in results.values() if "machine" in part.get("result", {}))
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    agree = results.get("agree", {}).get("result")
    lines = [
        "## On a GPU",
        "",
        f"`make gpu-bundle`, then `measure.sh` on a machine with {results['gpu']['text']} (driver), {machine['host']}; "
        f"{versions}; measured on {(agree or {}).get('measured', 'a day that is not known')}.",
        "",
        *(agreement(agree) if agree else ["The networks were not held against flex.", ""]),
    ]
    for name, part in results.items():
        if name not in ("gpu", "probe", "pytorch", "agree"):
            failed = [f"### {name}", "", f"Failed: {part.get('log', '')}", ""]
            lines += study(part["result"]) if part["status"] == 0 else failed
    text = document.read_text()
    section = "\n".join([BEGIN, *lines]).rstrip() + f"\n{END}"
    if BEGIN in text:
        start, end = text.index(BEGIN), text.index(END) + len(END)
        text = text[:start] + section + text[end:]
    else:
        text = text.rstrip() + f"\n\n{section}\n"
    document.write_text(text)


if __name__ == "__main__":
    main()
