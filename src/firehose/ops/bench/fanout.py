"""A burst to 1,000 MQTT subscribers at QoS 0, through the hub from its HTTP door on, against Mosquitto fed directly."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from firehose.errors import Broken
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.senders import batches
from firehose.ops.bench.stand import Heard, Subscribers, hub, mosquitto, publish

READERS: Final = 1_000
EVENTS: Final = 500
SIZE: Final = 600
TURNS: Final = 3


def run(scale: int) -> Sequence[Line]:
    """The median of three bursts each, ours and theirs in alternation; `scale` multiplies the burst."""
    count = EVENTS * scale
    ours, theirs = [], []
    with hub() as stand, mosquitto() as port:
        for _ in range(TURNS):
            subscribers = Subscribers(stand.mqtt, READERS, "events/inbox/#", expect=count * READERS, seconds=90)
            batches(stand, count, SIZE)
            ours.append(whole(subscribers.result(), count))
            subscribers = Subscribers(port, READERS, "bench/#", expect=count * READERS, seconds=90)
            publish(port, "bench/x/y", SIZE, count, 0)
            theirs.append(subscribers.result().rate)
    value, rival = statistics.median(ours), statistics.median(theirs)
    ratio = value / rival
    note = f"QoS 0, {READERS:,} subscribers, burst of {count:,}; rival: Mosquitto fed directly (≥ 3 ×)"
    return [
        Line("fanout", value, "deliveries/s", 300_000, rival, ratio, value >= 300_000 and ratio >= 3, note),
    ]


def whole(heard: Heard, count: int) -> float:
    """The rate, if nothing was lost."""
    if heard.got != count * READERS or heard.closed:
        raise Broken(f"{heard.got:,} of {count * READERS:,} delivered, {heard.closed} readers cut", code=1)
    return heard.rate


MEASURES: Final = (Measure("fanout", "a burst to 1,000 MQTT subscribers", 30, run),)
