"""docs/benchmarks.md as sections that can be measured again one by one."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

HEAD = """# Benchmarks

Written by `make bench`; do not edit. Each comparison alternates ours and the peers in one run; the figure is the median of all
repeats. `make bench ONLY='item-knn'` measures the sections whose title matches again. The machine is shared and noisy: read the ratios.
"""


RECSPEED = Path(__file__).resolve().parents[2] / "target" / "release" / "recspeed"


class Document:
    """The sections of a file, in the order of `titles`, then those that this run does not know, as when it has no real data."""

    def __init__(self, path, titles):
        self.path, self.titles = path, titles
        parts = path.read_text().split("\n## ")[1:] if path.exists() else []
        self.sections = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts}

    def put(self, title, text, rounds, threads):
        """Writes the file with a new text for a section, so that a run that is cut off keeps what it measured."""
        self.sections[title] = f"{text.strip()}\n\n{stamp(rounds, threads)}"
        known = [title for title in self.titles if title in self.sections]
        others = [title for title in self.sections if title not in self.titles]
        body = [f"## {title}\n\n{self.sections[title]}\n" for title in known + others]
        part = self.path.with_suffix(".part")
        part.write_text("\n".join([HEAD, *body]))
        part.replace(self.path)


def stamp(rounds, threads):
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
        except OSError:
            return ""

    built = built_from(said(RECSPEED, "--version"))
    return (f"<sub>{datetime.date.today().isoformat()}, {built}; {processor()}, {os.cpu_count()} cores, "
            f"Linux {platform.release()}; {threads} threads; {rounds} rounds, warm file cache, the C library keeps what is freed; "
            f"{said('rustc', '--version')}, Python {platform.python_version()}</sub>")


def built_from(version):
    """What `recspeed --version` names, which `make build` builds with all that is measured: not what the checkout is by now."""
    commit, changed, _ = version.partition("+")[2].partition(".changed.")
    return f"built from commit {commit or 'unknown'}{' with changes' if changed else ''}"


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
