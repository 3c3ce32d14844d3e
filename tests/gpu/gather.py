"""`gather.py PARTS FILE`: one JSON file of what every step of measure.sh printed, and how it ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def part(folder: Path, name: str) -> dict[str, object]:
    text = (folder / f"{name}.out").read_text(errors="replace").strip()
    status, seconds = (folder / f"{name}.status").read_text().split()
    told: dict[str, object] = {"status": int(status), "seconds": int(seconds)}
    try:
        told["result"] = json.loads(text)
    except ValueError:
        told["text"] = text[-4000:]
    # A study that was stopped has both: a partial report, and a status that is not 0.
    if told["status"]:
        told["log"] = (folder / f"{name}.err").read_text(errors="replace")[-4000:]
    return told


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    names = sorted(path.stem for path in folder.glob("*.status"))
    told: dict[str, object] = {name: part(folder, name) for name in names}
    # The studies' tables, as the program itself wrote them.
    sections = folder / "studies.md"
    told["sections"] = sections.read_text() if sections.exists() else ""
    out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
