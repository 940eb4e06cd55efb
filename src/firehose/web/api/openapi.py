"""`/openapi.json`: every address of the hub as an OpenAPI 3.1 document, the raw handlers included.

In: the table below. Out: the document. A test holds the table against the framework's routes both ways and validates
the document, so that an address without a description cannot be added.
"""

from __future__ import annotations

from typing import Any, Final

from firehose import __version__
from firehose.query.params import DEFAULT_LIMIT, FILTERS, MAX_LIMIT
from firehose.web.api.counts import BY, MOST_GROUPS, MOST_IN_GRAPH, PER
from firehose.web.api.events import FORMATS
from firehose.web.api.schemas import EVENT, PAGE, PROBLEM
from firehose.web.encodings import FORMS

Entry = dict[str, Any]
_FILTER_WORDS: Final = {
    "topic": "MQTT topic filter: + is one level, # the rest.",
    "source": "The source's name in the settings, or its address.",
    "kind": "What happened: change.merged, change.*",
    "type": "The native type.",
    "project": "The project; * is a wildcard.",
    "actor": "Who did it.",
    "subject": "The thing, and what refers to it.",
    "outcome": "success, failure, error, cancel, skipped, running or queued.",
    "severity": "info, notice, warning or error.",
}


def query(name: str, words: str, schema: Entry | None = None, *, repeat: bool = False) -> Entry:
    """A query parameter."""
    kind: Entry = schema or {"type": "string"}
    shape = {"type": "array", "items": kind} if repeat else kind
    return {"name": name, "in": "query", "description": words, "schema": shape}


def path(name: str, words: str, kind: str = "string") -> Entry:
    """A path parameter."""
    return {"name": name, "in": "path", "required": True, "description": words, "schema": {"type": kind}}


def choice(name: str, words: str, known: tuple[str, ...]) -> Entry:
    """A query parameter of a few words."""
    return query(name, words, {"enum": [word for word in known if word]})


_PLACE: Final = "RFC 3339, epoch of 10 or 13 digits, duration (10m), 20 digits or seq:123, earliest, latest."
_COMMON: Final = [
    *(query(name, f"{_FILTER_WORDS[name]} Repeat: any of them.", repeat=True) for name in FILTERS),
    *(query(f"not_{name}", f"Not: {_FILTER_WORDS[name]}", repeat=True) for name in FILTERS),
    query("q", "A query in Lucene syntax.", repeat=True),
    query("since", f"Where to begin, included: {_PLACE}"),
    query("until", f"Where to end, excluded: {_PLACE}"),
]
_PAGING: Final = [
    choice("order", "Newest first (desc) or oldest first (asc).", ("asc", "desc")),
    query("limit", "Most events.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
    query("cursor", "Go on after this sequence (exclusive)."),
]
_AS: Final = choice("as", "raw: what the service sent. cdevents: the strict CDEvents form.", FORMS)
_LAST_ID: Final = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
                   "description": "Go on after this cursor; wins over cursor and since."}  # fmt: skip


def answer(words: str, *media: str, schema: Entry | None = None) -> Entry:
    """A response."""
    content = {kind: {"schema": schema or {}} for kind in media}
    return {"description": words, "content": content} if media else {"description": words}


def problems(*codes: int) -> dict[str, Entry]:
    """The responses that are problems."""
    words = {
        400: "A parameter or query is wrong; field, position and nearest say where.",
        401: "Nothing proves the sender, or no token.",
        403: "The signature or token does not fit.",
        404: "There is no such thing.",
        405: "Not by this method; Allow names those that work.",
        406: "None of the encodings asked for.",
        408: "The body was not here in time.",
        409: "The cursor is ahead of the stream, or the delivery is still unreadable.",
        410: "The cursor is older than the history; floor is the oldest that works.",
        413: "Over 1 MiB.",
        415: "Content type or encoding not taken.",
        422: "The payload cannot be read, it is in quarantine; or too much would have to be counted.",
        426: "A WebSocket is needed here.",
        503: "Not now; Retry-After says when.",
    }
    ref = {"$ref": "#/components/schemas/Problem"}
    return {str(code): answer(words[code], "application/problem+json", schema=ref) for code in codes}


def reading(
    summary: str, ok: Entry, parameters: list[Entry], *codes: int, tag: str = "read", other: Entry | None = None
) -> Entry:
    """A GET. `other`: its answers that are neither the usual one nor a problem."""
    return {"get": {"summary": summary, "tags": [tag], "parameters": parameters,
                    "responses": {"200": ok, **(other or {}), **problems(*codes)}}}  # fmt: skip


