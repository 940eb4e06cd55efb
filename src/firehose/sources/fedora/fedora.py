"""Fedora's message bus: what the messages of its services mean, and how to listen to it.

In: a message in any of the forms of `wire.py`. Out: one event for each, none lost: services that `services/` knows in
their own words, with the people and packages that they are about; all others under their topic. Messages of a hub (our
own sink's among them) are ignored, or taken in as the events they are when their topic is one of `hubs`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Envelope, Event, fingerprint
from firehose.sources.fedora.services import KINDS, Said, rule, say
from firehose.sources.fedora.wire import Told, strip, told
from firehose.wild import Wild

OURS: Final = "firehose.event"
GENERIC: Final = "message.published"
MARK: Final = "fedora-messaging:"
BASE: Final = "base.message"
PRIVATE: Final = "private"
IGNORED: Final = {
    PRIVATE: "a ticket or a comment that its service marks as private",
    OURS: "an event of a hub, maybe of this one; `hubs` names the topics of hubs that are listened to",
}
_envelopes = msgspec.json.Decoder(Envelope)


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: what the events' `source` is: the bus as people know it.

    amqp: `amqp(s)://user@host/vhost` of the broker. amqp_secret_file, amqp_secret_env: the password. ca_file,
    cert_file, key_file: for TLS; with a certificate and no password, the certificate is the login. amqp_queue: the
    hub's own queue; a UUID on Fedora's public broker. amqp_exchange: it must exist. bindings: topics to hear, `#` for
    all. durable: keep the queue while the hub is away; Fedora's public broker forbids it. hubs: the first words of the
    topics of other hubs whose events come in as they are. accounts: whose account a nick or a mail address is.
    """

    url: str = "https://fedoraproject.org"
    amqp: str = ""
    amqp_secret_file: str = ""
    amqp_secret_env: str = ""
    amqp_queue: str = "firehose"
    amqp_exchange: str = "amq.topic"
    bindings: tuple[str, ...] = ("#",)
    durable: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    hubs: tuple[str, ...] = ()
    accounts: dict[str, str] = msgspec.field(default_factory=dict)


def holds(settings: Settings) -> source.Hold | None:
    """The queue, when there is a broker."""
    if not settings.amqp:
        return None
    return source.Queue(
        settings.amqp, settings.amqp_queue, settings.amqp_exchange, settings.bindings, exchange_exists=True,
        durable=settings.durable, ca_file=settings.ca_file, cert_file=settings.cert_file, key_file=settings.key_file,
    )  # fmt: skip


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one message means."""
    message = told(delivery)
    if message.schema == OURS:
        if any(f"{message.topic}.".startswith(f"{first.rstrip('.')}.") for first in settings.hubs):
            return [_passed_on(message)]
        return source.Ignored(OURS)
    if _private(message.body):
        return source.Ignored(PRIVATE)
    said = say(message, settings.accounts)
    people = _names((*said.people, *message.people))
    packages = _names((*said.packages, *message.packages))
    refs = (
        *said.refs, *(f"user/{subject.escape(name)}" for name in people),
        *(f"package/rpm/{subject.escape(name)}" for name in packages),
    )  # fmt: skip
    about = said.about or (f"package/rpm/{subject.escape(packages[0])}" if packages else f"topic/{message.service}")
    actor = said.actor or (people[0] if len(people) == 1 else "")
    return [
        Event(
            id=message.id or fingerprint(message.topic, message.data),
            source=settings.url.rstrip("/"),
            type=_type(message.topic),
            kind=said.kind,
            subject="#".join(map(subject.escape, about.split("#"))),
            time=message.time or delivery.received,
            project=said.project,
            actor="" if "@" in actor or actor == "-" else actor,
            summary=said.summary,
            link=said.link,
            outcome=said.outcome,
            severity=_severity(message, said),
            refs=tuple(dict.fromkeys(ref for ref in refs if ref != about)),
            # Also what names no schema is marked as from a bus: our sink does not send it back.
            dataschema=f"{MARK}{subject.escape(message.schema) or BASE}",
            data=message.data,
            alias=("fedora-messaging/" + "/".join(_level(word) for word in message.topic.split(".")),),
        )
    ]


def _private(body: Wild) -> bool:
    """Pagure's private tickets, Bugzilla's private comments, people's own streams on Hubs: services leave them out, an
    error there is not ours."""
    return body["hub_type"].json() == b'"stream"' or b"true" in (
        body.at("issue", "private").json(),
        body.at("comment", "is_private").json(),
    )


def _level(word: str) -> str:
    """A word of a topic as an MQTT level, from which it can be read back."""
    return subject.escape(word).replace("/", "%2F")


def _type(topic: str) -> str:
    """The topic, and a domain before it when it has none."""
    plain = subject.escape(topic)
    return plain if strip(topic) != topic else f"org.fedoraproject.{plain}"


def _names(found: tuple[str, ...]) -> tuple[str, ...]:
    """Names once each; an address of a person is no name."""
    return tuple(dict.fromkeys(name for name in found if name and "@" not in name))


def _severity(message: Told, said: Said) -> str:
    if message.severity >= 40:
        return "error"
    return "warning" if message.severity >= 30 or said.outcome in ("failure", "error") else "info"


def _passed_on(message: Told) -> Event:
    """The event of another hub, under its own id and source: one that is already here is known by them."""
    try:
        found = _envelopes.decode(message.body.json())
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(f"the body is no event: {error}", slug="bad-field", status=422) from None
    fields = {
        name: getattr(found, name)
        for name in ("id", "source", "type", "kind", "subject", "time", "project", "actor", "summary", "link",
                     "outcome", "severity", "datacontenttype")
    }  # fmt: skip
    data = b"null" if found.data is msgspec.UNSET else bytes(found.data)
    if not fields["datacontenttype"].partition(";")[0].endswith("json"):
        fields["datacontenttype"] = "application/json"
    return Event(
        **fields, refs=tuple(found.refs.split()), data=data, dataschema=found.dataschema or f"{MARK}{OURS}"
    )  # fmt: skip


def native_kind(delivery: source.Delivery) -> str:
    """The topic without its prefix; "" when it cannot be read."""
    try:
        message = told(delivery)
    except Refused:
        return ""
    return OURS if message.schema == OURS else rule(message.service) or message.service


SOURCE: Final = source.SourceKind(
    name="fedora",
    title="Fedora Messaging",
    family="hub",
    settings=Settings,
    read=read,
    kinds={**KINDS, "*": GENERIC},
    ignored=IGNORED,
    native_kind=native_kind,
    holds=holds,
)
