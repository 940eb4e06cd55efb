"""Commands that read and write a running hub: tail, search, publish, quarantine.

They speak HTTP like everybody else, through `client.py`. Lines for people on a terminal, JSON with `--json`.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from firehose.client import Client

COLOURS = {
    "success": "green", "failure": "bold red", "error": "bold red", "cancel": "dim", "running": "blue", "queued": "dim",
}  # fmt: skip
MARKS = {"success": "●", "failure": "■", "error": "▲", "cancel": "⊘", "running": "◐", "queued": "◌"}

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Options `--hub` and `--token`; the command gets an open `client`."""

    @functools.wraps(command)
    def call(*args: Any, hubs: tuple[str, ...], token: str, **more: Any) -> None:
        with Client(*hubs, token=token) as client:
            command(*args, client=client, **more)

    hub = click.option(
        "--hub", "hubs", multiple=True, envvar="FIREHOSE_HUB", help="Hub's address; repeat for fallbacks.",
        default=("http://127.0.0.1:8080",), show_default=True,
    )  # fmt: skip
    token = click.option("--token", default="", envvar="FIREHOSE_TOKEN", help="Access token, or $FIREHOSE_TOKEN.")
    return hub(token(call))


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Options `--since` and `--until`; the command gets `params`."""

    @functools.wraps(command)
    def call(*args: Any, since: str, until: str, **more: Any) -> None:
        command(*args, params=given(since=since, until=until), **more)

    since = click.option("--since", default="", help="From when: 10m, 2026-01-31T12:00:00Z, seq:123, earliest.")
    until = click.option("--until", default="", help="To when, same forms as --since.")
    return since(until(call))


@click.command()
@click.argument("topics", nargs=-1)
@click.option("-q", "--query", default="", help="Query, Lucene syntax: 'outcome:failure project:openstack/*'.")
@filtered
@connected
@json_option
def tail(topics: tuple[str, ...], query: str, params: dict[str, str], client: Client, as_json: bool) -> None:
    """Follow events as they happen; resumes by itself after a break.

    \b
    Examples:
      firehose tail
      firehose tail 'events/+/change/merged/#' --since 1h
      firehose tail -q 'outcome:failure' --json | jq .summary
    """
    show(client.stream(*topics, params=params | given(q=query), on_break=told), as_json)


@click.command()
@click.argument("query", default="")
@filtered
@click.option("--order", type=click.Choice(["asc", "desc"]), default="desc", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most events.")
@connected
@json_option
def search(query: str, params: dict[str, str], order: str, limit: int, client: Client, as_json: bool) -> None:
    """Search the history.

    \b
    Examples:
      firehose search 'kind:change.merged project:openstack/nova' --since 7d
      firehose search '"live migration" outcome:failure' --json
    """
    if not show(client.search(params | given(q=query, order=order), limit=limit), as_json):
        click.echo("no event matches", err=True)


@click.command()
@click.argument("source")
@click.argument("file", type=click.File("rb"), default="-")
@connected
def publish(source: str, file: Any, client: Client) -> None:
    """Hand CloudEvents (JSON, one or a list) to an inbox source.

    \b
    Example: echo '{"specversion":"1.0","id":"1","source":"https://ci.example.org",
      "type":"org.example.done"}' | firehose publish inbox --token "$TOKEN"
    Prints the hub's receipt for each, once it is on disk.
    """
    try:
        found = json.loads(file.read())
    except ValueError as error:
        raise click.UsageError(f"the input is not JSON: {error}") from None
    for event in found if isinstance(found, list) else [found]:
        click.echo(json.dumps(client.publish(source, event)))


@click.group()
def quarantine() -> None:
    """Deliveries that nobody could read: look, try again, discard."""


@quarantine.command("list")
@connected
@json_option
def quarantine_list(client: Client, as_json: bool) -> None:
    """What is in quarantine, newest first. Needs a token with scope admin.

    Example: firehose quarantine list --token "$TOKEN"
    """
    entries = client.get("/v1/quarantine")["entries"]
    if not entries:
        click.echo("nothing is in quarantine", err=True)
    for entry in entries:
        if as_json:
            click.echo(json.dumps(entry))
        else:
            click.echo(
                f"{entry['number']:>8}  {entry['time']}  {entry['source']:12} {entry['cause']}: {entry['detail']}"
            )


@quarantine.command("show")
@click.argument("number", type=int)
@connected
def quarantine_show(number: int, client: Client) -> None:
    """One delivery as it came, with what is wrong with it, as JSON.

    Example: firehose quarantine show 12 --token "$TOKEN"
    """
    click.echo(json.dumps(client.get(f"/v1/quarantine/{number}"), indent=2, ensure_ascii=False))


@quarantine.command("retry")
@click.argument("number", type=int)
@connected
def quarantine_retry(number: int, client: Client) -> None:
    """Judge a delivery again, after the mapping was mended.

    Example: firehose quarantine retry 12 --token "$TOKEN"
    """
    click.echo(json.dumps(client.post(f"/v1/quarantine/{number}/retry")))


@quarantine.command("discard")
@click.argument("number", type=int)
@connected
def quarantine_discard(number: int, client: Client) -> None:
    """Remove a delivery for good.

    Example: firehose quarantine discard 12 --token "$TOKEN"
    """
    click.echo(json.dumps(client.post(f"/v1/quarantine/{number}/discard")))


def given(**values: str) -> dict[str, str]:
    """The parameters that have a value."""
    return {name: value for name, value in values.items() if value}


def told(why: str, wait: float) -> None:
    """Say on standard error that the stream broke, and what comes next."""
    click.echo(f"firehose: {why}; again in {wait:.1f} s", err=True)


def show(events: Iterable[dict[str, Any]], as_json: bool) -> int:
    """Print events until they end, and say how many; a closed pipe is an end, too."""
    console = Console(highlight=False, soft_wrap=True)
    count = 0
    try:
        for event in events:
            count += 1
            if as_json:
                print(json.dumps(event, ensure_ascii=False), flush=True)
            else:
                console.print(row(event))
                sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; keep Python from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return count


def row(event: dict[str, Any]) -> Text:
    """An event as one line: time, outcome, source, kind, project, summary, actor."""
    outcome = event.get("outcome", "")
    text = Text()
    text.append(event["time"][11:19], "dim")
    text.append(f" {MARKS.get(outcome, '·')} ", COLOURS.get(outcome, "dim"))
    text.append(f"{event.get('topic', '').split('/')[1]:<10.10} ", "cyan")
    text.append(f"{event['kind']:<22} ")
    if event.get("project"):
        text.append(f"{event['project']}  ", "magenta")
    text.append(event.get("summary", ""))
    if event.get("actor"):
        text.append(f"  {event['actor']}", "dim")
    return text
