"""Fedora Messaging: events as messages that the `fedora-messaging` library accepts.

In: an event. Out: a routing key below the operator's prefix, the event as the body, and the headers that consumers
filter by (schema, severity, people, packages). The schema is `packages/firehose-messages/`. The message id is made of
the event's identity, so that every try has the same. Events that came from the bus do not go back to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final
from uuid import UUID

import msgspec

from firehose.errors import GiveUp
from firehose.event import Envelope, Recorded, digest
from firehose.sink import Message, Outlet, Settings, SinkKind, lane
from firehose.sinks.fedora.transport import HEADERS, connect, url_problem
from firehose.subject import unescape

SCHEMA: Final = "firehose.event"
PACKAGE: Final = "firehose_messages"
MARK: Final = "fedora-messaging:"
SEVERITIES: Final = {"info": 20, "notice": 20, "warning": 30, "error": 40}
LONGEST: Final = 255
MOST_PRIORITY: Final = 255
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = ("source", "kind", "project", "outcome", "severity")
_UNSAFE: Final = re.compile(r"[\s.*#%\x00-\x1f\x7f]")


class FedoraSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amqp_url: `amqp(s)://user@host[:port]/vhost`. secret_file or secret_env: the password. ca_file, cert_file,
    key_file: for TLS; with a certificate and no password, the certificate is the login. exchange: it must exist.
    topic_prefix: the first words of every topic, as the broker allows them to this publisher.
    topic: what follows, with `{source}`, `{kind}`, `{project}`, `{outcome}`, `{severity}`. priority: of the messages.
    mandatory: a message that no queue wants is tried again. relay: also publish what came from a message bus."""

    amqp_url: str
    secret_file: str = ""
    secret_env: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    exchange: str = "amq.topic"
    topic_prefix: str = ""
    topic: str = "firehose.{source}.{kind}"
    priority: int | None = None
    mandatory: bool = False
    relay: bool = False


def lanes(event: Recorded, settings: FedoraSettings) -> Sequence[str]:
    """No lane for what came from a bus: it must not go round in circles."""
    if event.envelope.dataschema.startswith(MARK) and not settings.relay:
        return ()
    return (lane(event, settings),)


def render(events: Sequence[Recorded], _lane: str, outlet: Outlet) -> Message:
    """The message that carries an event."""
    (event,) = events
    settings: FedoraSettings = outlet.settings
    envelope = event.envelope
    id_ = str(UUID(bytes=digest(envelope.source, envelope.id), version=4))
    headers = msgspec.json.encode(_headers(event, settings)).decode()
    return Message(id=id_, to=topic(settings, event), body=event.line, headers={HEADERS: headers})


def topic(settings: FedoraSettings, event: Recorded) -> str:
    """The topic of an event; `GiveUp` when it is longer than AMQP allows."""
    envelope = event.envelope
    values = {
        "source": word(event.name), "kind": envelope.kind, "project": word(envelope.project),
        "outcome": envelope.outcome, "severity": envelope.severity,
    }  # fmt: skip
    filled = _PLACE.sub(lambda found: values[found[1]], settings.topic)
    whole = ".".join(part for part in (*settings.topic_prefix.split("."), *filled.split(".")) if part)
    if len(whole.encode("utf-8", "replace")) > LONGEST:
        raise GiveUp(f"the topic {whole[:80]}… has more than {LONGEST} bytes")
    return whole


def word(name: str) -> str:
    """A name as one word of a topic: dots and what has a meaning in bindings are percent-escaped."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)


def _headers(event: Recorded, settings: FedoraSettings) -> dict[str, Any]:
    envelope = event.envelope
    found: dict[str, Any] = {
        "fedora_messaging_schema": SCHEMA, "fedora_messaging_schema_package": PACKAGE,
        "fedora_messaging_severity": SEVERITIES.get(envelope.severity, 20), "priority": settings.priority or 0,
        "sent-at": event.recorded.astimezone(UTC).replace(microsecond=0).isoformat(),
    }  # fmt: skip
    found |= {f"fedora_messaging_user_{name}": True for name in usernames(envelope)}
    return found | {f"fedora_messaging_rpm_{name}": True for name in _named(envelope, "package/rpm/")}


def usernames(envelope: Envelope) -> list[str]:
    """Who did it, and the other people whom it is about."""
    return sorted({*([envelope.actor] if envelope.actor else []), *_named(envelope, "user/")})


def _named(envelope: Envelope, prefix: str) -> list[str]:
    subjects = {envelope.subject, *envelope.refs.split()}
    return sorted(unescape(ref.removeprefix(prefix)) for ref in subjects if ref.startswith(prefix))


def check(settings: FedoraSettings) -> str:
    """Why the settings cannot work."""
    if problem := url_problem(settings.amqp_url):
        return f"amqp_url: {problem}"
    if settings.priority is not None and not 0 <= settings.priority <= MOST_PRIORITY:
        return f"priority: it must be 0 to {MOST_PRIORITY}"
    for name in _PLACE.findall(settings.topic):
        if name not in _WORDS:
            return f"topic: there is no {{{name}}}; known: {', '.join(_WORDS)}"
    if re.search(r"[*#\s]", settings.topic_prefix + settings.topic):
        return "topic: '*', '#' and spaces are for bindings, a message needs a whole topic"
    return ""


SINK = SinkKind(
    name="fedora",
    title="Fedora Messaging",
    family="hub",
    settings=FedoraSettings,
    render=render,
    connect=connect,
    lanes=lanes,
    check=check,
    to=lambda settings: str(settings.amqp_url),
    formats=("fedora-messaging: the CloudEvent as the body, schema `firehose.event` of the package firehose-messages",),
)
