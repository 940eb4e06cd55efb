"""What producers hand in over NATS: a request to `in.<source>.<anything>`, answered when the event is on disk.

In: a login's messages. Out: deliveries to the gate, and the answer: the members of the HTTP answer, and those of a
JetStream acknowledgement, so that `request()` and `js.publish()` of any NATS client both work. A refusal is a problem
object with JetStream's `error` in it. A sender that waits for no answer is promised nothing. Invariant 1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog

from firehose.bus.engine_config import Producer
from firehose.errors import Refused, TryLater
from firehose.intake.gate import Receipt
from firehose.plumbing.clock import Now
from firehose.source import Delivery

log = structlog.get_logger("inbound")
STREAM = "events"
Deliver = Callable[[Delivery], Awaitable[Receipt]]


class Requests:
    """The requests of one login; `handle` is given to `bus.requests.serve`."""

    def __init__(self, producer: Producer, deliver: Deliver, clock: Now) -> None:
        self._source = producer.source
        self._deliver = deliver
        self._clock = clock

    async def handle(self, topic: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """What the sender is told."""
        delivery = Delivery(
            source=self._source, body=body, topic=topic, channel="nats", headers=dict(headers), received=self._clock()
        )
        try:
            return msgspec.json.encode(accepted(await self._deliver(delivery)))
        except Refused as problem:
            log.info("refused", source=self._source, topic=topic, detail=problem.detail)
            members = {"field": problem.field} if problem.field else {}
            return msgspec.json.encode({**refused(problem.status, problem.slug, problem.detail), **members})
        except TryLater as error:
            return msgspec.json.encode({**refused(503, "try-later", error.detail), "after": error.after})


def accepted(receipt: Receipt) -> dict[str, Any]:
    """The answer to what was taken in. `seq` is 0 where nothing new came of it."""
    found: dict[str, Any] = {
        "stream": STREAM,
        "seq": receipt.sequences[0] if receipt.sequences else 0,
        "duplicate": receipt.verdict == "duplicate",
        "verdict": receipt.verdict,
    }
    if receipt.ids:
        found["events"] = [
            {"id": id_, "sequence": f"{sequence:020d}"}
            for id_, sequence in zip(receipt.ids, receipt.sequences, strict=True)
        ]
        found |= found["events"][0]
    if receipt.quarantine:
        found["quarantine"] = receipt.quarantine
    return found


def refused(status: int, slug: str, detail: str) -> dict[str, Any]:
    """The answer to what was not: a problem, and the same as JetStream's clients read it."""
    return {
        "type": f"/problems/{slug}",
        "status": status,
        "detail": detail,
        "error": {"code": status, "err_code": 0, "description": detail},
    }
