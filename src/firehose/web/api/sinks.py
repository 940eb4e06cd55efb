"""`/v1/sinks`: how the ways out are; `/v1/keys`: the key that proves what the hub sent. Switching on is for admins.

In: the books that each sink keeps in the bus, whatever process runs it. Out: JSON. Addresses are shown without what
may be secret in them.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath

from firehose import sink as sinks
from firehose.delivery import deadletters, position, unsubscribe
from firehose.delivery.books import SinkHealth, shown
from firehose.delivery.room import RESERVED, signer
from firehose.errors import Refused
from firehose.web import asked
from firehose.web.api.quarantine import admin
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]


@get("/v1/sinks")
async def health(request: Asked, hub: GivenHub) -> Response[Any]:
    """Every sink with its state, counts, lag and last trouble."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    return _json({"sinks": await report(hub), "head": f"{hub.live.head:020d}"})


@post("/v1/sinks/{name:str}/enable", status_code=200)
async def enable(request: Asked, hub: GivenHub, name: FromPath[str]) -> Response[Any]:
    """Switch a sink on that its receiver had switched off, and try everything that waits at once."""
    token = admin(request, hub)
    _known(hub, name)
    await deadletters.order(hub.bus, deadletters.Order(sink=name, action="enable"))
    hub.tokens.note("sink.enabled", name, f"token {token}")
    return _json({"name": name, "enabled": True})


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """address: of somebody who stopped a sink's messages."""

    address: str


@post("/v1/sinks/{name:str}/resume", status_code=200)
async def resume(request: Asked, hub: GivenHub, name: FromPath[str]) -> Response[Any]:
    """Let somebody get a sink's messages again who stopped them by the link in one: `{"address": …}`."""
    token = admin(request, hub)
    _known(hub, name)
    try:
        address = msgspec.json.decode(await request.body(), type=Recipient).address
    except msgspec.DecodeError:
        raise Refused('the body must be {"address": "…"}', slug="bad-json", field="address") from None
    if not await unsubscribe.stopped(hub.bus, name, address):
        raise Refused(f"nobody with this address stopped {name}", slug="not-found", status=404)
    await unsubscribe.resume(hub.bus, name, address)
    hub.tokens.note("sink.resumed", name, f"token {token}")
    return _json({"name": name, "address": address, "resumed": True})


def _known(hub: Hub, name: str) -> None:
    if name not in hub.settings.sinks:
        raise Refused(f"there is no sink {name[:100]!r} in the settings", slug="not-found", status=404)


@get("/v1/keys", sync_to_thread=False)
def keys(request: Asked, hub: GivenHub) -> Response[Any]:
    """The public key of the hub's webhook signatures (`v1a`), as a JSON Web Key set and as Standard Webhooks writes
    it (`whpk_…`)."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    public = signer(hub.settings.data).public
    key = {
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": hashlib.sha256(public).hexdigest()[:16],
        "x": base64.urlsafe_b64encode(public).decode().rstrip("="),
        "whpk": "whpk_" + base64.b64encode(public).decode(),
    }  # fmt: skip
    return _json({"keys": [key]})


async def report(hub: Hub) -> list[SinkHealth]:
    """The sinks of the settings; one that never ran is idle. The lag is the one of this moment."""
    found = []
    for name, settings in hub.settings.sinks.items():
        kept = await position.health(hub.bus, name)
        kind = sinks.load(settings.kind)
        if kept is None:
            kept = SinkHealth(
                name=name, kind=kind.name, title=kind.title, family=kind.family, to=shown(kind.to(settings)),
                query=settings.query, topics=settings.topics, since=hub.now(), why="never ran",
            )  # fmt: skip
        elif not kept.open:
            kept.lag = max(0, hub.live.head - kept.cursor)
        found.append(kept)
    # What tells people shows itself once there is something to show.
    people = await position.health(hub.bus, RESERVED) if hub.desk is not None else None
    return found + ([people] if people is not None and (people.sent or people.failed or people.open) else [])


def _json(value: object) -> Response[Any]:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-cache"})


HANDLERS: Final[list[Any]] = [health, enable, resume, keys]
