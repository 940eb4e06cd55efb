"""`firehose demo`: a hub and the simulated world that talks to it."""

from __future__ import annotations

import os
from pathlib import Path

import click
import uvloop

from firehose.app import PARTS
from firehose.ops.serving import serving, settings
from firehose.plumbing import folder, log
from firehose.settings import Settings
from firehose.simulator.demo import RATE, Demo, addresses


@click.command()
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
    found = settings(file or Path(os.devnull), here)
    log.configure(found.hub.log)
    folder.make(found.data)
    uvloop.run(_demo(found, Demo(found.data / "simulator", seed=seed), rate))


async def _demo(settings: Settings, played: Demo, rate: float) -> None:
    async with played.stage:
        staged = played.configured(settings)
        await serving(staged, frozenset(PARTS), beside=lambda stop: played.run(addresses(staged), stop, rate=rate))
