"""An event of a Firehose hub as a fedora-messaging message.

In: a message whose body is the hub's CloudEvent. Out: what consumers (FMN, Datagrepper, badges) ask every message for,
without a look into what the upstream service sent. It knows nothing of the hub but the form of its events.
"""

from __future__ import annotations

import typing
import urllib.parse

from fedora_messaging import message

_TEXT = {"type": "string"}


class EventV1(message.Message):
    """One event. A field that the event does not have is "" or empty."""

    body_schema: typing.ClassVar[dict[str, typing.Any]] = {
        "id": "https://firehose.example.org/v1/schemas/firehose.event",
        "$schema": "http://json-schema.org/draft-04/schema#",
        "description": "An event of a Firehose hub: a CloudEvent 1.0",
        "type": "object",
        "properties": {
            "specversion": {"enum": ["1.0"]},
            "id": {"type": "string", "minLength": 1, "description": "with source: what identifies the event"},
            "source": {"type": "string", "minLength": 1, "description": "URI of the service it happened at"},
            "type": {"type": "string", "minLength": 1, "description": "the service's own word, in reverse DNS"},
            "kind": {"type": "string", "pattern": r"^[^.]+\.[^.]+$", "description": "what happened: change.merged"},
            "subject": {"type": "string", "minLength": 1, "description": "the thing that it happened to"},
            "time": {"type": "string", "description": "when it happened, RFC 3339"},
            "recordedtime": {"type": "string", "description": "when the hub recorded it, RFC 3339"},
            "sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "its place in the hub's stream"},
            "topic": {"type": "string", "description": "its topic on the hub's MQTT side"},
            "project": _TEXT,
            "actor": {"type": "string", "description": "the login of who did it, never an address"},
            "summary": {"type": "string", "description": "one line for people"},
            "link": _TEXT,
            "outcome": {"enum": ["", "success", "failure", "error", "cancel", "skipped", "running", "queued"]},
            "severity": {"enum": ["info", "notice", "warning", "error"]},
            "refs": {"type": "string", "description": "subjects that it belongs to, separated by spaces"},
            "datacontenttype": _TEXT,
            "dataschema": _TEXT,
            "data": {"description": "what the service sent"},
            "data_base64": _TEXT,
        },
        "required": ["specversion", "id", "source", "type", "kind", "subject", "time"],
    }

    @property
    def summary(self) -> str:
        """One line."""
        return self._text("summary") or f"{self.kind}: {self.subject}"

    def __str__(self) -> str:
        """The line, the link, and the facts below."""
        told = {name: self._text(name) for name in ("kind", "project", "actor", "time")}
        facts = "\n".join(f"{name.capitalize()}: {value}" for name, value in told.items() if value)
        return "\n".join(part for part in (self.summary, self.url, "", facts) if part is not None)

    @property
    def url(self) -> str | None:
        """Where to look."""
        return self._text("link") or None

    @property
    def app_name(self) -> str:
        """The service that it happened at, in the hub's name for it."""
        return self._text("topic").split("/")[1] if self._text("topic").count("/") > 1 else "firehose"

    @property
    def agent_name(self) -> str | None:
        """Who did it."""
        return self._text("actor") or None

    @property
    def usernames(self) -> list[str]:
        """Who did it, and the other people whom it is about."""
        return sorted({*self._named("user/"), *([self._text("actor")] if self._text("actor") else [])})

    @property
    def packages(self) -> list[str]:
        """RPM packages that it is about."""
        return self._named("package/rpm/")

    @property
    def groups(self) -> list[str]:
        """Groups that it is about."""
        return self._named("group/")

    @property
    def kind(self) -> str:
        """What happened, in CDEvents' words: `change.merged`."""
        return self._text("kind")

    @property
    def project(self) -> str:
        """Whose thing it is: `openstack/nova`."""
        return self._text("project")

    @property
    def subject(self) -> str:
        """The thing that it happened to: `openstack/nova~12345`."""
        return self._text("subject")

    @property
    def refs(self) -> list[str]:
        """The other things that it belongs to."""
        return self._text("refs").split()

    @property
    def event_id(self) -> str:
        """With `event_source`: what identifies the event, also in other hubs."""
        return self._text("id")

    @property
    def event_source(self) -> str:
        """The URI of the service that it happened at."""
        return self._text("source")

    def _text(self, name: str) -> str:
        value = self.body.get(name, "")
        return value if isinstance(value, str) else ""

    def _named(self, prefix: str) -> list[str]:
        found = {self.subject, *self.refs}
        return sorted(urllib.parse.unquote(one[len(prefix) :]) for one in found if one.startswith(prefix))
