"""HyperKitty, the archive of Mailman 3: which of its pages to ask for, and what an entry says of a mail.

In: the archive's address and List-Ids; the entries of `GET /api/list/<list>/emails/`. Out: requests, entries oldest
first, `Told`. An entry names the thread by the hash of its first mail's Message-ID (Mailman's `Message-ID-Hash`), so
that is what a thread is called here, whichever way its mail came. Entries have no text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import msgspec

from firehose.errors import Refused
from firehose.source import Request, Step
from firehose.wild import Wild, decode

PAGE: Final = 100
FIRST: Final = "first"
_HASH: Final = re.compile(r"/(?:thread|email)/([A-Z2-7]{32})(?:/|$)")
_LIST: Final = re.compile(r"/api/list/([^/@\s]{1,200})(?:@|%40)([^/@\s]{1,200})/")


class Told(msgspec.Struct, frozen=True):
    """What an event is made of. name: the List-Id. own: the Message-ID. thread: its subject. answers: the ref of the
    mail that it answers, "" for none. author: as it was written."""

    name: str
    own: str
    thread: str
    answers: str
    title: str
    author: str
    time: datetime
    link: str


def hash_of(message_id: str) -> str:
    """Mailman's `Message-ID-Hash`. A Message-ID looks like an address, and addresses are taken out of the public."""
    return base64.b32encode(
        hashlib.sha1(message_id.encode("utf-8", "replace"), usedforsecurity=False).digest()
    ).decode()


def thread_of(message_id: str) -> str:
    """The subject of the thread that a mail began."""
    return f"thread/{hash_of(message_id)}"


def mark_of(message_id: str) -> str:
    """The ref of a mail."""
    return f"mail/{hash_of(message_id)}"


def requests(place: str, lists: Sequence[str]) -> Callable[[str], Sequence[Request]]:
    """The newest page of each list. Without a cursor it is the start: an archive's whole past is for an import."""

    def ask(cursor: str) -> Sequence[Request]:
        return [_request(place, name, "" if cursor else FIRST) for name in lists]

    return ask


def _request(place: str, name: str, about: str) -> Request:
    # A List-Id is the list's address with a dot for its first `@`.
    local, _, domain = name.partition(".")
    path = f"{place.rstrip('/')}/api/list/{quote(local, safe='')}@{quote(domain, safe='')}/emails/"
    return Request(f"{path}?limit={PAGE}&offset=0", headers={"Accept": "application/json"}, about=about)


def recovered(_request: Request, body: bytes, _settings: object) -> Sequence[bytes]:
    """The entries of a page, oldest first; without what changes when somebody answers."""
    found = []
    for entry in decode(body)["results"].each():
        kept = {name: msgspec.Raw(value.json()) for name, value in entry.fields() if name != "children"}
        found.append(msgspec.json.encode(kept))
    return found[::-1]


def more(request: Request, body: bytes, _settings: object) -> Request | None:
    """The page of older entries, while there is one."""
    if request.about == FIRST or not decode(body)["next"].present:
        return None
    parts = urlsplit(request.url)
    offset = int(parse_qs(parts.query)["offset"][0]) + PAGE
    query = urlencode({"limit": PAGE, "offset": offset})
    return Request(urlunsplit(parts._replace(query=query)), headers=request.headers)


def step(line: bytes, cursor: str) -> Step:
    """The cursor is the newest date: it says that there was a start."""
    try:
        return Step(max(cursor, decode(line)["date"].text("")))
    except Refused:
        return Step(cursor)


def read(entry: Wild, received: datetime) -> Told:
    """What an entry says of a mail."""
    own, name = entry["message_id"].text(), _name(entry["mailinglist"])
    parent = _hash(entry["parent"])
    url = urlsplit(entry["url"].link())
    page = url.path.replace("/api/list/", "/list/", 1).replace("/email/", "/message/", 1)
    page = page.replace("@", "%40")  # or the list's own address would be taken out of the link
    return Told(
        name=name,
        own=own,
        thread=f"thread/{_hash(entry['thread']) or hash_of(own)}",
        answers=f"mail/{parent}" if parent else "",
        title=entry["subject"].text(""),
        author=entry["sender_name"].text(""),
        time=entry["date"].moment() or received,
        link=f"{url.scheme}://{url.netloc}{page}" if url.netloc else "",
    )


def _hash(link: Wild) -> str:
    found = _HASH.search(urlsplit(link.link()).path)
    return found[1] if found else ""


def _name(link: Wild) -> str:
    found = _LIST.search(urlsplit(link.link()).path + "/")
    if found is None:
        raise Refused("mailinglist names no list", slug="bad-field", status=422, field="mailinglist")
    return f"{found[1]}.{found[2]}".lower()
