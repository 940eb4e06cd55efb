"""The forms a message of Fedora's bus comes in: over AMQP, as `fedora-messaging` keeps it in files, as fedmsg sent it.

In: a delivery. Out: `Told`, the same for all forms: topic, id, time, severity, schema, who and what its headers name,
and the body. An AMQP message is kept as the library itself writes one down (`topic`, `headers`, `id`, `body`, `queue`,
`priority`), so that nothing of it is lost and `fedora-messaging` can load it again. It knows no service.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.source import Delivery
from firehose.wild import Wild, decode

USER: Final = "fedora_messaging_user_"
RPM: Final = "fedora_messaging_rpm_"
LONGEST: Final = 255
_ENVIRONMENTS: Final = ("prod", "stg", "stage", "staging", "dev", "test")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One message. id: the sender's, "" for none. severity: 10 to 40. people, packages: those that the headers name.
    sender: the account that published it (fedmsg only). data: the message whole, as JSON."""

    topic: str
    id: str
    time: datetime | None
    severity: int
    schema: str
    people: tuple[str, ...]
    packages: tuple[str, ...]
    sender: str
    body: Wild
    data: bytes

    @property
    def service(self) -> str:
        """The topic without the prefix that says where: `org.fedoraproject.prod.bodhi.update.comment` is
        `bodhi.update.comment`."""
        return strip(self.topic)

    @property
    def staging(self) -> bool:
        """Whether it says of itself that it is from a staging environment."""
        words = self.topic.split(".")
        return len(words) > 3 and words[2] in ("stg", "stage", "staging")


def strip(topic: str) -> str:
    """A topic without its first three words, when these are a domain and an environment."""
    words = topic.split(".", 3)
    return words[3] if len(words) == 4 and words[2] in _ENVIRONMENTS else topic


def told(delivery: Delivery) -> Told:
    """The message in a delivery; `Refused` when it is none, or has no topic."""
    body = decode(delivery.body)
    if delivery.topic and delivery.channel == "amqp":
        return _dumped(_wrapped(delivery, body))
    if body["topic"].is_text() and body["body"].is_object():
        return _dumped(delivery.body)
    while body["msg"]["topic"].is_text() and body["msg"]["msg"].is_object():
        body = body["msg"]
    if body["topic"].is_text() and body["msg"].is_object():
        return _fedmsg(body)
    if topic := delivery.topic or delivery.headers.get("topic", ""):
        return _dumped(_wrapped(msgspec.structs.replace(delivery, topic=topic), body))
    raise Refused("this is no message of Fedora's bus: it has no topic", slug="bad-field", status=422, field="topic")


def _wrapped(delivery: Delivery, body: Wild) -> bytes:
    """An AMQP message in the library's own form."""
    if not body.is_object():
        raise Refused("a message's body is a JSON object", slug="bad-field", status=422)
    given = delivery.headers
    return msgspec.json.encode(
        {
            "topic": delivery.topic, "headers": msgspec.Raw(given.get("amqp-headers", "{}").encode()),
            "id": given.get("amqp-message-id", ""), "body": msgspec.Raw(delivery.body), "queue": None,
            "priority": int(number) if (number := given.get("amqp-priority", "")).isdigit() else None,
        }
    )  # fmt: skip


def _dumped(data: bytes) -> Told:
    """The library's own form: what `dumps()` writes and `loads()` reads."""
    message = decode(data)
    headers = message["headers"]
    names = [name for name, value in headers.fields() if name.startswith("fedora_messaging_") and value.present]
    level = headers["fedora_messaging_severity"]
    return Told(
        topic=_topic(message["topic"]),
        id=message["id"].text(""),
        time=headers["sent-at"].moment(),
        severity=int(level.number(20)),
        schema=headers["fedora_messaging_schema"].text(""),
        people=_named(names, USER),
        packages=_named(names, RPM),
        sender="",
        body=message["body"],
        data=data,
    )


def _fedmsg(message: Wild) -> Told:
    """fedmsg's envelope. Its signature is of no use without the certificate authority of its time."""
    return Told(
        topic=_topic(message["topic"]),
        id=message["msg_id"].text(""),
        time=message["timestamp"].moment(),
        severity=20,
        schema="",
        people=(),
        packages=(),
        sender=message["username"].text(""),
        body=message["msg"],
        data=message.json(),
    )


def _topic(value: Wild) -> str:
    topic = value.text()
    if not topic or len(topic.encode("utf-8", "replace")) > LONGEST or not topic.isprintable():
        raise Refused(f"a topic has 1 to {LONGEST} printable bytes", slug="bad-field", status=422, field="topic")
    return topic


def _named(names: Sequence[str], prefix: str) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix) and name != prefix))
