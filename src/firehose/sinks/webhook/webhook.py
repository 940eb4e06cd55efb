"""Webhooks: each event as one POST, signed as Standard Webhooks asks.

In: an event. Out: the request's body and its CloudEvents headers; signing and sending is `transport.py`'s. The body is
the CloudEvent itself (`structured`), or the upstream payload with the attributes in `ce-` headers (`binary`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal
from urllib.parse import quote

from firehose import urls
from firehose.event import Recorded, identity, rfc3339
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.webhook.transport import connect

STRUCTURED: Final = "application/cloudevents+json"
_SAFE: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "") + " "
_WORDS: Final = (
    "id", "source", "type", "subject", "dataschema", "kind", "topic", "project", "actor", "summary", "link", "outcome",
    "severity", "refs",
)  # fmt: skip


class WebhookSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: where to post, http or https. mode: `structured` (the CloudEvent as the body) or `binary` (the upstream
    payload as the body, the attributes as `ce-` headers). secret_file, secret_env: the shared secret (`whsec_…`) of
    the HMAC signature. old_secret_file, old_secret_env: the one before; as long as it is named, messages are signed
    with both. Every message also carries the hub's ed25519 signature (`v1a`), whose key is at `/v1/keys`.
    timeout: seconds for a whole request."""

    url: str
    mode: Literal["structured", "binary"] = "structured"
    secret_file: str = ""
    secret_env: str = ""
    old_secret_file: str = ""
    old_secret_env: str = ""
    timeout: float = 20.0


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The request that carries an event."""
    (event,) = events
    settings: WebhookSettings = outlet.settings
    if settings.mode == "binary":
        return Message(id=message_id(event), to=settings.url, body=event.raw, headers=dict(attributes(event)))
    return Message(id=message_id(event), to=settings.url, body=event.line, headers={"content-type": STRUCTURED})


def message_id(event: Recorded) -> str:
    """The same for every try and every restart; unique to the event."""
    return f"msg_{identity(event.envelope.source, event.envelope.id)}"


def attributes(event: Recorded) -> Iterator[tuple[str, str]]:
    """The headers of binary mode; what no header may hold is percent-encoded, as the HTTP binding says."""
    envelope = event.envelope
    yield "content-type", envelope.datacontenttype or "application/json"
    yield "ce-specversion", envelope.specversion
    yield "ce-time", rfc3339(envelope.time)
    yield "ce-recordedtime", rfc3339(event.recorded)
    yield "ce-sequence", event.cursor
    for word in _WORDS:
        value = getattr(envelope, word)
        if value:
            yield f"ce-{word}", quote(value, safe=_SAFE)


def check(settings: WebhookSettings) -> str:
    """Why the settings cannot work."""
    if problem := urls.problem(settings.url, ("https", "http")):
        return f"url: {problem}"
    if not settings.timeout > 0:
        return "timeout: it must be more than 0 seconds"
    return ""


SINK = SinkKind(
    name="webhook",
    title="Webhook",
    family="hub",
    settings=WebhookSettings,
    render=render,
    connect=connect,
    check=check,
    formats=("CloudEvents 1.0, structured or binary; signed by Standard Webhooks (HMAC v1, ed25519 v1a)",),
)
