"""What the palette finds: an event by its cursor or id, things by name, projects, people, sources.

In: a few typed characters. Out: groups of options as JSON, few and quick. The palette itself adds commands and rooms.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from litestar import Response, get
from litestar.params import FromQuery

from firehose.event import Recorded
from firehose.query.tree import Like, Node, Text
from firehose.query.words import words
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import wording
from firehose.web.pages.event import look
from firehose.web.pages.families import family_of
from firehose.web.pages.known import known, lookup
from firehose.web.pages.render import sources_of

log = structlog.get_logger("pages")
MOST: Final = 5
LONGEST: Final = 200
FIELDS: Final = (("project", "forge"), ("actor", "person"), ("source", "sources"), ("kind", "tag"))
NO_STORE: Final = {"Cache-Control": "no-store"}


@get("/pages/jump", include_in_schema=False)
async def jump(hub: GivenHub, q: FromQuery[str] = "") -> Response[dict[str, Any]]:
    """Where one may want to go."""
    typed = " ".join(q.split())[:LONGEST]
    if not typed:
        return Response({"groups": []}, headers=NO_STORE)
    things, note = await things_named(hub, typed)
    groups = [
        {"title": "Changes, builds, events", "options": things},
        {"title": "Projects, people, sources, kinds", "options": await values_named(hub, typed)},
    ]
    return Response({"groups": [group for group in groups if group["options"]], "note": note}, headers=NO_STORE)


async def things_named(hub: Hub, typed: str) -> tuple[list[dict[str, str]], str]:
    """Events with this cursor, id, subject or words; each thing once."""
    found: list[Recorded] = []
    try:
        direct = (
            await look(hub, typed.replace(" ", "")) if " " not in typed or typed.replace(" ", "").isdecimal() else None
        )
        found += [direct] if direct else []
        nodes: list[Node] = []
        if " " not in typed and not set(typed) & set("*?\\"):
            nodes.append(Like("subject", f"*{typed}") if typed[-1].isdigit() else Like("subject", f"{typed}*"))
        if said := words(typed):
            nodes.append(Text(tuple(said), prefix=True))
        pages = await asyncio.gather(*(hub.reader.find(node, limit=30) for node in nodes))
        found += [event for one in pages for event in one.events]
    except Exception as error:
        log.warning("the history does not answer the palette", error=repr(error))
        return [], "The history does not answer"
    families, seen, options = sources_of(hub), set(), []
    for event in found:
        envelope = event.envelope
        if envelope.subject in seen:
            continue
        seen.add(envelope.subject)
        options.append(option(event, families))
    return options[:MOST], ""


def option(event: Recorded, families: dict[str, str]) -> dict[str, str]:
    """An event as a line of the palette."""
    envelope = event.envelope
    family = family_of(event.name, envelope.kind, families)
    return {
        "icon": family,
        "family": family,
        "id": short(envelope.subject),
        "text": envelope.summary or envelope.subject,
        "why": " · ".join(part for part in (envelope.project.rpartition("/")[2], envelope.kind) if part),
        "href": f"/events/{event.sequence}",
    }


def short(subject: str) -> str:
    """The number of a change, the beginning of a long id."""
    name = subject.rpartition("~")[2] if "~" in subject else subject.rpartition("/")[2]
    return name[:12]


async def values_named(hub: Hub, typed: str) -> list[dict[str, str]]:
    """Values of fields that hold the text."""
    values = await known(hub)
    options: list[dict[str, str]] = []
    for field, icon in FIELDS:
        for value, count in lookup(values, field, typed)[:2]:
            query = urlencode({"q": f'{field}:"{value}"' if " " in value else f"{field}:{value}"})
            why = f"{field}, {wording.number(count)} this week"
            options.append({"icon": icon, "text": value, "why": why, "href": f"/search?{query}"})
    return options
