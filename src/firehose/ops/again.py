"""Commands that use what a hub has recorded once more: capture (samples) and replay."""

from __future__ import annotations

import json
import os
import time
from itertools import islice
from pathlib import Path
from typing import Any

import click

from firehose import settings as all_settings
from firehose import source
from firehose.client import Client
from firehose.errors import Broken
from firehose.event import rfc3339
from firehose.ops.capture import capture
from firehose.ops.reading import connected, given, told
from firehose.ops.replaying import Mqtt, paced
from firehose.ops.showing import settings_option
from firehose.plumbing.clock import now


@click.command("capture")
@click.argument("name", metavar="SOURCE")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path("samples"), show_default=True)
@click.option("--kind", default="", help="The source's kind; else from the settings, else SOURCE itself.")
@click.option("--each", type=click.IntRange(1), default=1, show_default=True, help="Most samples of a native kind.")
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="Most samples in all.")
@click.option("--since", default="1h", show_default=True, help="From when: 10m, 2026-01-31T12:00:00Z, earliest.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until --count or Ctrl-C.")
@settings_option
@connected
def capture_command(name: str, into: Path, kind: str, file: Path | None, client: Client, **asked: Any) -> None:
    """Store payloads that a running hub received as samples: <native kind>__<case>.json, scrubbed.

    E-mail addresses and values of members that look like credentials are taken out; look at the files before you
    commit them. Files that are there already are never overwritten.

    \b
    Example: firehose capture gerrit --into src/firehose/sources/gerrit/samples --since 1d
    Prints the name of each file. Exit codes: 0 fine, 1 the hub does not answer, 2 no such kind.
    """
    declared = source.load(kind or _kind_of(name, file))
    until = "" if asked["follow"] else rfc3339(now())
    client.get("/healthz")  # a hub that is not there is an error; a break later is not
    events = client.stream(params=given(source=name, since=asked["since"], until=until), on_break=told)
    for path in islice(capture(declared, events, into, each=asked["each"]), asked["count"]):
        click.echo(str(path))


def _kind_of(name: str, file: Path | None) -> str:
    found = all_settings.load(file, os.environ)[0].sources.get(name)
    return found.kind if found is not None else name


@click.command("replay")
@click.argument("topics", nargs=-1)
@click.option("-q", "--query", default="", help="Query, Lucene syntax.")
@click.option("--since", required=True, help="From when: 10m, 2026-01-31T12:00:00Z, seq:123, earliest.")
@click.option("--until", default="", help="To when, same forms; else now.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Times as fast.")
@click.option("--to", default="", metavar="URL", help="mqtt://host:1883/your/prefix; else standard output.")
@click.option("--user", default="", help="Login at the broker.")
@click.option("--password-file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@connected
def replay_command(topics: tuple[str, ...], query: str, client: Client, **asked: Any) -> None:
    """Play recorded events once more, with the pauses they had, N times as fast.

    They go to standard output, one JSON object a line, or to a topic of your own at an MQTT broker; never into the
    hub again, whose broker takes nothing from readers. A pause takes at most a minute.

    \b
    Examples:
      firehose replay --since 1h --speed 60
      firehose replay 'events/gerrit/#' --since 1d --speed 100 --to mqtt://broker.example.org/me/replay
    Exit codes: 0 done, 1 hub or broker does not answer, 2 usage.
    """
    window = given(q=query, since=asked["since"], until=asked["until"] or rfc3339(now()))
    client.get("/healthz")  # a hub that is not there is an error; a break later is not
    events = paced(client.stream(*topics, params=window, on_break=told), asked["speed"], time.sleep)
    if not asked["to"]:
        for event in events:
            click.echo(json.dumps(event, ensure_ascii=False))
        return
    broker = Mqtt(asked["to"], asked["user"], _password(asked["password_file"]), doubt=_doubted)
    try:
        count = 0
        for event in events:
            broker.send(event)
            count += 1
    finally:
        broker.close()
    click.echo(f"{count} events", err=True)


def _doubted(why: str) -> None:
    click.echo(f"firehose: {why}", err=True)


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Broken(f"cannot read {file}: {error.strerror}", code=2) from None
