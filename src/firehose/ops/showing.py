"""Commands about the set-up itself: `settings`, `engine-config`. They start nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from firehose import sink as sink_kinds
from firehose import source as source_kinds
from firehose.bus.engine_config import EngineConfig, Producer, render
from firehose.settings import Origins, Settings, load, secret

settings_option = click.option(
    "--settings", "file", type=click.Path(path_type=Path), help="Settings file [default: ./firehose.toml if present]."
)
data_option = click.option("--data", default="", help="Data folder [default: ./firehose-data].")


@click.command("settings")
@click.option("--explain", is_flag=True, help="Also say what each setting means.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_option
@data_option
def settings(explain: bool, as_json: bool, file: Path | None, data: str) -> None:
    """The merged settings, and where each value comes from.

    \b
    Example: FIREHOSE_HTTP__LISTEN=0.0.0.0:80 firehose settings --explain
    Exit code 2 when a setting is wrong; the text names the nearest right one. Secrets are not read here, so that
    settings can be looked at where they are not; firehose doctor reads them.
    """
    from firehose.checks import misfits  # not at the top: it knows the whole hub, and every command imports this module

    merged, origins = load(file, os.environ, data=data)
    if as_json:
        rows = flat(merged)
        click.echo(json.dumps({key: {"value": value, "origin": origin(key, origins)} for key, value in rows}))
    else:
        _print(merged, origins, explain)
    found = list(misfits(merged))
    for fault in found:
        click.echo(f"firehose: {fault.detail}", err=True)
    if found:
        sys.exit(2)


def _print(merged: Settings, origins: Origins, explain: bool) -> None:
    section = ""
    for key, value in flat(merged):
        head = key.rpartition(".")[0]
        if head != section:
            section = head
            click.echo(f"\n[{section}]")
            if explain:
                for line in meaning(merged, section):
                    click.echo(f"# {line}")
        click.echo(f"{key.rpartition('.')[2]} = {json.dumps(value)}   # {origin(key, origins)}")


def flat(merged: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting with its dotted name."""
    plain: dict[str, Any] = msgspec.to_builtins(merged)
    for section, table in plain.items():
        if section in ("sources", "sinks"):
            for name, inner in table.items():
                yield from ((f"{section}.{name}.{key}", value) for key, value in inner.items())
        else:
            yield from ((f"{section}.{key}", value) for key, value in table.items())


def origin(key: str, origins: Origins) -> str:
    """Where a value comes from; a list of tables is noted under its own name."""
    return origins.get(key, "default")


def meaning(merged: Settings, section: str) -> list[str]:
    """The words of a section's settings type."""
    room, _, name = section.partition(".")
    owner: Any
    if room in ("sources", "sinks"):
        known: Any = source_kinds if room == "sources" else sink_kinds
        owner = known.load(getattr(merged, room)[name].kind).settings
        bases = [base for base in owner.__mro__ if base.__doc__ and base.__module__.startswith("firehose.")]
        return [line.strip() for base in bases for line in base.__doc__.splitlines() if line.strip()]
    owner = type(getattr(merged, section))
    return [line.strip() for line in (owner.__doc__ or "").splitlines() if line.strip()]


@click.command("engine-config")
@click.option("--name", default="firehose-1", show_default=True, help="This server's name in the cluster.")
@click.option("--listen", default="0.0.0.0:4222", show_default=True, help="NATS address.")
@click.option("--store", default="/var/lib/nats", show_default=True, help="Folder for the streams.")
@click.option("--cluster", default="", help="Cluster address of this server, such as 0.0.0.0:6222.")
@click.option("--route", "routes", multiple=True, help="Cluster address of another server; repeat.")
@settings_option
def engine_config(name: str, listen: str, store: str, cluster: str, routes: tuple[str, ...], file: Path | None) -> None:
    """The nats-server configuration for engines that you run yourself.

    \b
    Example, for one of three servers:
      firehose engine-config --name a --cluster 0.0.0.0:6222 --route b:6222 --route c:6222 > a.conf
    Then set engine.urls and engine.replicas = 3. engine.secret_file holds the hub's password.
    """
    merged, _ = load(file, os.environ)
    password = secret(merged.engine).decode()
    if not password:
        raise click.UsageError("set engine.secret_file (or engine.secret_env) first: the hub's password on the servers")
    producers = tuple(
        Producer(login.user, secret(login).decode(), login.source, login.own_topics) for login in merged.mqtt.logins
    )
    config = EngineConfig(
        name=name, folder=Path(store), nats=listen, mqtt=merged.mqtt.listen, websocket=merged.mqtt.websocket,
        websocket_cert=merged.mqtt.tls_cert, websocket_key=merged.mqtt.tls_key, sync=merged.engine.sync,
        hub_password=password, mirror_password=password, producers=producers, cluster=cluster, routes=routes,
    )  # fmt: skip
    click.echo(render(config), nl=False)
