"""The inbox: any CloudEvent, and plain JSON where the settings say what its type and id are.

In: deliveries over HTTP, MQTT or NATS by whoever may publish to this source. Out: events with the sender's id, source
and type; their kind, project, actor and so on come from the settings' rules, else from attributes of those names, else
from the type. Data are checked against the JSON schema that is registered for the type or named by `dataschema`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from firehose import source, subject, wild
from firehose.errors import Refused, UnknownKind
from firehose.event import OUTCOMES, SEVERITIES, Event, line
from firehose.sources.inbox import schemas
from firehose.sources.inbox.cloudevent import LONGEST, Incoming, incoming, is_binary, refuse
from firehose.sources.inbox.rules import FIELDS, Rule, Values, check, places

_KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}\.[a-z][a-z0-9_-]{0,40}(\.[a-z0-9_-]{1,40})?")
_CDEVENT: Final = re.compile(r"dev\.cdevents\.([a-z]+\.[a-z]+)\.\d+\.\d+\.\d+.*")
_NO_RULE: Final = Rule()


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """schemas: type pattern -> file with a JSON schema. rules: what the sender's words mean; the first that fits.
    senders: patterns of the CloudEvents `source` attribute that may come in ("*" all).
    strict: quarantine events whose type no rule fits, instead of reading the kind from the type.
    type, id: for plain JSON without a CloudEvents envelope: texts with places, both needed (`build.{data.state}`,
    `{data.id}`).
    family: icon and colour of its events on the pages, for a service that a kind of its own would have."""

    schemas: dict[str, str] = msgspec.field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    senders: tuple[str, ...] = ("*",)
    strict: bool = False
    type: str = ""
    id: str = ""
    family: Literal["review", "ci", "cloud", "ticket", "log", "deploy", "artifact", "forge", "people", "hub"] = "hub"

    def __post_init__(self) -> None:
        schemas.compiled(schemas.pairs(self.schemas))
        if bool(self.type) != bool(self.id):
            raise ValueError("plain JSON needs both: type and id")
        if self.id and not places(self.id):
            raise ValueError(f"id must hold a place such as {{data.id}}, {self.id!r} is the same for all events")
        for place in (*places(self.type), *places(self.id)):
            check(place)


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """The events of a delivery, all or none."""
    found = incoming(delivery)
    if found is None:
        found = [_plain(delivery, settings)]
    return [_event(item, delivery, settings) for item in found]


def _plain(delivery: source.Delivery, settings: Settings) -> Incoming:
    wild.decode(delivery.body)
    if not settings.type:
        raise Refused(
            "this is no CloudEvent (no specversion, no ce- headers); send one, or give the source `type` and `id`",
            slug="no-envelope",
            status=422,
            field="specversion",
        )
    values = Values({}, delivery.headers, delivery.topic, msgspec.json.decode(delivery.body))
    type_, id_ = values.fill(settings.type), values.fill(settings.id)
    if not id_:
        raise refuse(f"{places(settings.id)[0]} is missing: the event has no id", places(settings.id)[0])
    origin = settings.url or f"urn:firehose:{delivery.source}"
    if len(id_) > LONGEST:
        raise refuse(f"the event's id is longer than {LONGEST} characters", places(settings.id)[0])
    return Incoming(id=id_, source=origin, type=type_, attributes={"type": type_, "id": id_}, data=delivery.body)


def _event(item: Incoming, delivery: source.Delivery, settings: Settings) -> Event:
    if not any(fnmatchcase(item.source, pattern) for pattern in settings.senders):
        raise Refused(
            f"{item.path}source {item.source[:100]!r} is not among this inbox's senders",
            slug="unknown-sender",
            status=403,
            field=f"{item.path}source",
        )
    data = msgspec.json.decode(item.data) if item.is_json else None
    dataschema = item.attributes.get("dataschema", "")
    fault = schemas.compiled(schemas.pairs(settings.schemas)).problem(item.type, dataschema, data)
    if fault is not None:
        raise refuse(f"{item.path}{fault[0]}: {fault[1]}", item.path + fault[0], "schema")
    values = Values(item.attributes, delivery.headers, delivery.topic, data)
    rule = next((rule for rule in settings.rules if values.fit(rule, item.type)), None)
    if rule is None and settings.strict:
        raise UnknownKind(item.type)
    words = _words(rule or _NO_RULE, values, item)
    return Event(
        id=item.id,
        source=item.source,
        type=item.type,
        kind=_kind(words["kind"], rule or _NO_RULE, item.type),
        subject=words["subject"] or item.source,
        time=item.time or delivery.received,
        project=words["project"],
        actor=words["actor"],
        summary=line(words["summary"]) or line(" ".join(filter(None, [item.type, words["subject"]]))),
        link=_link(words["link"]),
        outcome=words["outcome"],
        severity=words["severity"] or "info",
        refs=_refs(rule or _NO_RULE, values, words["subject"]),
        datacontenttype=item.contenttype,
        dataschema=dataschema,
        data=item.data,
    )


def _words(rule: Rule, values: Values, item: Incoming) -> dict[str, str]:
    found = {name: values.fill(getattr(rule, name)) or item.attributes.get(name, "") for name in FIELDS}
    found["outcome"] = rule.outcomes.get(found["outcome"], found["outcome"])
    for name, known in (("outcome", OUTCOMES), ("severity", SEVERITIES)):
        if found[name] and found[name] not in known:
            raise refuse(
                f"{item.path}{name} {found[name][:60]!r} is none of {', '.join(known)}; a rule can map it",
                f"{item.path}{name}",
                "bad-field",
            )
    return found


def _kind(filled: str, rule: Rule, type_: str) -> str:
    """Ours: from the rule or the attribute, else the CDEvents kind that the type names, else the type's last words."""
    kind = rule.kinds.get(filled, filled)
    if not kind:
        cdevent = _CDEVENT.fullmatch(type_)
        kind = cdevent[1] if cdevent else ".".join(re.sub(r"[^a-z0-9.-]+", "-", type_.lower()).split(".")[-2:])
        kind = kind if "." in kind else f"{kind}.happened"
    if not _KIND.fullmatch(kind):
        raise UnknownKind(filled or type_)
    return kind


def _refs(rule: Rule, values: Values, about: str) -> tuple[str, ...]:
    found = [about, *(values.fill(text) for text in rule.refs), *values.at("refs").split()]
    return tuple(dict.fromkeys(subject.escape(ref) for ref in found if ref))


def _link(text: str) -> str:
    return text if text.startswith(("https://", "http://")) and not any(c.isspace() for c in text) else ""


def native_kind(delivery: source.Delivery) -> str:
    """The type of the first event, "" when it cannot be read."""
    try:
        found = incoming(delivery)
    except Refused:
        return ""
    return found[0].type if found else ""


_READ: Callable[[source.Delivery, Any], source.Verdict] = read
_KINDS: Mapping[str, str] = {"any CloudEvent": "by rule, attribute or type", "plain JSON": "by the settings"}

SOURCE: Final = source.SourceKind(
    name="inbox",
    title="Inbox",
    family="hub",
    settings=Settings,
    read=_READ,
    kinds=_KINDS,
    schemes=(source.Scheme("bearer"),),
    any_media=is_binary,
    native_kind=native_kind,
)