def admin(summary: str, parameters: list[Entry], *codes: int) -> Entry:
    """An operation for the scope `admin`."""
    return {"summary": summary, "tags": ["quarantine"], "security": [{"token": []}], "parameters": parameters,
            "responses": {"200": answer("Done.", "application/json"), **problems(401, 403, *codes)}}  # fmt: skip


def personal(summary: str, parameters: list[Entry], *codes: int, done: int = 200, takes: bool = False) -> Entry:
    """An operation for a person, by a token with the scope `person:<name>` or a session."""
    body = {"requestBody": {"required": True, "content": {"application/json": {}}}} if takes else {}
    return {"summary": summary, "tags": ["notify"], "security": [{"token": []}], "parameters": parameters, **body,
            "responses": {str(done): answer("Done.", "application/json"), **problems(401, 403, *codes)}}  # fmt: skip


_ID: Final = path("id_", "As the list has it.")
_WORD: Final = path("word", "As the message has it.")
NOTIFY: Final[dict[str, Entry]] = {
    "/v1/notify": {"get": personal("Rules, places, mutes and teams of the person.", [])},
    "/v1/notify/person": {"put": personal("Keep names, time zone and hours.", [], 400, takes=True)},
    "/v1/notify/rules": {"post": personal("Keep a rule.", [], 400, done=201, takes=True)},
    "/v1/notify/rules/{id_}": {"put": personal("Change a rule.", [_ID], 400, 404, takes=True),
                               "delete": personal("Throw a rule away.", [_ID], 404)},
    "/v1/notify/try": {"post": personal("What a rule would have said over the last days.", [], 400, takes=True)},
    "/v1/notify/places": {"post": personal("Keep a place to be told at.", [], 400, done=201, takes=True)},
    "/v1/notify/places/{id_}": {"delete": personal("Forget a place.", [_ID], 404)},
    "/v1/notify/places/{id_}/test": {"post": personal("Send a test, or what confirms it.", [_ID], 404)},
    "/v1/notify/mutes": {"post": personal("Hear nothing more of a thread.", [], 400, done=201, takes=True)},
    "/v1/notify/mutes/{id_}": {"delete": personal("Hear of it again.", [_ID], 404)},
    "/v1/notify/teams/{team}": {"put": personal("Who is in a team.", [path("team", "Its name.")], 400, takes=True)},
    "/v1/notify/told": {"get": personal("What the person was told last.", [
        query("limit", "Most entries.", {"type": "integer", "minimum": 1})], 400)},
    "/v1/notify/push-key": reading("The key that browsers subscribe for.", answer("It.", "application/json"), [], 404),
    "/v1/notify/stop/{word}": {
        "get": {"summary": "Ask first, on a page.", "tags": ["notify"], "parameters": [_WORD],
                "responses": {"303": answer("To the page."), **problems(404)}},
        "post": {"summary": "Stop what sent a message (RFC 8058).", "tags": ["notify"], "parameters": [_WORD],
                 "responses": {"200": answer("Stopped.", "application/json"), **problems(404)}},
    },
}  # fmt: skip

