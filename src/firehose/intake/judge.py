"""The verdict on one delivery: pure, no bus, no clock. The gate acts on it.

In: a delivery and its source instance. Out: `Accepted` (messages ready for the stream), `Left` (ignored by list),
`Unknown`, or `Invalid` (a shape that the source cannot read). Whatever a source raises beyond its contract is booked
as invalid, too: the hub never crashes on a sender's data.
"""

from __future__ import annotations

from typing import Any

import msgspec

from firehose import subject as subjects
from firehose.bus.contract import Message
from firehose.errors import Broken, Refused, UnknownKind
from firehose.event import Event, encode
from firehose.intake.instance import Instance
from firehose.intake.redact import redact, scrub
from firehose.source import MAX_BODY, Delivery, Ignored


class Accepted(msgspec.Struct, frozen=True):
    """Events, with the message for each."""

    events: tuple[Event, ...]
    messages: tuple[Message, ...]


class Left(msgspec.Struct, frozen=True):
    """Known, and by the source's own list not an event."""

    kind: str


class Unknown(msgspec.Struct, frozen=True):
    """A kind that nobody mapped or ignored."""

    kind: str
    detail: str


class Invalid(msgspec.Struct, frozen=True):
    """Verified, but unreadable: the problem to answer with."""

    problem: Refused


Judgement = Accepted | Left | Unknown | Invalid


def judge(delivery: Delivery, instance: Instance) -> Judgement:
    """What becomes of a delivery."""
    if len(delivery.body) > instance.kind.most:
        return Invalid(too_large(len(delivery.body)))
    try:
        verdict = instance.kind.read(delivery, instance.settings)
        if isinstance(verdict, Ignored):
            return Left(verdict.kind)
        return _accept(list(verdict), instance)
    except UnknownKind as error:
        return Unknown(error.kind, error.detail)
    except Refused as error:
        return Invalid(error)
    except (Broken, MemoryError):
        raise
    except Exception as error:
        return Invalid(unreadable(instance, error))


def _accept(events: list[Event], instance: Instance) -> Accepted:
    settings: Any = instance.settings
    out: list[Event] = []
    messages: list[Message] = []
    for event in events:
        if settings.audience and not event.audience:
            event = msgspec.structs.replace(event, audience=settings.audience)
        clean = redact(event, addresses=settings.redact and not event.audience, hidden=instance.kind.hidden)
        if clean.detail and settings.redact:
            clean = msgspec.structs.replace(clean, detail=scrub(clean.detail))
        topic = subjects.topic(instance.name, clean.kind, clean.project, clean.audience)
        messages.append(Message(subjects.to_nats(topic), clean.identity, encode(instance.name, clean)))
        out.append(clean)
    return Accepted(tuple(out), tuple(messages))


def too_large(size: int) -> Refused:
    """The problem of a body over the limit."""
    return Refused(
        f"the body has {size:,} bytes, the limit is {MAX_BODY:,}; send less, or a link to the bulk",
        slug="too-large",
        status=413,
    )


def unreadable(instance: Instance, error: Exception) -> Refused:
    """The problem when a source stumbled over a payload: the sender learns the kind of failure, not our stack.

    The error itself is the problem's `__cause__`, for the log."""
    problem = Refused(
        f"the {instance.kind.title} source cannot read this payload ({type(error).__name__}); it is kept in quarantine",
        slug="unreadable",
        status=422,
    )
    problem.__cause__ = error
    return problem
