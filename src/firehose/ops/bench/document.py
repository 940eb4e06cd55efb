"""`docs/performance.md`: the machine, the table, and for every line not reached the profile that says why.

In: measured lines, and a file of notes by line name (TOML, written by hand). Out: Markdown. The notes are the only
part that a person writes; a line without a note says so.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from firehose.bus.engine import find_binary
from firehose.errors import Broken
from firehose.ops.bench.line import Line
from firehose.ops.bench.postgres import binaries
from firehose.plumbing.clock import monotonic, now

_HEAD: Final = """# Performance

Made by `firehose bench --write docs/performance.md`; the notes are in `performance-notes.toml`. Each figure was
measured with the load, the hub and the rival on the same cores in the same run, so ratios say more than absolutes.
For times and sizes the reach is the most that is wanted and the ratio is rival : ours, for rates the least and
ours : rival.
"""


def render(lines: Sequence[Line], notes: Path) -> str:
    """The whole document."""
    known = tomllib.loads(notes.read_text()) if notes.exists() else {}
    parts = [_HEAD, "## The machine\n", machine(), "\n## The table\n", rows(lines)]
    missed = [line for line in lines if not line.ok]
    if missed:
        parts.append("\n## Not reached, and why\n")
        parts += [
            f"- **{line.name}** ({_number(line.value)} {line.unit}): {known.get(line.name, 'no note yet.')}"
            for line in missed
        ]
    rest = [f"- **{name}**: {text}" for name, text in known.items() if name not in {line.name for line in missed}]
    if rest:
        parts += ["\n## Notes\n", *rest]
    return "\n".join(parts) + "\n"


def rows(lines: Sequence[Line]) -> str:
    """The table in Markdown."""
    out = ["| line | value | reach | rival | ratio | reached | what |", "|---|---:|---:|---:|---:|---|---|"]
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        value = f"{_number(line.value)} {line.unit}".strip()
        out.append(
            f"| {line.name} | {value} | {_number(line.reach)} | {_number(line.rival)} | {ratio} | "
            f"{'yes' if line.ok else '**no**'} | {line.note} |"
        )
    return "\n".join(out) + "\n"


def machine() -> str:
    """What it was measured on."""
    facts = {
        "measured": f"{now():%Y-%m-%d %H:%M} UTC, load average {' '.join(f'{part:.2f}' for part in os.getloadavg())}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory() / 2**30:.0f} GiB",
        "disk": f"{_fsync() * 1e3:.2f} ms for a 4 KiB write with fsync (median of 200)",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "NATS": _version(_engine(), "--version"),
        "Mosquitto": _version(shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-h"),
        "PostgreSQL": _version(str((binaries() or Path("/nowhere")) / "postgres"), "--version"),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items()) + "\n"


def _engine() -> str:
    try:
        return find_binary("")
    except Broken:
        return ""


def _version(program: str, option: str) -> str:
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except OSError:
        return "not installed"
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    return next((row.partition(":")[2].strip() for row in text.splitlines() if row.startswith("model name")), "?")


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _fsync() -> float:
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(200):
            file.write(bytes(4_096))
            file.flush()
            began = monotonic()
            os.fsync(file.fileno())
            took.append(monotonic() - began)
    return sorted(took)[100]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
