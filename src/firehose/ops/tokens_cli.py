"""`firehose token`: make, list and revoke hub tokens, on a stopped or a running hub alike.

In: the data folder's `access.sqlite`. Out: the token itself, once, as the last word; lists without secrets. A running
hub sees every change at the next request.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click
import msgspec

from firehose.access.tokens import Token, Tokens
from firehose.errors import Broken, Refused
from firehose.ops.showing import data_option, settings_option
from firehose.plumbing import folder
from firehose.plumbing.clock import now
from firehose.query import moments
from firehose.settings import Settings, load

FILE = "access.sqlite"


@click.group()
def token() -> None:
    """Tokens for programs: create, list, revoke."""


@token.command()
@click.option("--scope", "scopes", multiple=True, required=True, metavar="SCOPE",
              help="publish:<source>, read:<audience>, person:<name>, tracker or admin; may be repeated.")  # fmt: skip
@click.option(
    "--expires", default="", metavar="TIME", help="How long it works (90d, 12h) or until when [default: for ever]."
)
@click.option("--name", default="", help="A note for the list: who uses it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_option
@data_option
def create(scopes: tuple[str, ...], expires: str, name: str, as_json: bool, file: Path | None, data: str) -> None:
    """Make a token. It is shown this once, as the last word; the hub keeps only its hash.

    \b
    Example: TOKEN=$(firehose token create --scope publish:inbox --expires 90d | awk '{print $NF}')
    Exit codes: 0 made, 1 no such scope or time, 2 settings.
    """
    tokens = Tokens(folder.make(settings(file, data).data) / FILE)
    text, made = tokens.create(scopes, name=name, expires=end(expires) if expires else None)
    if as_json:
        click.echo(msgspec.json.encode({**brief(made), "token": text}).decode())
        return
    until = f"until {made.expires:%Y-%m-%d %H:%M} UTC" if made.expires else "for ever"
    click.echo(f"token {made.number} for {', '.join(made.scopes)}, {until}; it is not shown again: {text}")


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@settings_option
@data_option
def list_(as_json: bool, file: Path | None, data: str) -> None:
    """All tokens without their secrets, oldest first.

    \b
    Example: firehose token list --json
    Exit codes: 0 fine, 2 settings, or there is no data folder.
    """
    home = settings(file, data).data
    found = opened(home).all()
    if not found:
        click.echo(f"no tokens in {home}; firehose token create makes one", err=True)
    for known in found:
        if as_json:
            click.echo(msgspec.json.encode(brief(known)).decode())
        else:
            until = f"until {known.expires:%Y-%m-%d %H:%M}" if known.expires else "for ever"
            state = f"revoked {known.revoked:%Y-%m-%d %H:%M}" if known.revoked else until
            mark = " " if known.valid(now()) else "x"
            click.echo(f"{known.number:>5} {mark} {state:26} {' '.join(known.scopes)}  {known.name}")


@token.command()
@click.argument("number", type=int)
@settings_option
@data_option
def revoke(number: int, file: Path | None, data: str) -> None:
    """End a token for good, at once, also for a running hub.

    \b
    Example: firehose token revoke 3
    Exit codes: 0 revoked, 1 there is no such valid token, 2 settings, or there is no data folder.
    """
    if not opened(settings(file, data).data).revoke(number):
        raise Refused(f"there is no valid token {number}; firehose token list shows them")
    click.echo(f"token {number} is revoked")


def settings(file: Path | None, data: str) -> Settings:
    """The merged settings."""
    return load(file, os.environ, data=data)[0]


def opened(home: Path) -> Tokens:
    """The tokens of a data folder. `Broken` when it is not there: looking makes none."""
    if not home.is_dir():
        raise Broken(f"hub.data: there is no data folder {home}; --data or --settings says where it is", code=2)
    return Tokens(home / FILE)


def end(text: str) -> datetime:
    """When a token ends: a duration from now on, or a moment."""
    span = moments.duration(text)
    found = moments.read(text, now())
    if span is None and found is None:
        raise Refused(f"--expires: {text!r} is neither a duration such as 90d nor a time", field="expires")
    moment = now() + span if span is not None else found.start if found else now()
    if moment <= now():
        raise Refused(f"--expires: {text} lies in the past", field="expires")
    return moment


def brief(known: Token) -> dict[str, object]:
    """A token for programs."""
    return {**msgspec.to_builtins(known), "valid": known.valid(now())}
