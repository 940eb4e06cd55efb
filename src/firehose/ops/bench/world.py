"""Believable events in any number, for measurements: a project's infrastructure over 90 days, always the same.

In: a number of events and a seed. Out: recorded events in order. Projects, people and words follow Zipf's law, days
have rush hours, payloads look like Gerrit's (about 1.5 KB, a third of it unique). It knows no store and no bus.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from firehose.event import Event, Recorded, encode

DAYS: Final = 90
START: Final = datetime(2016, 8, 1, tzinfo=UTC)
END: Final = START + timedelta(days=DAYS)
KINDS: Final = {
    "gerrit": ("change.reviewed", "change.updated", "change.created", "change.merged", "change.abandoned"),
    "zuul": ("taskrun.finished", "taskrun.started", "pipelinerun.finished", "pipelinerun.queued"),
    "github": ("change.updated", "change.created", "comment.added", "branch.updated"),
    "tracker": ("ticket.updated", "comment.added", "ticket.created", "ticket.closed"),
    "nodepool": ("environment.created", "environment.deleted", "environment.modified"),
}
OUTCOMES: Final = {"taskrun.finished": ("success", "success", "success", "failure", "cancel")}
_WEIGHTS: Final = (45, 30, 10, 5, 10)


def zipf(count: int) -> list[float]:
    """Cumulative weights of ranks, for `random.choices`."""
    return list(itertools.accumulate(1 / (rank + 1) for rank in range(count)))


class World:
    """The same `seed` gives the same events; `small`: of 600 B and not of 2 kB. `vocabulary` are its words, most
    frequent first."""

    def __init__(self, seed: int = 7, *, small: bool = False) -> None:
        self.random = random.Random(seed)
        self.vocabulary = ["".join(self._letters(3, 9)) for _ in range(20_000)]
        self.projects = [f"{self._choice(('openstack', 'zuul', 'opendev', 'x'))}/{self._word()}" for _ in range(300)]
        self.actors = ["zuul", "openstackci", *("".join(self._letters(4, 8)) for _ in range(1_500))]
        self._words, self._actors = zipf(20_000), zipf(1_502)
        self._project_of = self.random.choices(self.projects, cum_weights=zipf(300), k=8_192)
        self._small = small
        self._payloads = [self._payload() for _ in range(1_000)]

    def events(self, count: int, *, first: int = 1, span: timedelta = timedelta(days=DAYS)) -> Iterator[Recorded]:
        """`count` events with sequences from `first`, spread over `span` of recording time."""
        step = span / max(count, 1)
        for start in range(0, count, 1_000):
            size = min(1_000, count - start)
            picks = zip(
                self.random.choices(tuple(KINDS), _WEIGHTS, k=size),
                self.random.choices(self.actors, cum_weights=self._actors, k=size),
                strict=True,
            )
            for number, (name, actor) in enumerate(picks, start + first):
                moment = START + step * (number - first)
                yield Recorded(number, moment, encode(name, self._event(number, moment, name, actor)))

    def text(self, count: int) -> str:
        """Words as people use them: few often, most rarely."""
        return " ".join(self.random.choices(self.vocabulary, cum_weights=self._words, k=count))

    def _event(self, number: int, moment: datetime, name: str, actor: str) -> Event:
        kinds = KINDS[name]
        kind = kinds[min(int(self.random.expovariate(0.9)), len(kinds) - 1)]
        change = max(1, int(number / 12 - self.random.expovariate(1 / 400)))
        project = self._project_of[change % 8_192]
        payload = b'{"comment":""}' if self._small else self._payloads[number % 1_000]
        middle = payload.index(b'"comment":"') + (11 if self._small else 60)
        return Event(
            id=f"{number:032x}",
            source=f"https://{name}.example.org",
            type=f"org.example.{name}.{kind}",
            kind=kind,
            subject=f"{project}~{change}",
            time=moment - timedelta(seconds=self.random.expovariate(1)),
            project=project,
            actor=actor,
            summary=f"{project} {change}: {self.text(8)}",
            link=f"https://{name}.example.org/{change}",
            outcome=self._choice(OUTCOMES.get(kind, ("",))),
            severity=self._choice(("info",) * 18 + ("notice", "warning")),
            refs=(f"{project}~{change}", f"buildset/{number // 9:x}"),
            data=payload[:middle] + b"%032x" % self.random.getrandbits(128) + payload[middle:],
        )

    def _payload(self) -> bytes:
        """A payload whose middle lies within a text."""
        change = {
            "project": self._choice(self.projects), "branch": "master", "id": f"I{self.random.getrandbits(160):040x}",
            "subject": self.text(8), "owner": {"name": self.text(2), "username": self._choice(self.actors)},
            "commitMessage": self.text(60), "status": "NEW",
        }  # fmt: skip
        patch = {
            "number": self.random.randint(1, 20),
            "revision": f"{self.random.getrandbits(160):040x}",
            "kind": "REWORK",
        }
        return msgspec.json.encode({"change": change, "comment": self.text(90), "patchSet": patch})

    def _letters(self, least: int, most: int) -> list[str]:
        return self.random.choices("etaoinshrdlucmwfgypbvk", k=self.random.randint(least, most))

    def _word(self) -> str:
        return self.vocabulary[self.random.randrange(2_000)]

    def _choice(self, values: tuple[str, ...] | list[str]) -> str:
        return values[self.random.randrange(len(values))]
