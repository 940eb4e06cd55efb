"""`firehose verify`: whether history and dumps are whole. Reads files only; needs no running hub.

In: settings, or a folder of dumps that somebody took and the key of the hub it came from. Out: every problem in a
sentence, JSON on request. It repairs nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from firehose.errors import Broken
from firehose.history.dumps import Dumps
from firehose.history.dumps import verify as verify_dumps
from firehose.history.open import open_store
from firehose.history.store import Store
from firehose.ops.showing import data_option, settings_option
from firehose.settings import load

MOST: Final = 100
"""Problems that are listed."""


@click.command("verify")
@click.option("--dumps", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Only this folder.")
@click.option("--key", default="", help="The hub's public key in hex, as /v1/dumps gives it; with --dumps.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_option
@data_option
def verify(dumps: Path | None, key: str, as_json: bool, file: Path | None, data: str) -> None:
    """Check that the history has no hole, and that dumps, their chain and signatures are right.

    \b
    Examples:
      firehose verify --data /var/lib/firehose
      firehose verify --dumps ./taken --key 3f0c…
    Exit codes: 0 all is right, 3 something is not (each problem is a line), 2 settings, or no history there.
    """
    if dumps is not None:
        if len(key) != 64:
            raise Broken("--dumps needs --key: 64 hex digits, from /v1/dumps of the hub that made them", code=2)
        problems, checked = verify_dumps(dumps, key), {"dumps": str(dumps)}
    else:
        problems, checked = _own(file, data)
    if as_json:
        click.echo(json.dumps({"ok": not problems, **checked, "problems": problems[:MOST]}))
    else:
        for problem in problems[:MOST]:
            click.echo(problem)
        told = "; ".join(f"{name} {value}" for name, value in checked.items())
        click.echo(f"{len(problems)} problems in {told}" if problems else f"all is right: {told}")
    if problems:
        raise click.exceptions.Exit(3)


def _own(file: Path | None, data: str) -> tuple[list[str], dict[str, str]]:
    settings, _ = load(file, os.environ, data=data)
    store = open_store(settings.history, settings.data, create=False)
    try:
        span = store.span()
        problems = list(holes(store, ruled=len(settings.history.keep) > 1))
    finally:
        store.close()
    checked = {"history": f"{span.first}..{span.last}, {span.count} events"}
    folder, key_file = settings.data / "dumps", settings.data / "keys" / "dumps.key"
    if key_file.exists():
        own = Dumps(folder, key_file)
        problems += verify_dumps(folder, own.public_key)
        checked["dumps"] = f"{len(own.list())} hours"
    return problems, checked


def holes(store: Store, *, ruled: bool) -> Iterator[str]:
    """Sequences that are missing above the floor, and roll-ups that do not add up. `ruled`: rules of retention remove
    single sources, so that holes are what was asked for."""
    span = store.span()
    last, count = max(span.floor, span.first - 1), 0
    for events in store.replay(span.first - 1):
        for event in events:
            if event.sequence != last + 1 and not ruled:
                yield f"history: sequences {last + 1} to {event.sequence - 1} are missing"
            last, count = event.sequence, count + 1
    if count != span.count and store.span().count == span.count:
        yield f"history: there are {count} events, the roll-ups say {span.count}"
