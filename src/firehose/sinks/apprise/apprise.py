"""Any of the services that Apprise can notify: chats, phones, pagers, desktops.

In: events of one thing that wait together. Out: a title and a text; the service's address is a secret, so it is known
to `transport.py` alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from firehose.event import Recorded, identity, line
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.apprise.transport import TITLE, connect

MOST = 20


class AppriseSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """secret_file, secret_env: the service's Apprise URL, such as `slack://…` or `tgram://…`; one, since it is what is
    tried again. title: a fixed title instead of the newest event's project and kind."""

    secret_file: str = ""
    secret_env: str = ""
    title: str = ""


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The notification."""
    last = events[-1].envelope
    title = outlet.settings.title or " ".join(word for word in (last.project, last.kind) if word)
    text = "\n".join(words(event, outlet) for event in events)
    return Message(id=identity(last.source, last.id), to="", body=text.encode(), headers={TITLE: title})


def words(event: Recorded, outlet: Outlet) -> str:
    """An event as text: what happened, and where to look."""
    envelope = event.envelope
    said = line(envelope.summary or f"{envelope.kind} {envelope.subject}")
    return f"{said}\n{envelope.link or f'{outlet.hub_url}/events/{event.cursor}'}"


SINK = SinkKind(
    name="apprise",
    title="Apprise",
    family="people",
    settings=AppriseSettings,
    render=render,
    connect=connect,
    most=MOST,
    to=lambda settings: "",
    formats=("a title and a text, to any service that Apprise knows",),
)
