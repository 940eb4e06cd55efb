"""The oracle: knows what was sent and what was promised, and judges what the hub kept. Pure; independent of the hub.

In: native bytes as they are sent, the promises (2xx, PUBACK, a line written to the stream), and later the history as
the public API gives it. Out: `Findings`: lost, doubled, out of order per thing. It recognises an event by marks taken
from the native payload alone, with its own reading of each service's format, never with the hub's code.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Json = dict[str, Any]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the oracle saw. `lost` are promised marks without an event; `doubled` are events that are there more than
    once; `disordered` are things whose events stand in another order than they were sent."""

    sent: int
    promised: int
    recorded: int
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    disordered: tuple[str, ...] = ()
    strangers: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.disordered)

    def __str__(self) -> str:
        return (
            f"sent {self.sent}, promised {self.promised}, recorded {self.recorded}: lost {len(self.lost)}, "
            f"doubled {len(self.doubled)}, out of order {len(self.disordered)}"
        )


class Oracle:
    """The books of one run. A mark is one event that must come of a native message."""

    def __init__(self) -> None:
        self._order: dict[str, int] = {}
        self._promised: set[str] = set()

    def sent(self, service: str, body: bytes) -> list[str]:
        """Note that a message leaves; its marks. A message that is sent again keeps its first place."""
        marks = marks_of(service, json.loads(body))
        for mark in marks:
            self._order.setdefault(mark, len(self._order))
        return marks

    def promised(self, marks: Iterable[str]) -> None:
        """The hub said yes to these."""
        self._promised.update(marks)

    @property
    def promises(self) -> int:
        """How many events the hub must have."""
        return len(self._promised)

    def missing(self, events: Iterable[Json]) -> set[str]:
        """Promised marks that are not among these events."""
        return self._promised - {mark_of(event) for event in events}

    def judge(self, events: Iterable[Json]) -> Findings:
        """Compare with the history, given in order of its sequence."""
        marks: Counter[tuple[str, str, str]] = Counter()
        names: Counter[tuple[str, str]] = Counter()
        last: dict[tuple[str, str], int] = {}
        disordered: dict[str, None] = {}
        count = strangers = 0
        for event in events:
            count += 1
            names[event["source"], event["id"]] += 1
            mark = mark_of(event)
            place = self._order.get(mark)
            if place is None:
                strangers += 1
                continue
            marks[mark, event["kind"], event["subject"]] += 1
            thing = (event["source"], event["subject"])
            if place < last.get(thing, -1):
                disordered[f"{event['subject']} at {event['sequence']}"] = None
            last[thing] = max(place, last.get(thing, -1))
        seen = {mark for mark, _, _ in marks}
        doubled = [" ".join(mark) for mark, times in marks.items() if times > 1]
        doubled += [" ".join(name) for name, times in names.items() if times > 1]
        return Findings(
            sent=len(self._order),
            promised=len(self._promised),
            recorded=count,
            lost=tuple(sorted(self._promised - seen, key=self._order.__getitem__)),
            doubled=tuple(doubled),
            disordered=tuple(disordered),
            strangers=strangers,
        )


def marks_of(service: str, message: Json) -> list[str]:
    """The events that a native message must become, by marks."""
    if service == "zuul":
        return _zuul(message)
    if service == "gerrit" and message.get("refUpdate", {}).get("refName", "").startswith("refs/changes/"):
        # Gerrit's own bookkeeping: each patch set and each note is a ref, too.
        return []
    if service == "gitlab" and message.get("object_attributes", {}).get("status") == "pending":
        return []
    return [f"{service}|{digest(message['data'] if service == 'nodes' else message)}"]


def mark_of(event: Mapping[str, Any]) -> str:
    """The mark of a recorded event, from its source's name in the topic and its payload."""
    source = event["topic"].split("/")[1]
    data: Any = event.get("data")
    if source == "gerrit":
        # The events plugin gives each event an id of its own, which the event had not when it left.
        data = {key: value for key, value in data.items() if key != "id"}
    if source != "zuul":
        return f"{source}|{digest(data)}"
    buildset = data["buildset"]
    if event["type"].startswith("org.zuul-ci.build-"):
        build = [*buildset["retry_builds"], *buildset["builds"]][0]
        return f"zuul|{event['type'].removeprefix('org.zuul-ci.')}|{build['uuid']}"
    return f"zuul|{event['type'].removeprefix('org.zuul-ci.')}|{buildset['uuid']}"


def _zuul(message: Json) -> list[str]:
    buildset, action = message["buildset"], message["action"]
    marks = []
    for build in (*buildset["retry_builds"], *buildset["builds"]):
        if build.get("uuid"):
            marks += [f"zuul|build-start|{build['uuid']}", f"zuul|build-end|{build['uuid']}"]
    return [*marks, f"zuul|{action}|{buildset['uuid']}"]


def digest(value: object) -> str:
    """A payload's fingerprint that survives redaction: members called e-mail do not count, nor does the layout."""
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in ("email", "user_email")}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
