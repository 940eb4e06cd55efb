"""The page of one event: what it says, what it belongs to, its payload, and the way of the thing it is about.

In: a cursor. Out: a page, the card for the inspector, or the way to the event in its source. An event that is
private, redacted or not there has one and the same page, so that the answer tells nothing.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from firehose import cdevents
from firehose.event import Recorded
from firehose.query.tree import Either, Is
from firehose.query.write import write
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import picture
from firehose.web.pages.families import family_of, family_of_subject
from firehose.web.pages.render import fragment, page, sources_of, wants_fragment
from firehose.web.pages.rows import row, rows
from firehose.web.pages.tree import tree

log = structlog.get_logger("pages")
VIEWS: Final = ("payload", "event", "cdevents", "raw")
GRAPH: Final = 400
WORDS: Final = {
    "pipelinerun": "run", "taskrun": "build", "testsuiterun": "test run", "testcaserun": "test", "environment": "node",
    "comment": "discussion", "service": "service", "person": "person",
}  # fmt: skip
"""What a thing is called by the noun of its kind, where the noun itself is no word for people."""
LISTED: Final = 60
RAW: Final = 200_000
"""Longest raw text that a page shows; the API gives all of it."""


@get("/events/{name:str}", include_in_schema=False)
async def event_page(
    request: Request[Any, Any, Any], hub: GivenHub, name: FromPath[str], show: FromQuery[str] = "payload"
) -> Response[Any]:
    """The event with a cursor, or (by redirect) with an id."""
    event = await look(hub, name)
    if event is None:
        return page(hub, "gone.html", "live", {}, status=404)
    if name != str(event.sequence):
        return Redirect(f"/events/{event.sequence}")
    shown = show if show in VIEWS else "payload"
    values = {"event": event, "envelope": event.envelope, "row": row(event, sources_of(hub)), **payload(event, shown)}
    if wants_fragment(request):
        return fragment(hub, "parts/payload.html", values)
    return page(hub, "event.html", "live", values | await around(hub, event))


@get("/events/{name:str}/card", include_in_schema=False)
async def card(hub: GivenHub, name: FromPath[str]) -> Response[str]:
    """The event as the inspector shows it."""
    event = await look(hub, name)
    if event is None:
        return fragment(hub, "parts/gone.html", {}, status=404)
    values = {"event": event, "envelope": event.envelope, "row": row(event, sources_of(hub))}
    return fragment(hub, "parts/card.html", values | {"link": outside(event), "ties": await ties(hub, event)})


@get("/events/{name:str}/source", include_in_schema=False)
async def in_source(hub: GivenHub, name: FromPath[str]) -> Response[Any]:
    """To the event's own page in its source, or to ours when it has none."""
    event = await look(hub, name)
    if event is None:
        return page(hub, "gone.html", "live", {}, status=404)
    return Redirect(outside(event) or f"/events/{event.sequence}")


async def look(hub: Hub, name: str) -> Recorded | None:
    """An event by its cursor, from memory or the history, or by its id."""
    if name.isascii() and name.isdecimal() and len(name) <= 20:
        sequence = int(name)
        held = hub.live.since(sequence - 1, 1) if 0 < sequence <= hub.live.head else None
        if held and held[0].sequence == sequence:
            return held[0]
        return await hub.reader.by_sequence(sequence) if 0 < sequence < 2**63 else None
    found = await hub.reader.by_id(name)
    return found[0] if found else None


def outside(event: Recorded) -> str:
    """The event's address in its source, when that is a web address."""
    link = event.envelope.link
    return link if link.startswith(("https://", "http://")) else ""


def payload(event: Recorded, show: str) -> dict[str, Any]:
    """What the payload card shows: a tree, or text."""
    raw = event.raw
    values: dict[str, Any] = {"show": show, "octets": len(raw), "tree": None, "text": ""}
    try:
        match show:
            case "event":
                values["tree"] = tree(msgspec.json.decode(event.json))
            case "cdevents":
                # Through bytes, because the payload in it is still raw.
                values["tree"] = tree(msgspec.json.decode(msgspec.json.encode(cdevents.convert(event))))
            case "payload" if isinstance(event.data, (dict, list)):
                values["tree"] = tree(event.data)
            case _:
                values["text"] = raw[:RAW].decode("utf-8", "replace")
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        log.warning("a payload is shown raw", sequence=event.sequence, error=repr(error))
        values["text"] = raw[:RAW].decode("utf-8", "replace")
    return values


