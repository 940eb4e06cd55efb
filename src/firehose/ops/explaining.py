"""The command `explain`. It starts nothing, and needs no settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from firehose.errors import Broken
from firehose.ops.explain import explain, parse_header, payloads
from firehose.plumbing.clock import now


@click.command("explain")
@click.argument("kind")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--header", "headers", multiple=True, metavar="'N: V'", help="A header that came with it (repeatable).")
def explain_command(kind: str, file: Path, headers: tuple[str, ...]) -> None:
    """What a payload becomes, offline: one JSON line for each payload in FILE ("-" reads standard input).

    KIND is a source kind, such as github. `verdict` is event, ignored, unknown or refused; `events` are as readers get
    them. A captured envelope with headers and body, or topic and payload, is opened.

    \b
    Example: firehose explain github pull_request.json --header 'X-GitHub-Event: pull_request'
    Exit codes: 0 whatever the verdict, 2 no such kind or file, or a header without a colon.
    """
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Broken(f"cannot read {file}: {error.strerror}", code=2) from None
    given = dict(parse_header(text) for text in headers)
    for payload in payloads(content, file=file.name, headers=given):
        click.echo(json.dumps(explain(kind, payload, now()), ensure_ascii=False))
