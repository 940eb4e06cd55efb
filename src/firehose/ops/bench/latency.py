"""From a signed webhook to the MQTT message at its readers, durable on the way; beside it Mosquitto fed directly.

The clock starts before the request is written and stops when a subscriber has the message. The rival stores nothing,
verifies nothing and translates nothing: it is the least that the network and a broker cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from firehose.errors import Broken
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.senders import webhooks
from firehose.ops.bench.stand import Heard, Stand, Subscribers, hub, mosquitto, publish

RATE: Final = 100
EVENTS: Final = 800
WARM: Final = 50
TOPICS: Final = "events/github/#"
SIZE: Final = 600
REACH: Final = {10: (8.0, 25.0), 800: (25.0, 60.0)}


def through_hub(stand: Stand, readers: int, rate: int, events: int = EVENTS) -> Heard:
    """What the readers of a hub saw."""
    # What is still on its way from the first events would be counted with the others.
    warm = Subscribers(stand.mqtt, 1, TOPICS, expect=WARM, seconds=60)
    asyncio.run(webhooks(stand, WARM, rate))
    warm.result()
    subscribers = Subscribers(stand.mqtt, readers, TOPICS, expect=events * readers, seconds=60 + events / rate)
    accepted = asyncio.run(webhooks(stand, events, rate, SIZE))
    heard = subscribers.result()
    if accepted != events or heard.got != events * readers:
        raise Broken(f"{accepted} of {events} events accepted, {heard.got} of {events * readers} delivered", code=1)
    return heard


def through_mosquitto(port: int, readers: int, rate: int) -> Heard:
    """What the readers of the rival saw."""
    subscribers = Subscribers(port, readers, "bench/#", expect=EVENTS * readers, seconds=60)
    publish(port, "bench/x/y", SIZE, EVENTS, rate)
    return subscribers.result()


def run(scale: int) -> Sequence[Line]:
    """Two lines for each number of readers; `scale` multiplies the rate."""
    lines: list[Line] = []
    with hub() as stand, mosquitto() as port:
        for readers, reaches in REACH.items():
            ours = through_hub(stand, readers, RATE * scale)
            theirs = through_mosquitto(port, readers, RATE * scale)
            for name, value, rival, reach in (
                ("p50", ours.p50, theirs.p50, reaches[0]), ("p99", ours.p99, theirs.p99, reaches[1]),
            ):  # fmt: skip
                note = f"webhook in to MQTT out, {RATE * scale} events/s; rival: Mosquitto fed directly, nothing stored"
                lines.append(
                    Line(f"latency {readers} {name}", value, "ms", reach, rival, rival / value, value <= reach, note)
                )
    return lines


MEASURES: Final = (Measure("latency", "signed webhook in to MQTT out, 10 and 800 readers", 45, run),)
