"""Commands about the ways out of a running hub: `sinks`, `deadletters`. They speak HTTP like everybody else."""

from __future__ import annotations

import json

import click

from firehose.client import Client
from firehose.ops.reading import connected, json_option


@click.group()
def sinks() -> None:
    """The ways out: how they are, switch one on again, let somebody hear of it again."""


@sinks.command("list")
@connected
@json_option
def sinks_list(client: Client, as_json: bool) -> None:
    """Every sink with its state, what it sent, and how far it is behind.

    Example: firehose sinks list
    """
    found = client.get("/v1/sinks")["sinks"]
    if not found:
        click.echo("there are no sinks in the settings", err=True)
    for sink in found:
        if as_json:
            click.echo(json.dumps(sink))
            continue
        counts = f"sent {sink['sent']}, failed {sink['failed']}, dead {sink['dead']}, behind {sink['lag']}"
        why = f": {sink['why']}" if sink["why"] else ""
        click.echo(f"{sink['name']:16} {sink['kind']:10} {sink['state']:9} {counts}  {sink['to']}{why}")


@sinks.command("enable")
@click.argument("name")
@connected
def sinks_enable(name: str, client: Client) -> None:
    """Switch a sink on that its receiver had switched off (HTTP 410). Needs a token with scope admin.

    Example: firehose sinks enable ci --token "$TOKEN"
    """
    click.echo(json.dumps(client.post(f"/v1/sinks/{name}/enable")))


@sinks.command("resume")
@click.argument("name")
@click.argument("address")
@connected
def sinks_resume(name: str, address: str, client: Client) -> None:
    """Let somebody get a sink's mails again who stopped them by the link in one. Needs a token with scope admin.

    Example: firehose sinks resume team ada@example.org --token "$TOKEN"
    """
    click.echo(json.dumps(client.post(f"/v1/sinks/{name}/resume", {"address": address})))


@click.group("deadletters")
def dead() -> None:
    """Messages that a sink did not take: look, send again, discard."""


@dead.command("list")
@connected
@json_option
def dead_list(client: Client, as_json: bool) -> None:
    """What no sink took, newest first. Needs a token with scope admin.

    Example: firehose deadletters list --token "$TOKEN"
    """
    before = ""
    while True:
        page = client.get(f"/v1/deadletters?limit=200{before}")
        if not page["entries"] and not before:
            click.echo("there are no dead letters", err=True)
        for entry in page["entries"]:
            if as_json:
                click.echo(json.dumps(entry))
            else:
                click.echo(
                    f"{entry['number']:>8}  {entry['time']}  {entry['sink']:12} {entry['kind']} {entry['subject']}: "
                    f"{entry['error']} ({entry['failures']} tries)"
                )
        if page["before"] is None:
            return
        before = f"&before={page['before']}"


@dead.command("show")
@click.argument("number", type=int)
@connected
def dead_show(number: int, client: Client) -> None:
    """One message with its event, as JSON.

    Example: firehose deadletters show 12 --token "$TOKEN"
    """
    click.echo(json.dumps(client.get(f"/v1/deadletters/{number}"), indent=2, ensure_ascii=False))


@dead.command("replay")
@click.argument("numbers", type=int, nargs=-1, required=True)
@connected
def dead_replay(numbers: tuple[int, ...], client: Client) -> None:
    """Send messages again, after the receiver was mended. One that fails again comes back.

    Example: firehose deadletters replay 12 13 --token "$TOKEN"
    """
    for number in numbers:
        click.echo(json.dumps(client.post(f"/v1/deadletters/{number}/replay")))


@dead.command("discard")
@click.argument("number", type=int)
@connected
def dead_discard(number: int, client: Client) -> None:
    """Remove a message for good.

    Example: firehose deadletters discard 12 --token "$TOKEN"
    """
    click.echo(json.dumps(client.post(f"/v1/deadletters/{number}/discard")))
