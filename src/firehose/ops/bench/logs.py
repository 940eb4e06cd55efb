"""The stream's latency with and without a flood of log lines beside it, in one run, and whether the flood adds up.

From a signed webhook to the MQTT message, 100 a second, ten readers, in turns of a minute: quietly, and while 50,000
lines a second come to the log room of the same hub. The rival is the same hub without the flood.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from firehose.access.tokens import Tokens
from firehose.bus.engine import free_port
from firehose.errors import Broken
from firehose.ops.bench.latency import RATE, through_hub
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.stand import Heard, Stand, hub, pause, request

READERS: Final = 10
LINES: Final = 50_000
ROUNDS: Final = 3
MINUTE: Final = 60
AHEAD: Final = 2.0
"""Seconds that the flood runs before the latency is measured."""
REACH: Final = 1.25
"""How much longer an event may take beside the flood."""


class Sent(msgspec.Struct, frozen=True):
    """What the flood's sender knows."""

    sent: int
    seconds: float


def run(scale: int) -> Sequence[Line]:
    """Latency beside the flood, against latency without it, in turns; lines a second; lines that do not add up."""
    port, rate = free_port(), LINES * scale
    setting = {
        "FIREHOSE_SOURCES__LOGS__KIND": "logs",
        "FIREHOSE_SOURCES__LOGS__LISTEN": f"127.0.0.1:{port}",
        "FIREHOSE_SOURCES__LOGS__READERS": "everybody",
    }
    quiet: list[Heard] = []
    beside: list[Heard] = []
    sent: list[Sent] = []
    with hub(None, **setting) as stand:
        tokens = Tokens(stand.data / "access.sqlite")
        token, _ = tokens.create(["publish:logs"], name="flood")
        tokens.close()
        through_hub(stand, READERS, RATE)  # the first events meet cold caches
        for _ in range(ROUNDS):
            quiet.append(through_hub(stand, READERS, RATE, MINUTE * RATE))
            heard, flood = beside_flood(stand, (port, token), rate)
            beside.append(heard)
            sent.append(flood)
        total = sum(flood.sent for flood in sent)
        missing = total - counted(stand)
    lines = []
    for name in ("p50", "p99"):
        value = median(getattr(heard, name) for heard in beside)
        rival = median(getattr(heard, name) for heard in quiet)
        note = f"webhook in to MQTT out, {RATE} events/s beside {rate:,} log lines/s, median of {ROUNDS} turns of "
        note += f"{MINUTE} s; rival: the same hub without them, in turns"
        lines.append(
            Line(f"log-flood {name}", value, "ms", rival * REACH, rival, rival / value, value <= rival * REACH, note)
        )
    taken = total / sum(flood.seconds for flood in sent)
    note = f"log lines taken, counted and answered, of {rate:,} sent a second"
    lines.append(Line("log-flood lines", taken, "lines/s", 0.95 * rate, ok=taken >= 0.95 * rate, note=note))
    note = f"of {total:,} answered lines, those that are not in the counts, or are there twice"
    lines.append(Line("log-flood missing", float(abs(missing)), "lines", 0.0, ok=missing == 0, note=note))
    return lines


def beside_flood(stand: Stand, where: tuple[int, str], rate: int) -> tuple[Heard, Sent]:
    """What the readers saw while the flood came, and what its sender knows."""
    port, token = where
    seconds = MINUTE + 2 * AHEAD
    command = [sys.executable, "-m", "firehose.ops.bench.flood", str(port), token, str(rate), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as sender:  # noqa: S603
        pause(AHEAD)
        heard = through_hub(stand, READERS, RATE, MINUTE * RATE)
        out, _ = sender.communicate()
    return heard, msgspec.json.decode(out, type=Sent)


def counted(stand: Stand) -> int:
    """Lines in the log room's counts; `Broken` where kept and over do not make them up."""
    status, body = request(stand.http, "GET", "/v1/logs/logs")
    if status != 200:
        raise Broken(f"the log room does not answer: {status} {body[:200].decode('utf-8', 'replace')}", code=1)
    total = msgspec.json.decode(body)["counts"]["flood"]
    if total["kept_lines"] + total["over_lines"] != total["lines"]:
        raise Broken(f"counts that do not add up: {total}", code=1)
    return int(total["lines"])


MEASURES: Final = (Measure("log-flood", "the stream's latency beside 50,000 log lines a second", 400, run),)
