"""`/v1/unsubscribe/{token}`: what a mail's link leads to. Looking changes nothing; posting stops (RFC 8058).

In: a token that the hub has made. Out: a small page. No login: whoever has the mail may stop it, and nothing else.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath

from firehose.delivery import unsubscribe
from firehose.delivery.room import signer
from firehose.web.given import GivenHub

_PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title></head><body><main><h1>{title}</h1><p>{words}</p>{more}</main></body></html>"
)
_FORM: Final = '<form method="post"><button>Stop these mails</button></form>'


@get("/v1/unsubscribe/{token:str}")
async def ask(hub: GivenHub, token: FromPath[str]) -> Response[str]:
    """Ask before anything is stopped: mail scanners follow links."""
    sink, address = unsubscribe.read(signer(hub.settings.data), token)
    if await unsubscribe.stopped(hub.bus, sink, address):
        return _page("Stopped", f"{address} gets nothing more from {sink}.")
    return _page("Stop these mails?", f"{sink} sends mails to {address}.", _FORM)


@post("/v1/unsubscribe/{token:str}", status_code=200)
async def stop(hub: GivenHub, token: FromPath[str]) -> Response[str]:
    """Stop them."""
    sink, address = unsubscribe.read(signer(hub.settings.data), token)
    await unsubscribe.stop(hub.bus, sink, address)
    return _page("Stopped", f"{address} gets nothing more from {sink}.")


def _page(title: str, words: str, more: str = "") -> Response[Any]:
    text = _PAGE.format(title=escape(title), words=escape(words), more=more)
    return Response(text, media_type="text/html", headers={"cache-control": "no-store"})


HANDLERS: Final[list[Any]] = [ask, stop]
