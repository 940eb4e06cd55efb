"""`firehose bench`: run the measurements, show the table, write the document.

In: names, options. Out: JSON lines or a table on standard output, progress on standard error. A line that is not
reached is named and is no failure of the command; a measurement that cannot run here says why and is left out.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from firehose.errors import FirehoseError
from firehose.ops.bench import document
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure, measures
from firehose.plumbing import log

SCALES = (1, 3, 10)
SLOW_SECONDS = 120


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--scale", is_flag=True, help="Each at 1, 3 and 10 times the load or data: how cost grows.")
@click.option("--list", "only_list", is_flag=True, help="List the measurements and leave.")
@click.option("--all", "everything", is_flag=True, help="Also what takes minutes, without naming it.")
@click.option(
    "--merge",
    type=click.Path(exists=True, path_type=Path),
    help="Lines measured before (--json): kept unless measured now.",
)
@click.option("--write", type=click.Path(path_type=Path), help="Also write the document (docs/performance.md).")
def bench(names: tuple[str, ...], as_json: bool, scale: bool, only_list: bool, everything: bool, **files: Any) -> None:
    """Measure this machine: each figure against a rival in the same run.

    \b
    Examples:
      firehose bench
      firehose bench ingest fanout --json
      firehose bench ingest --scale
    Lines have name, value, unit, reach (what is wanted), rival (the other way, same run), ratio and ok.
    Exit code 0, also when a line is not reached; 2 for an unknown name.
    """
    chosen = choose(names, everything or only_list)
    if only_list:
        for measure in chosen:
            click.echo(f"{measure.name:12} {measure.what} (about {measure.seconds} s)")
        return
    log.configure("error")
    lines = merged(files["merge"], run(chosen, SCALES if scale else (1,), as_json))
    write: Path | None = files["write"]
    if not as_json:
        Console().print(table(lines))
        missed = [line.name for line in lines if not line.ok]
        click.echo(f"not reached: {', '.join(missed)}" if missed else "every line reached")
    if write is not None:
        write.write_text(document.render(lines, write.parent / "performance-notes.toml"))


def choose(names: Sequence[str], everything: bool = True) -> list[Measure]:
    """The measurements of these names; without names all, but for those that take minutes unless `everything`."""
    known = measures()
    unknown = [name for name in names if name not in {measure.name for measure in known}]
    if unknown:
        raise click.UsageError(f"no measurement {unknown[0]!r}; known: {', '.join(m.name for m in known)}")
    if names:
        return [measure for measure in known if measure.name in names]
    slow = [measure.name for measure in known if measure.seconds > SLOW_SECONDS]
    if slow and not everything:
        click.echo(f"left out, since they take minutes: {', '.join(slow)} (name them, or --all)", err=True)
    return [measure for measure in known if everything or measure.name not in slow]


def merged(file: Path | None, fresh: Sequence[Line]) -> list[Line]:
    """Lines of an earlier run, each replaced by the fresh one of its name, and what is new."""
    old = [msgspec.json.decode(row, type=Line) for row in file.read_bytes().splitlines()] if file else []
    by_name = {line.name: line for line in (*old, *fresh)}
    return list(by_name.values())


def run(chosen: Sequence[Measure], scales: Sequence[int], as_json: bool) -> list[Line]:
    """Measure one after the other; JSON lines appear as soon as they are known."""
    lines: list[Line] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for number, measure in enumerate(chosen, 1):
            for scale in scales:
                times = f", {scale} times" if len(scales) > 1 else ""
                task = progress.add_task(f"{number}/{len(chosen)} {measure.name}: {measure.what}{times}", total=None)
                found = attempt(measure, scale)
                progress.remove_task(task)
                if len(scales) > 1:
                    found = [msgspec.structs.replace(line, name=f"{line.name} ×{scale}") for line in found]
                lines += found
                for line in found:
                    if as_json:
                        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
                        sys.stdout.flush()
                    else:
                        progress.console.print(f"{line.name}: {number_of(line.value)} {line.unit}")
    return lines


def attempt(measure: Measure, scale: int) -> list[Line]:
    """Its lines; one that says why when it cannot run here."""
    gc.collect()
    try:
        return list(measure.run(scale))
    except (FirehoseError, OSError) as error:
        return [Line(measure.name, 0.0, "", ok=False, note=f"not measured: {error}")]


def table(lines: Sequence[Line]) -> Table:
    """For a terminal."""
    shown = Table(title="firehose bench", title_justify="left")
    for column in ("line", "value", "unit", "reach", "rival", "ratio", "ok", "note"):
        shown.add_column(column, justify="left" if column in ("line", "unit", "note") else "right")
    for line in lines:
        shown.add_row(
            line.name, number_of(line.value), line.unit, number_of(line.reach), number_of(line.rival),
            "" if line.ratio is None else f"{line.ratio:.2f}", "yes" if line.ok else "[bold red]no[/]", line.note,
        )  # fmt: skip
    return shown


def number_of(value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
