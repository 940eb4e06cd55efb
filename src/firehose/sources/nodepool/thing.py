"""A node, a request, an image or an upload: its znode's record, and the event that its state is.

In: the body of a delivery. Out: what an event about it says. Labels and providers are called the same for Nodepool and
for Zuul's launchers; durations come from the times that the hub saw states begin.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firehose import source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint, line
from firehose.sources.nodepool.kinds import OPEN, Meaning
from firehose.sources.nodepool.znode import own_related, place_of, plain, state_of
from firehose.wild import Wild

_LATEST: Final = 1e11
_START: Final = re.compile(r"-[0-9a-f]{32}$")
"""What Nodepool puts behind a launcher's name, anew at each of its starts."""
_PROGRAMS: Final = {"nodepool": "org.zuul-ci.nodepool", "launcher": "org.zuul-ci.launcher"}


def _seconds(given: Wild) -> float:
    """A time as the hub remembered it, seconds since 1970."""
    found = given.number()
    if not abs(found) < _LATEST:
        raise Refused(f"{given.path} is no time", slug="bad-field", status=422, field=given.path)
    return found


class Thing:
    """A node, a request, an image or an upload: a record at a path, tamed."""

    def __init__(self, body: Wild, delivery: source.Delivery, url: str) -> None:
        path = body["path"].text()
        found = place_of(path)
        if found is None:
            raise UnknownKind(_Tail(path).noun)
        self.path = path
        self.place, self.names = found
        self.gone = body["gone"].flag(False)
        if not body["data"].is_object() and not (self.gone and not body["data"].present):
            raise Refused(f"{path} holds no record", slug="bad-field", status=422, field="data")
        raw: dict[str, Any] = msgspec.json.decode(body["data"].json()) if body["data"].present else {}
        # What the hub found was cut to these fields before; what comes another way (`firehose explain`) is cut here.
        self.record = plain(raw, self.place)
        self.data = Wild(self.record)
        self.stat = body["stat"]
        # A launcher's ids are used once, and its web API knows neither transactions nor fractions of a second.
        self.czxid = self.stat["czxid"].count() if self.place.program == "nodepool" else 0
        self.new = body["new"].flag(False)
        self.was = body.at("was", "state").text("")
        self.times = {state: _seconds(moment) for state, moment in body.at("was", "times").fields()}
        told = {name: value.text() for name, value in body["related"].fields()}
        self.related = told or own_related(self.record, self.place)
        self.word = self._word()
        self.source = url or f"urn:firehose:{delivery.source}"
        self.url = url
        self.time = self._time(delivery.received)

    def _word(self) -> str:
        if not self.gone:
            return state_of(self.record)
        return "withdrawn" if self.place.noun == "request" and self.was in OPEN else "gone"

    def _time(self, received: datetime) -> datetime:
        if self.gone:
            return received  # nobody says when; it is gone now
        told = self.data["state_time"].moment()
        return told or _millis(self.stat["mtime"]) or self.data["request_time"].moment() or received

    @property
    def born(self) -> datetime | None:
        """When it was created."""
        for name in ("created_time", "request_time"):
            if found := self.data[name].moment():
                return found
        return _millis(self.stat["ctime"])

    @property
    def label(self) -> str:
        """What was asked for: an image's or a node's label."""
        match self.place.noun, self.place.program:
            case "node", "nodepool":
                return ", ".join(one.text("") for one in self.data["type"].each())
            case "node", _:
                return self.data["label"].text("")
            case "request", program:
                labels = Counter(one.text("") for one in self.data[_LABELS[program]].each())
                return ", ".join(f"{count} × {name}" if count > 1 else name for name, count in labels.items())
            case "build" | "upload", "nodepool":
                return self.names[0]
        return (self.data["canonical_name"].text("") or self.data["name"].text("")).rpartition("/")[2]

    @property
    def provider(self) -> str:
        """Where it is."""
        if self.place.noun == "upload":
            return self.names[2] if self.place.program == "nodepool" else self.data["endpoint_name"].text("")
        named = self.data["provider"].text("") or self.data["preferred_provider"].text("")
        # Zuul's providers have canonical names, `host/project/name`.
        return named.rpartition("/")[2]

    @property
    def subject(self) -> str:
        """What the event is about, the same in the refs of others."""
        match self.place.noun:
            case "node":
                return f"node/{subject.escape(self.names[0])}"
            case "request":
                return f"noderequest/{subject.escape(self.names[0])}"
            case _:
                return "image/" + "/".join(map(subject.escape, self.names))

    @property
    def refs(self) -> tuple[str, ...]:
        """What ties it to the build that it is for."""
        found = [f"noderequest/{subject.escape(self.related['request'])}"] if "request" in self.related else []
        for name, word in (("buildset", "buildset"), ("event", "zuul-event")):
            if name in self.related:
                found.append(f"{word}/{subject.escape(self.related[name])}")
        if self.place.noun == "request":
            found += [f"node/{subject.escape(node.text())}" for node in self.data["nodes"].each() if node.is_text()]
        if self.place.noun == "upload" and self.place.program == "nodepool":
            found.append("image/" + "/".join(map(subject.escape, self.names[:2])))
        for name, word in (("artifact_uuid", "image"), ("image_upload_uuid", "image"), ("build_uuid", "build")):
            if value := self.data[name].text(""):
                found.append(f"{word}/{subject.escape(value)}")
        return tuple(dict.fromkeys(found))

    @property
    def durations(self) -> dict[str, float]:
        """Seconds: since it was created, and in each state that is over."""
        now = self.time.timestamp()
        # A state lasted until the next one began.
        known = sorted(((moment, state) for state, moment in self.times.items()), key=lambda one: one[0])
        ends = [*(moment for moment, _ in known[1:]), now]
        spans = {state: end - moment for (moment, state), end in zip(known, ends, strict=False)}
        total = {"total": now - self.born.timestamp()} if self.born else {}
        return {name: round(seconds, 3) for name, seconds in {**spans, **total}.items() if seconds >= 0}

    def event(self, word: str, meaning: Meaning) -> Event:
        """The event of a state."""
        created = meaning.kind == "environment.created"
        time = (self.born or self.time) if created else self.time
        marks = ("czxid", self.czxid) if self.gone or created else self._when(word)
        durations = {} if created else self.durations
        told = {
            "path": self.path,
            "label": self.label,
            "provider": self.provider,
            "state": word,
            "durations": durations,
            "related": self.related,
            "zxid": self.stat["mzxid"].count(),
            "record": self.record,
        }
        return Event(
            id=fingerprint(self.place.program, self.path, word, *marks),
            source=self.source,
            type=f"{_PROGRAMS[self.place.program]}.{self.place.noun}.{word}",
            kind=meaning.kind,
            subject=self.subject,
            time=time,
            actor=_START.sub("", self.data["launcher"].text("")) or self.data["builder"].text("") or self.place.program,
            summary=line(f"{self._title()} {self._words(meaning, durations)}"),
            link=self._link(),
            outcome=meaning.outcome,
            severity=meaning.severity,
            refs=self.refs,
            data=msgspec.json.encode(told),
            text=" ".join([self.label, self.provider, *self.related.values(), self.data["hostname"].text("")]),
        )

    def _when(self, word: str) -> tuple[object, ...]:
        """What tells a state from the same one at another time: its own time, else the transaction of the later."""
        if told := self.data["state_time"].moment():
            exact = self.place.program == "nodepool"
            return ("at", self.data["state_time"].word() if exact else int(told.timestamp()))
        return ("again", self.stat["mzxid"].count()) if word in self.times else ("once", self.czxid)

    def _title(self) -> str:
        match self.place.noun:
            case "node":
                where = ", ".join(filter(None, (self.label, self.provider)))
                return f"Node {self.names[0]} ({where})" if where else f"Node {self.names[0]}"
            case "request":
                whose = ", ".join(self.related[name] for name in ("job", "pipeline") if name in self.related)
                return f"Node request {self.names[0]} ({whose})" if whose else f"Node request {self.names[0]}"
            case "upload":
                name = f"{self.names[1]} " if self.place.program == "nodepool" else ""
                return f"Image {self.label} {name}for {self.provider or 'a provider'}"
        return f"Image {self.label} {self.names[-1]}" if self.label != self.names[-1] else f"Image {self.label}"

    def _words(self, meaning: Meaning, durations: dict[str, float]) -> str:
        since = durations.get(self.was) if self.was in ("in-use", "uploading") else durations.get("total")
        if self.place.noun == "build":
            since = durations.get("building", since)
        before = "for" if meaning.words.startswith("was used") else "after"
        return meaning.words.format(
            since=f" {before} {span(since)}" if since is not None else "", why=self._why(), what=self.label or "nodes"
        )

    def _why(self) -> str:
        if self.place.noun == "request":
            launchers = [_START.sub("", one.text("")) for one in self.data["declined_by"].each()]
            return f" (by {', '.join(launchers)})" if launchers else ""
        comment = self.data["comment"].text("")
        return f": {comment}" if comment else ""

    def _link(self) -> str:
        tenant = self.related.get("tenant", "")
        pages = {"node": "nodes", "request": "nodeset-requests"}
        page = pages.get(self.place.noun, "")
        if not (page and tenant and self.url.startswith("http")):
            return ""
        return f"{self.url}/t/{subject.escape(tenant)}/{page}"


_LABELS: Final = {"nodepool": "node_types", "launcher": "labels"}


class _Tail:
    """A path that nobody knows, as a word: without what may be a name."""

    def __init__(self, path: str) -> None:
        self.noun = "/".join(level for level in line(path, 120).split("/") if level.isalpha()) or "no-path"


def _millis(value: Wild) -> datetime | None:
    count = value.count()
    return datetime.fromtimestamp(count / 1000, UTC) if 0 < count < 2**43 else None


def span(seconds: float) -> str:
    """A time span for people: `45 s`, `9 min 40 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    for unit, below, size, smaller in (("d", "h", 86_400, 3_600), ("h", "min", 3_600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {below}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"
