"""`firehose up` and `firehose run`: a hub until Ctrl-C, and the line that says where it listens.

In: settings. Out: a running app and an exit code. It knows no part of the hub by itself; `app` puts them together.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop

from firehose.app import PARTS, App
from firehose.ops.showing import data_option, settings_option
from firehose.plumbing import collector, log, stacks
from firehose.settings import Settings, load


def settings(file: Path | None, data: str) -> Settings:
    """The merged settings; `Broken` names what is wrong with them."""
    return load(file, os.environ, data=data)[0]


@click.command()
@settings_option
@data_option
def up(file: Path | None, data: str) -> None:
    """Start the hub: engine, sources, recorder, mirror and web in one process tree.

    SIGUSR1 makes a running hub write to standard error where each of its tasks stands.

    \b
    Example: firehose up --settings firehose.toml --data /var/lib/firehose
    Exit codes: 0 stopped, 1 a part failed, 2 settings, 4 machine (a taken port, a locked folder).
    """
    serve(settings(file, data), frozenset(PARTS))


@click.command()
@click.argument("parts", nargs=-1, required=True, type=click.Choice(PARTS))
@settings_option
@data_option
def run(parts: tuple[str, ...], file: Path | None, data: str) -> None:
    """Run some parts only, for a hub on several machines.

    \b
    Example: firehose run web --settings firehose.toml
    """
    serve(settings(file, data), frozenset(parts), apart=False)


def serve(settings: Settings, parts: frozenset[str], *, apart: bool = True) -> None:
    """Run an app until Ctrl-C or SIGTERM."""
    log.configure(settings.hub.log)
    uvloop.run(serving(settings, parts, apart=apart))


async def serving(
    settings: Settings,
    parts: frozenset[str],
    beside: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None = None,
    *,
    apart: bool = True,
) -> None:
    """Serve until the app ends; `beside` runs with it."""
    app = App(settings, parts, apart=apart)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, app.ask_to_stop)
    stacks.on_request(loop)
    await app.start()
    collector.settle()
    click.echo(banner(settings, parts), err=True)
    if beside is not None:
        app.crew.start("simulator", beside(asyncio.Event()))
    try:
        await app.wait()
    finally:
        await app.stop()
    click.echo("firehose: stopped", err=True)


def banner(settings: Settings, parts: frozenset[str]) -> str:
    """The line that says where everything listens."""
    places = [f"pages and API {settings.public_url}/"] if "web" in parts else []
    if "mirror" in parts:
        places.append(f"MQTT mqtt://{settings.mqtt.listen}")
    if "mirror" in parts and settings.mqtt.websocket:
        scheme = "wss" if settings.mqtt.tls_cert else "ws"
        places.append(f"MQTT over WebSocket {scheme}://{settings.mqtt.websocket}/mqtt")
    running = "ready" if parts == set(PARTS) else f"{', '.join(sorted(parts))} ready"
    where = f"{', '.join(places)}. " if places else ""
    return f"firehose: {running}. {where}Data in {settings.data}. Ctrl-C stops it."