def root_of(event: Recorded) -> str:
    """What the event's way is about: a change or story that it belongs to, else the thing itself."""
    envelope = event.envelope
    names = [envelope.subject, *envelope.refs.split()]
    for wanted in ("review", "ticket"):
        for name in names:
            if family_of_subject(name) == wanted and ("~" in name or "/" in name) and not name.startswith("topic/"):
                return name
    return envelope.subject


def word_for(root: str, event: Recorded) -> str:
    """What the thing is called: by its name, or by what the event says of it."""
    if root == event.envelope.subject:
        noun = event.envelope.kind.partition(".")[0]
        return WORDS.get(noun, noun if noun.isalpha() else "thing")
    return {"review": "change", "ticket": "story"}.get(family_of_subject(root), "thing")


class Tie(msgspec.Struct, frozen=True):
    """A thing that the event belongs to, with what was last said of it."""

    subject: str
    text: str


async def ties(hub: Hub, event: Recorded) -> list[Tie]:
    """What the event belongs to, each with its newest summary."""
    made: list[Tie] = []
    for name in [ref for ref in event.envelope.refs.split() if ref != event.envelope.subject][:5]:
        try:
            found = await hub.reader.find(Is("subject", name), limit=1)
        except Exception as error:
            log.warning("the history does not answer the inspector", error=repr(error))
            return []
        made.append(Tie(name, found.events[0].envelope.summary if found.events else ""))
    return made


async def around(hub: Hub, event: Recorded) -> dict[str, Any]:
    """The way of the thing, its neighbours in time, and where to follow it."""
    root = root_of(event)
    families = sources_of(hub)
    found: list[Recorded] = []
    earlier = later = None
    broken = False
    try:
        found = await hub.reader.graph(root, limit=GRAPH)
        subject = Is("subject", event.envelope.subject)
        earlier = await hub.reader.find(subject, before=event.sequence, limit=1)
        later = await hub.reader.find(subject, after=event.sequence, descending=False, limit=1)
    except Exception as error:
        log.warning("the history does not answer the event page", error=repr(error))
        broken = True
    near, far = split(found, root)
    if event.sequence not in {one.sequence for one in near}:
        near = [*near, event]
    # Recorded later is not happened later: a source that catches up tells of what was before.
    near.sort(key=lambda one: (one.envelope.time, one.sequence))
    listed = rows(near[-LISTED:], families)
    return {
        "broken": broken,
        "root": root,
        "root_family": family_of_subject(root),
        "word": word_for(root, event),
        "follow": urlencode({"q": write(Either((Is("subject", root), Is("refs", root))))}),
        "link": outside(event),
        "title": next((h.title for h in hub.ledger.report() if h.name == event.name), event.name),
        "family": family_of(event.name, event.envelope.kind, families),
        "picture": picture.draw(near, event.sequence, families, hub.now()),
        "timeline": listed,
        "hidden": len(near) - len(listed),
        "far": far,
        "earlier": _first(earlier),
        "later": _first(later),
    }


def _first(found: Any) -> int:
    return found.events[0].sequence if found is not None and found.events else 0


def split(found: list[Recorded], root: str) -> tuple[list[Recorded], int]:
    """The events of the thing itself and of its runs, and how many more are tied to it more loosely."""

    def names(event: Recorded) -> list[str]:
        return [event.envelope.subject, *event.envelope.refs.split()]

    direct = [event for event in found if root in names(event)]
    runs = {name for event in direct for name in names(event) if name.startswith(("buildset/", "build/", "run/"))}
    near = [event for event in found if root in names(event) or runs.intersection(names(event))]
    return near, len(found) - len(near)
