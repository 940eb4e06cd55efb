"""Where a message's links lead: why did I get this, less of this, stop; and the page that confirms a place.

In: a link that the hub made; looking changes nothing, a button does. Out: small pages. No login: whoever has the
message may lessen or stop what sent it. And the script that shows push messages in the background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.params import FromPath

from firehose.errors import Refused
from firehose.event import Recorded
from firehose.notify.rules import Place
from firehose.query.write import quoted
from firehose.web.api.notify import desk, public
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages.notify import fields
from firehose.web.pages.render import page

Asked = Request[Any, Any, Any]
WORKER: Final = Path(__file__).resolve().parent.parent / "static" / "js" / "notify-worker.js"


@get("/notify/why/{word:str}", include_in_schema=False)
async def why(hub: GivenHub, word: FromPath[str]) -> Response[str]:
    """Why a message came, and what can be done about it."""
    return await explained(hub, word, "")


@post("/notify/why/{word:str}", include_in_schema=False, status_code=200)
async def less(request: Asked, hub: GivenHub, word: FromPath[str]) -> Response[str]:
    """Less of it, or nothing more. A mail program's own request (RFC 8058) names no act: it means stop."""
    own, act = desk(hub), (await fields(request)).get("act", "stop")
    reason, _, _ = await own.why(word)
    event = await hub.reader.by_sequence(reason.sequence)
    match act:
        case "stop":
            await own.stop(word)
            done = "These rules tell you nothing more."
        case "daily":
            await own.later(word)
            done = "From now on they come together, once a day."
        case "thread" if event is not None:
            await own.quiet_thread(word, event.envelope.subject)
            done = "You hear nothing more of this thread."
        case "kind" | "project" if event is not None:
            value = getattr(event.envelope, act)
            await own.narrow(word, f"{act}:{quoted(value)}")
            done = f"The rules leave out {act}:{value} from now on."
        case _:
            raise Refused(f"there is no {act[:20]!r} to do here", slug="bad-field", field="act")
    return await explained(hub, word, done)


@get("/notify/confirm/{word:str}", include_in_schema=False)
async def confirm(hub: GivenHub, word: FromPath[str]) -> Response[str]:
    """Ask: mail scanners follow links."""
    return page(hub, "notify_confirm.html", "", {"place": public(await desk(hub).confirm(word, act=False))})


@post("/notify/confirm/{word:str}", include_in_schema=False, status_code=200)
async def confirmed(hub: GivenHub, word: FromPath[str]) -> Response[str]:
    """The place is somebody's who reads there."""
    return page(hub, "notify_confirm.html", "", {"place": public(await desk(hub).confirm(word, act=True))})


@get("/notify-worker.js", include_in_schema=False, sync_to_thread=False)
def worker() -> Response[bytes]:
    """The service worker. Its address must stay, and it must be asked for anew."""
    return Response(WORKER.read_bytes(), media_type="text/javascript", headers={"cache-control": "no-cache"})


async def explained(hub: Hub, word: str, done: str) -> Response[str]:
    """The page of a message's link."""
    reason, place, rules = await desk(hub).why(word)
    event: Recorded | None = await hub.reader.by_sequence(reason.sequence)
    values = {
        "place": public(place) if place else None, "rules": rules, "event": event, "done": done, "word": word,
        "muted": place is not None and event is not None and await muted(hub, place, event),
        "off": bool(rules) and not any(rule.on for rule in rules), "asked": len(reason.rules),
    }  # fmt: skip
    return page(hub, "notify_why.html", "", values)


async def muted(hub: Hub, place: Place, event: Recorded) -> bool:
    """Whether the event's thread is muted at the place already."""
    mutes = (await desk(hub).kept(place.owner)).mutes
    own = [one for one in mutes if one.owner == place.owner and (one.until is None or one.until > hub.now())]
    return event.envelope.subject in {one.subject for one in own}


HANDLERS: Final[list[Any]] = [why, less, confirm, confirmed, worker]
