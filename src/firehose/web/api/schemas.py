"""JSON schemas (draft 2020-12) of what the hub gives out: the event, the page, the problem. Data, no logic."""

from __future__ import annotations

from typing import Any, Final

from firehose.event import OUTCOMES, SEVERITIES

_TEXT: Final = {"type": "string"}
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

EVENT: Final[dict[str, Any]] = {
    "$schema": _DRAFT,
    "title": "Event",
    "description": "A CloudEvent 1.0 as every reader gets it.",
    "type": "object",
    "required": [
        "specversion", "id", "source", "type", "kind", "subject", "time", "topic", "sequence", "recordedtime",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "The cursor."},
        "recordedtime": {"type": "string", "format": "date-time", "description": "When the hub stored it."},
        "id": {"type": "string", "minLength": 1, "description": "With source: what deduplicates."},
        "source": {"type": "string", "format": "uri-reference", "description": "The service's address."},
        "type": {"type": "string", "minLength": 1, "description": "The native type, reverse DNS."},
        "kind": {"type": "string", "pattern": "^[a-z0-9_-]+(\\.[a-z0-9_-]+)+$", "description": "subject.predicate"},
        "subject": {"type": "string", "description": "The thing."},
        "time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "topic": {"type": "string", "description": "Its MQTT topic."},
        "project": _TEXT,
        "actor": _TEXT,
        "summary": {"type": "string", "description": "One plain-text line."},
        "link": {"type": "string", "description": "Its address in the source."},
        "outcome": {"type": "string", "examples": list(OUTCOMES)},
        "severity": {"enum": list(SEVERITIES)},
        "refs": {"type": "string", "description": "Space-separated subjects that it is about or belongs to."},
        "datacontenttype": _TEXT,
        "dataschema": {"type": "string", "format": "uri-reference"},
        "data": {"description": "What the service sent, after redaction."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
    "additionalProperties": False,
}  # fmt: skip

PROBLEM: Final[dict[str, Any]] = {
    "$schema": _DRAFT,
    "title": "Problem",
    "description": "An RFC 9457 problem. type leads to a page that says what to do.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "field": {"type": "string", "description": "The path of the offending field or parameter."},
        "nearest": {"type": "string", "description": "The known word that is most like the wrong one."},
        "position": {"type": "integer", "description": "Where a query is wrong, from 0."},
        "length": {"type": "integer"},
        "floor": {"type": "string", "description": "The oldest cursor that still works."},
        "quarantine": {"type": "integer", "description": "Under which number the delivery is kept."},
    },
}

PAGE: Final[dict[str, Any]] = {
    "$schema": _DRAFT,
    "title": "Page",
    "type": "object",
    "required": ["events", "cursor", "partial", "links"],
    "properties": {
        "events": {"type": "array", "items": {"$ref": "event.json"}},
        "cursor": {"type": ["string", "null"], "description": "Where to go on; null: there is nothing further."},
        "partial": {"type": "boolean", "description": "The cost limit was reached first; the cursor goes on."},
        "head": {"type": "string", "description": "The newest event's cursor."},
        "links": {"type": "object", "properties": {"self": _TEXT, "next": {"type": ["string", "null"]}}},
    },
}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {"event.json": EVENT, "page.json": PAGE, "problem.json": PROBLEM}
