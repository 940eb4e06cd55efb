"""The command line: parses, then calls `app` or `ops`. Each command's help has an example; errors go to standard
error with the next step, and the exit code says what kind (0 fine, 1 failed, 2 settings or usage, 3 data, 4 machine).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop

from firehose import __version__
from firehose.app import PARTS, App
from firehose.errors import Broken, FirehoseError
from firehose.ops import again, doctor, explaining, outgoing, reading, showing, tokens_cli, verify
from firehose.ops.bench.command import bench
from firehose.ops.showing import data_option, settings_option
from firehose.plumbing import collector, log
from firehose.settings import Settings, load
from firehose.simulator.demo import RATE, Demo, addresses


class Context:
    """What every command may need: the settings, read when first asked for."""

    def __init__(self, file: Path | None, data: str) -> None:
        self.file = file
        self.data = data

    def settings(self) -> Settings:
        """The merged settings; `Broken` names what is wrong with them."""
        return load(self.file, os.environ, data=self.data)[0]


class Command(click.Group):
    """Turns our errors into a sentence and an exit code; a stack trace is never what a user sees."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Broken as error:
            click.echo(f"firehose: {error.detail}", err=True)
            ctx.exit(error.code)
        except FirehoseError as error:
            click.echo(f"firehose: {error.detail}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="firehose")
def main() -> None:
    """Firehose: the event hub of a project's infrastructure.

    \b
    firehose up                      start a hub here
    firehose demo                    a hub with a small simulated world
    firehose tail 'events/#'         watch a hub
    firehose search kind:change.merged --since 1d
    """


@main.command()
@settings_option
@data_option
def up(file: Path | None, data: str) -> None:
    """Start the hub: engine, sources, recorder, mirror and web in one process tree.

    \b
    Example: firehose up --settings firehose.toml --data /var/lib/firehose
    Exit codes: 0 stopped, 1 a part failed, 2 settings, 4 machine (a taken port, a locked folder).
    """
    serve(Context(file, data).settings(), frozenset(PARTS))


@main.command()
@click.argument("parts", nargs=-1, required=True, type=click.Choice(PARTS))
@settings_option
@data_option
def run(parts: tuple[str, ...], file: Path | None, data: str) -> None:
    """Run some parts only, for a hub on several machines.

    \b
    Example: firehose run web --settings firehose.toml
    """
    serve(Context(file, data).settings(), frozenset(parts), apart=False)


@main.command()
@click.option(
    "--settings", "file", type=click.Path(path_type=Path), help="Settings file to start from [default: none]."
)
@click.option("--data", default="", help="Data folder [default: ./firehose-demo].")
@click.option("--rate", type=click.FloatRange(0.2, 2_000), default=RATE, show_default=True, help="Deliveries a second.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another number, another world.")
def demo(file: Path | None, data: str, rate: float, seed: int) -> None:
    """Start a hub and a small simulated world that talks to it: Gerrit over SSH, webhooks, Zuul over MQTT.

    It reads no ./firehose.toml, and its data go to ./firehose-demo, so that no real hub is mixed with it.

    \b
    Example: firehose demo --rate 5
    Exit codes: 0 stopped, 1 a part failed, 2 settings, 4 machine (a taken port, a locked folder).
    """
    here = data or os.environ.get("FIREHOSE_HUB__DATA", "firehose-demo")
    settings = Context(file or Path(os.devnull), here).settings()
    log.configure(settings.hub.log)
    uvloop.run(_demo(settings, Demo(settings.data / "simulator", seed=seed), rate))


async def _demo(settings: Settings, played: Demo, rate: float) -> None:
    async with played.stage:
        staged = played.configured(settings)
        await _serve(staged, frozenset(PARTS), beside=lambda stop: played.run(addresses(staged), stop, rate=rate))


def serve(settings: Settings, parts: frozenset[str], *, apart: bool = True) -> None:
    """Run an app until Ctrl-C or SIGTERM."""
    log.configure(settings.hub.log)
    uvloop.run(_serve(settings, parts, apart=apart))


async def _serve(
    settings: Settings,
    parts: frozenset[str],
    beside: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None = None,
    *,
    apart: bool = True,
) -> None:
    app = App(settings, parts, apart=apart)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, app.ask_to_stop)
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


for command in (
    reading.tail,
    reading.search,
    reading.publish,
    reading.quarantine,
    outgoing.sinks,
    outgoing.dead,
    again.capture_command,
    again.replay_command,
    showing.settings,
    showing.engine_config,
    explaining.explain_command,
    doctor.doctor,
    bench,
    tokens_cli.token,
    verify.verify,
):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
