"""Any other MQTT broker, as the CloudEvents MQTT binding says.

In: an event. Out: a topic and a payload; on MQTT 5 in binary mode (the upstream payload, the attributes as user
properties), on 3.1.1, which has no properties, structured (the CloudEvent as the payload). The connection is
`transport.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from firehose.errors import GiveUp
from firehose.event import Recorded, identity, rfc3339
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.mqtt.transport import CONTENT_TYPE, connect, url_problem
from firehose.subject import escape, filter_problem

STRUCTURED: Final = "application/cloudevents+json"
LONGEST_TOPIC: Final = 65_535
_NONE: Final = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_NO_TEXT: Final = rf"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONE}"
"""U+0000 and surrogates by the standard, control characters and what Unicode says is none by brokers: they end the
connection of who sends such text, and with it whatever else is on its way."""
_UNFIT: Final = re.compile(f"[{_NO_TEXT}]")
_FORBIDDEN: Final = re.compile(f"[+#{_NO_TEXT}]")
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = (
    "id", "source", "type", "subject", "dataschema", "kind", "topic", "project", "actor", "summary", "link", "outcome",
    "severity", "refs",
)  # fmt: skip


class MqttSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: `mqtt://host[:port]`, `mqtts://…`, `ws://…/path` or `wss://…/path`. version: `5` or `3.1.1`.
    topic: where to publish, with `{topic}` (the canonical one), `{source}`, `{kind}`, `{project}`, `{subject}`,
    `{actor}`, `{outcome}`, `{severity}`. mode: `binary` (version 5 only), `structured`, or "": what the version allows.
    qos: 0, 1 or 2. retain: let the broker keep the last message of each topic. user, and secret_file or secret_env:
    the login. client_id: "" lets the broker choose. ca_file: certificate authorities instead of the system's."""

    url: str
    version: Literal["5", "3.1.1"] = "5"
    topic: str = "{topic}"
    mode: Literal["", "binary", "structured"] = ""
    qos: Literal[0, 1, 2] = 1
    retain: bool = False
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""
    client_id: str = ""
    ca_file: str = ""


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The message that carries an event."""
    (event,) = events
    settings: MqttSettings = outlet.settings
    envelope = event.envelope
    id_ = identity(envelope.source, envelope.id)
    to = topic(settings.topic, event)
    if binary(settings):
        return Message(id=id_, to=to, body=event.raw, headers=attributes(event))
    return Message(id=id_, to=to, body=event.line, headers={CONTENT_TYPE: STRUCTURED})


def binary(settings: MqttSettings) -> bool:
    """Whether the attributes go beside the payload."""
    return settings.version == "5" and settings.mode != "structured"


def topic(template: str, event: Recorded) -> str:
    """The topic that a template means for an event; `GiveUp` when no broker would take it."""
    envelope = event.envelope
    values = {
        "topic": envelope.topic, "source": escape(event.name), "kind": escape(envelope.kind.replace(".", "/")),
        "project": escape(envelope.project), "subject": escape(envelope.subject), "actor": escape(envelope.actor),
        "outcome": envelope.outcome, "severity": envelope.severity,
    }  # fmt: skip
    made = _PLACE.sub(lambda found: values[found[1]], template).strip("/")
    size = len(made.encode("utf-8", "replace"))
    if not 1 <= size <= LONGEST_TOPIC:
        raise GiveUp(f"the topic has {size:,} bytes; 1 to {LONGEST_TOPIC:,} are possible")
    if _FORBIDDEN.search(made):
        raise GiveUp(f"the topic holds what no broker takes in one: {_FORBIDDEN.findall(made)[0]!r}")
    return made


def template_problem(template: str) -> str:
    """Why a topic template cannot work, "" when it can."""
    known = ("topic", "source", "kind", "project", "subject", "actor", "outcome", "severity")
    for name in _PLACE.findall(template):
        if name not in known:
            return f"there is no {{{name}}}; known: {', '.join(known)}"
    if "+" in template or "#" in template:
        return "'+' and '#' are for subscribing, a message needs a whole topic"
    if _FORBIDDEN.search(template):
        return "it holds a character that no broker takes"
    return filter_problem(_PLACE.sub("x", template).strip("/"))


def check(settings: MqttSettings) -> str:
    """Why the settings cannot work."""
    if problem := url_problem(settings.url):
        return f"url: {problem}"
    if settings.version == "3.1.1" and settings.mode == "binary":
        return 'mode: version 3.1.1 has no place for attributes; take mode = "structured", or version = "5"'
    if problem := template_problem(settings.topic):
        return f"topic: {problem}"
    return ""


def attributes(event: Recorded) -> dict[str, str]:
    """The user properties of binary mode, and the content type beside them."""
    envelope = event.envelope
    found = {
        CONTENT_TYPE: envelope.datacontenttype or "application/json", "specversion": envelope.specversion,
        "time": rfc3339(envelope.time), "recordedtime": rfc3339(event.recorded), "sequence": event.cursor,
    }  # fmt: skip
    found |= {word: getattr(envelope, word) for word in _WORDS if getattr(envelope, word)}
    return {word: _UNFIT.sub("\ufffd", text) for word, text in found.items()}


SINK = SinkKind(
    name="mqtt",
    title="MQTT broker",
    family="hub",
    settings=MqttSettings,
    render=render,
    connect=connect,
    check=check,
    formats=("CloudEvents 1.0, binary as user properties on MQTT 5, structured on 3.1.1",),
)