_NUMBER: Final = path("number", "The entry's number.", "integer")
_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_STREAM: Final = reading(
    "Follow events live, from any cursor, as server-sent events, NDJSON, or over a WebSocket.",
    {**answer("The stream: info first, events, heartbeats, goodbye.", "text/event-stream", "application/x-ndjson"),
     "headers": {"Firehose-Cursor": {"description": "After which cursor it starts.", "schema": {"type": "string"}}}},
    [*_COMMON, query("limit", "End after so many events.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
     query("cursor", "Go on after this cursor."), _AS, _LAST_ID],
    400, 406, 409, 410, 426, 503, tag="stream",
)  # fmt: skip
_FILTERED: Final = {"get": {**_STREAM["get"], "parameters": [
    path("filters", "Topic filters, separated by commas; a last segment sse, json or ws picks the encoding."),
    *_STREAM["get"]["parameters"],
]}}  # fmt: skip

PATHS: Final[dict[str, Entry]] = {
    "/in/{source}": {
        "post": {
            "summary": "Hand over a delivery of a source; the answer comes when it is on disk.",
            "tags": ["publish"],
            "parameters": [path("source", "The source's name in the settings.")],
            "requestBody": {"required": True, "content": {
                "application/json": {}, "application/cloudevents+json": {}, "application/cloudevents-batch+json": {},
                "application/x-www-form-urlencoded": {},
            }},
            "security": [{"token": []}, {}],
            "responses": {
                "202": answer("On disk, or in quarantine when nobody knows its kind.", "application/json",
                              schema={"$ref": "#/components/schemas/Receipt"}),
                "200": answer("A duplicate (the first one's sequence), or ignored on purpose.", "application/json",
                              schema={"$ref": "#/components/schemas/Receipt"}),
                **problems(400, 401, 403, 404, 405, 408, 413, 415, 422, 503),
            },
        },
        "get": reading("What this address takes.", answer("The source's way in.", "application/json"),
                       [path("source", "The source's name.")], 404, tag="publish")["get"],
    },
    "/v1/stream": _STREAM,
    "/v1/stream/{filters}": _FILTERED,
    "/v1/events": reading(
        "A page of events.",
        {"description": "The page.", "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Page"}}, "application/x-ndjson": {},
            "application/atom+xml": {}, "application/feed+json": {}, "image/svg+xml": {},
        }},
        [*_COMMON, *_PAGING, _AS, choice("format", "Instead of an Accept header.", FORMATS),
         query("label", "What a badge says on its left.", {"type": "string"})], 400, 406, 503,
        other={"303": answer("A browser is sent to the page that shows it.")},
    ),
    "/v1/events/{ref}": reading(
        "One event.",
        {"description": "The event; with as=raw what the service sent, which is JSON, text, or anything.", "content": {
            "application/cloudevents+json": {"schema": _EVENT}, "application/json": {}, "text/plain": {},
            "application/octet-stream": {},
        }},
        [path("ref", "Its sequence (20 digits or seq:123), or its id."), _AS], 400, 404,
        other={"300": answer("Several events have this id: all, and the address of each.", "application/json"),
               "303": answer("A browser is sent to the page that shows it.")},
    ),
    "/v1/details/{ref}": reading(
        "What is stored beside an event, such as each test of a run.", answer("The detail.", "application/json"),
        [path("ref", "The event's id or sequence.")], 400, 404,
    ),
    "/v1/counts": reading(
        "Numbers of events by group and time.",
        answer("The counts by time, then the largest first; total is of all events, truncated says that counts were "
               "left out.", "application/json"),
        [*_COMMON, choice("by", "Group.", BY), choice("per", "Bucket of time.", PER),
         query("limit", "Most counts: the largest, or with per those of the newest buckets.",
               {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MOST_GROUPS})], 400, 422, 503,
    ),
    "/v1/graph/{subject}": reading(
        "Everything tied to a change, a build, a story, oldest first.", answer("The events.", "application/json"),
        [path("subject", "The thing."), _AS,
         query("limit", "Most events.",
               {"type": "integer", "minimum": 1, "maximum": MOST_IN_GRAPH, "default": MOST_IN_GRAPH})], 400, 404, 503,
    ),
    "/v1/sources": reading("The sources' health.", answer("All sources.", "application/json"), [], 400),
    "/v1/kinds": reading("The kinds, and what each source maps.", answer("The kinds.", "application/json"), [], 400),
    "/v1/schemas": reading("The JSON schemas.", answer("Their addresses.", "application/json"), [], 400),
    "/v1/schemas/{name}": reading("One schema.", answer("It.", "application/schema+json"),
                                  [path("name", "event.json, page.json or problem.json.")], 400, 404),
    "/v1/dumps": reading("The hourly dumps, and the key that signs their index.",
                         answer("What can be taken.", "application/json"), [], 400),
    "/v1/dumps/{name}": reading("A dump, or index.ndjson.", answer("The file as it lies on disk.", "application/zstd"),
                                [path("name", "YYYY-MM-DD-HH.ndjson.zst or index.ndjson.")], 400, 404),
    "/v1/logs/{source}": reading("What the log room keeps of a source, and all counts by publisher.",
                                 answer("Numbers of the kept lines, counts.", "application/json"),
                                 [path("source", "The source's name.")], 400, 401, 403, 404, 503),
    "/v1/logs/{source}/{number}": reading(
        "A log line with those around it.", answer("Lines.", "text/plain", "application/json"),
        [path("source", "The source's name."), path("number", "The line's number.", "integer"),
         query("context", "Lines before and after.", {"type": "integer", "minimum": 0, "maximum": 250, "default": 20})],
        400, 401, 403, 404, 410, 503),
    "/v1/query": reading(
        "How a query reads: colours, words, error, completions.", answer("The reading.", "application/json"),
        [query("q", "The query."), query("caret", "Where the caret stands.", {"type": "integer", "minimum": 0})], 400,
    ),
    "/v1/quarantine": {"get": admin("What nobody could read, newest first.", [
        query("before", "Go on before this number.", {"type": "integer"}),
        query("limit", "Most entries.", {"type": "integer", "minimum": 1})], 400)},
    "/v1/quarantine/{number}": {"get": admin("One entry, whole.", [_NUMBER], 404),
                                "delete": admin("Remove it for good.", [_NUMBER], 404)},
    "/v1/quarantine/{number}/retry": {"post": admin("Judge it again.", [_NUMBER], 404, 409)},
    "/v1/quarantine/{number}/discard": {"post": admin("Remove it for good.", [_NUMBER], 404)},
    "/v1/sinks": reading("The sinks' health.", answer("All sinks.", "application/json"), [], 400),
    "/v1/sinks/{name}/enable": {"post": admin("Switch a sink on again.", [path("name", "The sink's name.")], 404)},
    "/v1/sinks/{name}/resume": {"post": {
        **admin("Let somebody get a sink's messages again.", [path("name", "The sink's name.")], 400, 404),
        "requestBody": {"required": True, "content": {"application/json": {}}}}},
    "/v1/keys": reading("The key of the hub's webhook signatures.", answer("A key set.", "application/json"), [], 400),
    "/v1/deadletters": {"get": admin("What no sink took, newest first.", [
        query("before", "Go on before this number.", {"type": "integer"}),
        query("limit", "Most entries.", {"type": "integer", "minimum": 1})], 400)},
    "/v1/deadletters/{number}": {"get": admin("One message with its event.", [_NUMBER], 404),
                                 "delete": admin("Remove it for good.", [_NUMBER], 404)},
    "/v1/deadletters/{number}/replay": {"post": admin("Send it again.", [_NUMBER], 404, 409)},
    "/v1/deadletters/{number}/discard": {"post": admin("Remove it for good.", [_NUMBER], 404)},
    "/v1/unsubscribe/{token}": {
        "get": reading("Ask whether to stop a sink's mails.", answer("A page.", "text/html"),
                       [path("token", "As the mail has it.")], 404)["get"],
        "post": {"summary": "Stop them, by one click (RFC 8058).", "tags": ["read"],
                 "parameters": [path("token", "As the mail has it.")],
                 "responses": {"200": answer("Stopped.", "text/html"), **problems(404)}},
    },
    **NOTIFY,
    "/healthz": reading("Alive.", answer("It is.", "application/json"), [], tag="health"),
    "/readyz": reading("Ready to serve.", answer("It is.", "application/json"), [], 503, tag="health"),
    "/metrics": reading("Counters for Prometheus.", answer("The counters.", "text/plain"), [], tag="health"),
    "/problems/{slug}": reading("What a problem means.", answer("A page.", "text/html"),
                                [path("slug", "The problem's word.")], 404, tag="health"),
    "/openapi.json": reading("This document.", answer("It.", "application/json"), [], tag="health"),
    "/asyncapi.json": reading("The channels, as AsyncAPI.", answer("It.", "application/json"), [], tag="health"),
}  # fmt: skip

RECEIPT: Final[Entry] = {
    "type": "object",
    "required": ["verdict"],
    "properties": {
        "verdict": {"enum": ["event", "duplicate", "ignored", "unknown"]},
        "id": {"type": "string"},
        "sequence": {"type": "string", "pattern": "^[0-9]{20}$"},
        "events": {"type": "array", "items": {"type": "object"}, "description": "All, when there are several."},
        "kind": {"type": "string"},
        "quarantine": {"type": "integer"},
    },
}


def document(name: str, base: str) -> Entry:
    """The document of a hub."""
    schemas = {"Event": EVENT, "Page": PAGE, "Problem": PROBLEM, "Receipt": RECEIPT}
    page = {**PAGE["properties"], "events": {"type": "array", "items": _EVENT}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": __version__,
            "summary": "The event hub of a project's infrastructure.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "paths": PATHS,
        "components": {
            "schemas": {**schemas, "Page": {**PAGE, "properties": page}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "firehose token create"}},
        },
    }
