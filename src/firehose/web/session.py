"""Who speaks: a person by their token, in the `Authorization` header or, in a browser, by a session that it began.

In: a request. Out: a person's name, or `Refused`. A session is a cookie that names the token it began with, signed by
the hub; it ends with its time, and at once when the token is revoked. The cookie never holds the token, no script can
read it, and a request that changes something must come from the hub's own pages. Whatever else lets people sign in
later (OpenID Connect, a password) begins the same session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from firehose.access.tokens import Token
from firehose.delivery.room import signer
from firehose.errors import Refused
from firehose.web.hub import Hub

NAME: Final = "firehose-session"
LASTS: Final = timedelta(days=30)
SAFE: Final = ("GET", "HEAD", "OPTIONS")
Asked = Request[Any, Any, Any]


def person(request: Asked, hub: Hub) -> str:
    """The name of whoever asks; `Refused` (401, 403) when nobody says who they are."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and text:
        token = hub.tokens.check(text.strip())
        if token is None or not token.person:
            raise Refused(
                "the token is nobody's; it needs a scope person:<name>: firehose token create --scope person:<name>",
                slug="bad-token", status=403,
            )  # fmt: skip
        return token.person
    name = signed_in(request, hub)
    if not name:
        raise Refused("this needs a person's token, or a session begun at /notify", slug="unauthorized", status=401)
    if request.method not in SAFE:
        same_origin(request, hub)
    return name


def signed_in(request: Asked, hub: Hub) -> str:
    """Whose session a browser shows, "" when it shows none that holds."""
    number, _, rest = request.cookies.get(NAME, "").partition(".")
    until, _, mac = rest.partition(".")
    if not (number.isdecimal() and until.isdecimal() and len(number) < 16 and len(until) < 16):
        return ""
    if not hmac.compare_digest(_mac(hub, number, until).encode(), mac.encode()):
        return ""
    if hub.now() >= datetime.fromtimestamp(int(until), UTC):
        return ""
    token = hub.tokens.still(int(number))
    return token.person if token is not None else ""


def begin(text: str, hub: Hub) -> tuple[Token, Cookie]:
    """A session for whoever shows a person's token; `Refused` (403) when it is none."""
    token = hub.tokens.check(text.strip())
    if token is None or not token.person:
        raise Refused(
            "that is no token of a person, or it has expired or was revoked",
            slug="bad-token",
            status=403,
            field="token",
        )
    until = str(int((hub.now() + LASTS).timestamp()))
    value = f"{token.number}.{until}.{_mac(hub, str(token.number), until)}"
    return token, _cookie(hub, value, int(LASTS.total_seconds()))


def end(hub: Hub) -> Cookie:
    """What makes a browser forget its session."""
    return _cookie(hub, "", 0)


def same_origin(request: Asked, hub: Hub) -> None:
    """Refuse (403) what another site made a browser send."""
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    hosts = {request.headers.get("host", ""), urlsplit(hub.settings.public_url).netloc}
    if site != "same-origin" and (site or not origin or urlsplit(origin).netloc not in hosts):
        raise Refused("this was sent from another site, so nothing was done", slug="foreign-origin", status=403)


def _cookie(hub: Hub, value: str, seconds: int) -> Cookie:
    return Cookie(
        key=NAME, value=value, max_age=seconds, path="/", httponly=True, samesite="lax",
        secure=hub.settings.public_url.startswith("https://"),
    )  # fmt: skip


def _mac(hub: Hub, number: str, until: str) -> str:
    made = hashlib.sha256(signer(hub.settings.data).sign(f"session {number} {until}".encode())).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
