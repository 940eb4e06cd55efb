"""Any other NATS server, as the CloudEvents NATS binding says.

In: an event. Out: a subject and a payload: in binary mode the upstream payload with the attributes as `ce-` headers,
in structured mode the CloudEvent. `Nats-Msg-Id` is the event's identity, so that a stream there drops what it already
has. The connection is `transport.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from firehose.errors import GiveUp
from firehose.event import Recorded, identity, rfc3339
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.nats.transport import connect, url_problem
from firehose.subject import escape, to_nats

STRUCTURED: Final = "application/cloudevents+json; charset=utf-8"
LONGEST: Final = 4_000
"""A server takes 4,096 bytes of a protocol line."""
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = (
    "id", "source", "type", "subject", "dataschema", "kind", "topic", "project", "actor", "summary", "link", "outcome",
    "severity", "refs",
)  # fmt: skip
_KNOWN: Final = ("topic", "source", "kind", "project", "subject", "outcome", "severity")
# As the binding says: what a header cannot hold is percent-encoded, and the percent sign itself.
_UNFIT: Final = re.compile(r"[^\x21-\x7e]|[\"%]")


class NatsSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: `nats://host[:port]`, `tls://…`, `ws://…` or `wss://…`; several servers of a cluster with commas.
    subject: where to publish, with `{topic}` (the canonical one, its levels as tokens), `{source}`, `{kind}`,
    `{project}`, `{subject}`, `{outcome}`, `{severity}`. mode: `binary` or `structured`. acknowledge: `stream` waits
    until a JetStream stream there has stored it, `server` until the server has it. user, and secret_file or secret_env:
    the login; a secret without a user is a token. creds_file: a NATS credentials file instead. ca_file, cert_file,
    key_file: for TLS."""

    url: str
    subject: str = "{topic}"
    mode: Literal["binary", "structured"] = "binary"
    acknowledge: Literal["stream", "server"] = "stream"
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""
    creds_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The message that carries an event."""
    (event,) = events
    settings: NatsSettings = outlet.settings
    envelope = event.envelope
    id_ = identity(envelope.source, envelope.id)
    to = subject(settings.subject, event)
    if settings.mode == "structured":
        return Message(id=id_, to=to, body=event.line, headers={"Nats-Msg-Id": id_, "content-type": STRUCTURED})
    return Message(id=id_, to=to, body=event.raw, headers={"Nats-Msg-Id": id_, **attributes(event)})


def subject(template: str, event: Recorded) -> str:
    """The subject that a template means for an event; `GiveUp` when no server would take it."""
    envelope = event.envelope
    values = {
        "topic": to_nats(envelope.topic), "source": _tokens(event.name), "kind": envelope.kind,
        "project": _tokens(envelope.project), "subject": _tokens(envelope.subject), "outcome": envelope.outcome,
        "severity": envelope.severity,
    }  # fmt: skip
    filled = _PLACE.sub(lambda found: values[found[1]], template)
    made = ".".join(token for token in filled.split(".") if token)
    if not made or len(made.encode()) > LONGEST:
        raise GiveUp(f"the subject has {len(made.encode()):,} bytes; 1 to {LONGEST:,} are possible")
    return made


def _tokens(name: str) -> str:
    """A name as tokens, as the hub's own MQTT topics are subjects: `/` separates, a dot in a level is `//`."""
    return to_nats(escape(name)) if name else ""


def attributes(event: Recorded) -> dict[str, str]:
    """The headers of binary mode."""
    envelope = event.envelope
    found = {
        "content-type": envelope.datacontenttype or "application/json", "ce-specversion": envelope.specversion,
        "ce-time": rfc3339(envelope.time), "ce-recordedtime": rfc3339(event.recorded), "ce-sequence": event.cursor,
    }  # fmt: skip
    return found | {f"ce-{word}": fit(text) for word in _WORDS if (text := str(getattr(envelope, word)))}


def fit(text: str) -> str:
    """Text as a header can hold it."""
    return _UNFIT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), text)


def check(settings: NatsSettings) -> str:
    """Why the settings cannot work."""
    if problem := url_problem(settings.url):
        return f"url: {problem}"
    for name in _PLACE.findall(settings.subject):
        if name not in _KNOWN:
            return f"subject: there is no {{{name}}}; known: {', '.join(_KNOWN)}"
    if re.search(r"[*>\s]", settings.subject):
        return "subject: '*', '>' and spaces are for subscribing, a message needs a whole subject"
    return ""


SINK = SinkKind(
    name="nats",
    title="NATS server",
    family="hub",
    settings=NatsSettings,
    render=render,
    connect=connect,
    check=check,
    formats=("CloudEvents 1.0, binary as `ce-` headers, or structured",),
)
