"""`/v1/notify`: a person's notification rules, places, mutes and teams, and rules tried on the past.

In: a person's token (`person:<name>`) or session, JSON. Out: JSON. Secrets of places are never given back, and of an
address that may hold one only what it begins with. What a rule means is decided in `notify/`.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath

from firehose.delivery.books import shown
from firehose.errors import Refused
from firehose.event import rfc3339
from firehose.history.papers import Told
from firehose.notify.desk import DAYS, Desk
from firehose.notify.notifier import Memory
from firehose.notify.rules import Draft, Place, Profile, Spot
from firehose.web import asked, session
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]
_T = TypeVar("_T")
SECRET: Final = ("apprise", "webhook", "push")
"""Kinds of places whose address may hold a secret."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to be tried. days: how far back; id: the rule that it is a change of."""

    rule: Draft
    days: int = DAYS
    id: str = ""


class Thread(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thread to be muted. hours: 0 is for good."""

    subject: str
    hours: float = 0


class Members(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is in a team; none is its end."""

    members: tuple[str, ...]


@get("/v1/notify")
async def everything(request: Asked, hub: GivenHub) -> Response[Any]:
    """All that is the person's."""
    kept = await desk(hub).kept(session.person(request, hub))
    return _json({
        "person": kept.person, "teams": kept.teams, "rules": kept.rules, "mutes": kept.mutes,
        "places": [public(place) for place in kept.places], "kinds": desk(hub).carriers.kinds(),
    })  # fmt: skip


@put("/v1/notify/person")
async def save_person(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep names, time zone and hours."""
    name = session.person(request, hub)
    return _json(await desk(hub).save_person(name, await body(request, Profile)))


@post("/v1/notify/rules", status_code=201)
async def new_rule(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep a rule."""
    name = session.person(request, hub)
    return _json(await desk(hub).save_rule(name, await body(request, Draft)), 201)


@put("/v1/notify/rules/{id_:str}")
async def save_rule(request: Asked, hub: GivenHub, id_: FromPath[str]) -> Response[Any]:
    """Keep a rule in place of the one before."""
    name = session.person(request, hub)
    return _json(await desk(hub).save_rule(name, await body(request, Draft), id_))


@delete("/v1/notify/rules/{id_:str}", status_code=200)
async def drop_rule(request: Asked, hub: GivenHub, id_: FromPath[str]) -> Response[Any]:
    """Throw a rule away."""
    await desk(hub).drop_rule(session.person(request, hub), id_)
    return _json({"id": id_, "removed": True})


@post("/v1/notify/try", status_code=200)
async def attempt(request: Asked, hub: GivenHub) -> Response[Any]:
    """What a rule would have said."""
    name = session.person(request, hub)
    given = await body(request, Attempt)
    return _json(await desk(hub).attempt(name, given.rule, given.days, given.id))


@post("/v1/notify/places", status_code=201)
async def new_place(request: Asked, hub: GivenHub) -> Response[Any]:
    """Keep a place; mail addresses and nicks get a message with a link that confirms them."""
    name = session.person(request, hub)
    return _json(public(await desk(hub).save_place(name, await body(request, Spot))), 201)


@delete("/v1/notify/places/{id_:str}", status_code=200)
async def drop_place(request: Asked, hub: GivenHub, id_: FromPath[str]) -> Response[Any]:
    """Forget a place."""
    await desk(hub).drop_place(session.person(request, hub), id_)
    return _json({"id": id_, "removed": True})


@post("/v1/notify/places/{id_:str}/test", status_code=200)
async def try_place(request: Asked, hub: GivenHub, id_: FromPath[str]) -> Response[Any]:
    """Send a test, or the confirming message once more; a place that was stopped is tried again."""
    return _json(public(await desk(hub).try_place(session.person(request, hub), id_)))


@post("/v1/notify/mutes", status_code=201)
async def mute(request: Asked, hub: GivenHub) -> Response[Any]:
    """Hear nothing more of a thread."""
    name = session.person(request, hub)
    given = await body(request, Thread)
    return _json(await desk(hub).mute(name, given.subject, given.hours), 201)


@delete("/v1/notify/mutes/{id_:str}", status_code=200)
async def unmute(request: Asked, hub: GivenHub, id_: FromPath[str]) -> Response[Any]:
    """Hear of it again."""
    await desk(hub).unmute(session.person(request, hub), id_)
    return _json({"id": id_, "removed": True})


@put("/v1/notify/teams/{team:str}")
async def save_team(request: Asked, hub: GivenHub, team: FromPath[str]) -> Response[Any]:
    """Make a team, change who is in it, or end it."""
    name = session.person(request, hub)
    return _json(await desk(hub).save_team(name, team, (await body(request, Members)).members))


@get("/v1/notify/told")
async def told(request: Asked, hub: GivenHub) -> Response[Any]:
    """What the person was told last, newest first."""
    name = session.person(request, hub)
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("limit",))
    found = await desk(hub).told(name, limit=asked.number(given, "limit", 50, least=1, most=500))
    return _json({"told": [remembered(one, hub) for one in found]})


@get("/v1/notify/push-key", sync_to_thread=False)
def push_key(hub: GivenHub) -> Response[Any]:
    """The key that browsers subscribe for (VAPID)."""
    return _json({"key": desk(hub).vapid.public})


@post("/v1/notify/stop/{word:str}", status_code=200)
async def stop(hub: GivenHub, word: FromPath[str]) -> Response[Any]:
    """Stop what sent a message, by one request of a mail program (RFC 8058). The link is the permission."""
    await desk(hub).stop(word)
    return _json({"stopped": True})


@get("/v1/notify/stop/{word:str}")
async def ask_stop(hub: GivenHub, word: FromPath[str]) -> Response[Any]:
    """Looking stops nothing: to the page that asks."""
    desk(hub).links.read(word)
    return Response(b"", status_code=303, headers={"location": desk(hub).links.why(word), "cache-control": "no-store"})


def desk(hub: Hub) -> Desk:
    """The hub's desk; `Refused` (404) where it has none."""
    if hub.desk is None:
        raise Refused("this hub keeps no notification rules", slug="no-rules", status=404)
    return hub.desk


async def body(request: Asked, type_: type[_T]) -> _T:
    """A request's JSON; `Refused` names the field that is wrong."""
    raw = await request.body()
    if len(raw) > 64 * 1024:
        raise Refused("at most 64 KiB", slug="too-large", status=413)
    try:
        return msgspec.json.decode(raw, type=type_)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise Refused(text, slug="bad-field", field=path.rstrip("`").lstrip(".")) from None
    except msgspec.DecodeError as error:
        raise Refused(f"the body is not JSON: {error}", slug="bad-json") from None


def public(place: Place) -> dict[str, object]:
    """A place as its owner sees it: without what may be secret."""
    to = shown(place.to) if place.kind in SECRET else place.to
    return {
        "id": place.id, "owner": place.owner, "kind": place.kind, "title": place.title, "to": to,
        "signed": bool(place.secret) and place.kind == "webhook", "state": place.state, "why": place.why,
    }  # fmt: skip


def remembered(one: Told, hub: Hub) -> dict[str, object]:
    """What somebody was told, as it is shown."""
    memory = msgspec.json.decode(one.body, type=Memory)
    return {
        "place": one.place, "sequence": f"{one.sequence:020d}", "time": rfc3339(one.time), "message": one.message,
        "summary": memory.title, "kind": memory.kind, "subject": memory.subject, "rules": memory.rules,
        "event": f"{hub.settings.public_url}/events/{one.sequence:020d}", "why": desk(hub).links.why(memory.word),
    }  # fmt: skip


def _json(value: object, status: int = 200) -> Response[Any]:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json",
                    headers={"cache-control": "private, no-store", "vary": "authorization, cookie"})  # fmt: skip


HANDLERS: Final[list[Any]] = [
    everything, save_person, new_rule, save_rule, drop_rule, attempt, new_place, drop_place, try_place, mute, unmute,
    save_team, told, push_key, stop, ask_stop,
]  # fmt: skip
