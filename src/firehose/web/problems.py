"""The problems that the hub answers with: RFC 9457 objects, and a page for each `type`.

In: an error of ours. Out: status, JSON object, headers. The list of slugs is open, because sources may name their
own; the ones that everybody meets have a page that says what to do. Never a stack trace.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from firehose.errors import FirehoseError, Refused, TryLater, UnknownKind

MEDIA: Final = "application/problem+json"
PREFIX: Final = "/problems/"

PAGES: Final[dict[str, tuple[str, str]]] = {
    "bad-answer": (
        "The service's answer cannot be read",
        "The operator sees the request that got it; it is tried again.",
    ),
    "bad-cloudevent": (
        "Not a valid CloudEvent",
        "The member field names the attribute; CloudEvents 1.0 says what it holds.",
    ),
    "bad-content-encoding": ("Content-Encoding not taken", "Send the body as it is, without compression."),
    "bad-content-type": ("Content type not taken", "Send application/json in UTF-8, or a form with one field payload."),
    "bad-encoding": ("Not UTF-8", "The body must be UTF-8 text. Check the encoding of whatever writes it."),
    "bad-field": ("A field is missing or has the wrong type", "The member field names the path of the value."),
    "bad-form": ("The form cannot be read", "Send exactly one field payload, or better application/json."),
    "bad-json": ("Not JSON", "The body is not readable as JSON. It may have been cut on the way."),
    "bad-link": ("No link of this hub", "It was cut, or made by another hub; the last mail has a whole one."),
    "bad-parameter": ("A parameter cannot be used", "The member field names it, detail says what it may be."),
    "bad-query": ("The query cannot be read", "position and length point at the place, nearest is a word that fits."),
    "bad-scope": ("No such scope", "Scopes are publish:<source>, read:<audience>, person:<name>, tracker and admin."),
    "bad-signature": ("The signature does not fit", "Enter the same secret at the sender and here."),
    "bad-token": ("The token is not valid", "It may be revoked, expired, or lack the scope that detail names."),
    "bad-frame": ("Bad syslog frame", "Send octet counting or one message a line; the connection was closed."),
    "bad-journal": ("Not a journal", "Send the journal's export format, as systemd-journal-upload does."),
    "known-file": ("Known file", "This file was read already; there is nothing to do."),
    "line-gone": ("Line gone", "The line is older than what is kept; `oldest` is the first that is there."),
    "no-token": ("No token", "Send a hub token: Authorization: Bearer fht_…."),
    "cursor-too-old": (
        "The cursor is older than the history",
        "Events after it are gone. floor is the oldest cursor that still works: start there, knowing of the gap.",
    ),
    "future-cursor": ("The cursor is ahead of the stream", "It comes from another hub, or from a lost stream."),
    "method-not-allowed": ("Method not allowed", "The header Allow names what this address takes."),
    "internal": ("The hub failed", "It is not your fault; the hub's log says more, under the same time."),
    "missing-field": ("Missing field", "The member field names what the sender has to say, and detail how."),
    "bad-report": ("The report cannot be read", "detail says where; a report that was cut off is refused whole."),
    "no-report": ("No test report", "Send subunit v1 or v2, JUnit XML, or CTRF, with its content type."),
    "missing-header": (
        "A header is missing",
        "The service sends it with each delivery; let no proxy on the way drop it.",
    ),
    "no-envelope": (
        "Neither a CloudEvent nor plain JSON that the hub can name",
        "Send a CloudEvent, or let the operator give the source `type` and `id` for plain JSON.",
    ),
    "no-feed": ("No feed at that address", "It must answer with RSS or Atom; the operator corrects `feeds`."),
    "no-secret": (
        "The hub has no secret",
        "The operator sets secret_file for this source; until then it takes nothing.",
    ),
    "no-signature": ("Nothing proves the sender", "Enter the secret at the sender, so that it signs its deliveries."),
    "not-acceptable": ("No such encoding", "Ask for one of the media types in detail."),
    "no-rules": (
        "No notification rules here",
        "This process of the hub keeps none; ask the one that the pages come from.",
    ),
    "not-found": ("Nothing here", "Check the address; /openapi.json lists all of them."),
    "refused": ("Not acceptable", "The detail says why."),
    "schema": ("The data break their schema", "The member field names the place, detail what was expected there."),
    "stale-timestamp": ("Signed too long ago", "Sign each attempt anew and set both clocks by NTP."),
    "too-broad": ("Too much to count or search at once", "Narrow the time or the query."),
    "too-costly": ("The query costs too much", "Say it with fewer terms, or narrow the time."),
    "too-deep": ("Nested too deep", "The body nests deeper than any payload of a known service."),
    "too-large": ("Too large", "A delivery may have 1 MiB. Send less, or a link to the bulk."),
    "too-slow": ("The body came too slowly", "It must be here within 30 seconds."),
    "truncated": ("The body was cut", "The connection ended before the whole body had come."),
    "try-later": ("Not now", "The same request will work later; Retry-After says when to try."),
    "too-many": ("Too many", "Remove what is no longer needed, or join several into one."),
    "not-yours": ("Not yours", "Only members of a team change what is the team's."),
    "foreign-origin": ("The request came from another site", "Press the button on the hub's own page."),
    "unauthorized": ("A token is needed", "Send Authorization: Bearer <token>; firehose token create makes one."),
    "unknown-kind": ("A kind that nobody mapped", "The delivery is in quarantine and can be judged again after a fix."),
    "unknown-parameter": ("No such parameter", "nearest is the known one that is most like it."),
    "unknown-sender": ("A sender that is not on the list", "The operator names who may send here in `senders`."),
    "unknown-sink": (
        "No such sink",
        "The message was for a sink that is no longer in the settings; name it there again.",
    ),
    "unknown-source": ("No such source", "The last part of the URL must be a source of this hub's settings."),
    "unknown-stream": ("No such stream", "The detail lists the streams of this door."),
    "upgrade-required": (
        "A WebSocket is needed",
        "Open this address as a WebSocket (ws:// or wss://), or take /sse or /json instead.",
    ),
    "unreadable": ("The payload cannot be read", "It is kept in quarantine; the operator sees why."),
}


def problem(error: FirehoseError, base: str = "") -> tuple[int, dict[str, object], dict[str, str]]:
    """Status, object and further headers for an error. `base` is the hub's public URL."""
    status, slug, headers = 500, "internal", {}
    members: dict[str, object] = {}
    match error:
        case Refused():
            status, slug = error.status, error.slug
            members = {"field": error.field} if error.field else {}
            members.update(error.extra)
            if status == 401:
                headers["www-authenticate"] = 'Bearer realm="firehose"'
        case TryLater():
            status, slug = 503, "try-later"
            headers["retry-after"] = str(max(1, round(error.after)))
        case UnknownKind():
            status, slug = 422, "unknown-kind"
        case _:
            return internal(base)
    return status, _object(base, slug, status, error.detail, members), headers


def internal(base: str = "") -> tuple[int, dict[str, object], dict[str, str]]:
    """The problem of a failure of ours: it says nothing of the inside."""
    detail = "the hub failed at this request; its log says why"
    return 500, _object(base, "internal", 500, detail, {}), {}


def title(slug: str, status: int) -> str:
    """A problem's short name."""
    return PAGES[slug][0] if slug in PAGES else HTTPStatus(status).phrase


def encode(members: dict[str, object]) -> bytes:
    """The object as JSON."""
    return msgspec.json.encode(members)


def _object(base: str, slug: str, status: int, detail: str, members: dict[str, object]) -> dict[str, object]:
    return {
        "type": f"{base}{PREFIX}{slug}",
        "title": title(slug, status),
        "status": status,
        "detail": detail,
        **members,
    }
