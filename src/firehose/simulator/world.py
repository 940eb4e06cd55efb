"""The simulated world: seeded, with a clock of its own, no I/O.

In: a seed, a start time, how busy (`crowd`) and how fast (`tempo`) it is. Out: happenings, in the order of their
times, without end. Every life in it is a generator that yields happenings and waiting times (seconds); the world
resumes whoever is due next. The same seed and start give the same world.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator

from firehose.simulator.cast import PEOPLE, PROJECTS, THINGS, TOPICS, VERBS, Person, Project
from firehose.simulator.happening import Happening
from firehose.simulator.state import Change, PatchSet

Life = Iterator[Happening | float]
DAY = 86_400
DENSITY = 0.075
"""Deliveries a second at crowd 1 and tempo 1, as counted."""
ARRIVAL = 300.0
"""Mean seconds between two new lives at crowd 1 and tempo 1."""


class World:
    """The clock, the queue of lives, and the numbers that services give out."""

    def __init__(
        self, seed: int, start: float, *, crowd: float = 1.0, tempo: float = 1.0, rhythm: bool = False
    ) -> None:
        self.chance = random.Random(seed)
        self.now = start
        self.crowd = crowd
        self.tempo = tempo
        self.rhythm = rhythm
        self.heads = {project.name: self.sha() for project in PROJECTS}
        self.open: dict[int, Change] = {}
        self._queue: list[tuple[float, int, Life]] = []
        self._lives = 0
        # Numbers go on with time, so that a world that is started again tomorrow does not give them out twice.
        self._bases = {"gerrit": int(start) // 10 - 179_000_000, "node": int(start) // 10}
        self._base = int(start) // 600 - 2_980_000
        self._numbers: dict[str, int] = {}

    def spawn(self, life: Life, after: float = 0.0) -> None:
        """Let a life begin in `after` seconds of world time."""
        self._lives += 1
        heapq.heappush(self._queue, (self.now + after, self._lives, life))

    def happenings(self) -> Iterator[Happening]:
        """What happens, without end while there are lives."""
        while self._queue:
            self.now, number, life = heapq.heappop(self._queue)
            for step in life:
                if isinstance(step, float):
                    heapq.heappush(self._queue, (self.now + step, number, life))
                    break
                yield step

    def pause(self, seconds: float) -> float:
        """A waiting time around `seconds`, shortened by the tempo; never long after."""
        return seconds * self.chance.uniform(0.5, 1.5) / self.tempo

    def gap(self) -> float:
        """Until the next life begins: random arrivals, fewer at night when the world has a day's rhythm."""
        busy = 1.0 if not self.rhythm else 0.35 + 0.65 * math.sin(math.pi * (self.now % DAY) / DAY) ** 2
        return self.chance.expovariate(1.0) * ARRIVAL / (self.crowd * self.tempo * busy)

    def sha(self) -> str:
        """A commit id: 40 hex digits."""
        return f"{self.chance.getrandbits(160):040x}"

    def uuid(self) -> str:
        """32 hex digits."""
        return f"{self.chance.getrandbits(128):032x}"

    def number(self, service: str) -> int:
        """The next number that a service gives out."""
        base = self._bases.get(service, self._base)
        self._numbers[service] = self._numbers.get(service, base) + 1
        return self._numbers[service]

    def project(self, host: str) -> Project:
        """A project on a host; the first ones are busier."""
        found = [project for project in PROJECTS if project.host == host]
        return found[min(int(self.chance.expovariate(1 / 4)), len(found) - 1)]

    def person(self, project: Project, *, core: bool = False, not_: Person | None = None) -> Person:
        """Somebody who works on a project."""
        known = [p for p in PEOPLE if project.name in p.home and (p.core or not core) and p is not not_]
        others = [p for p in PEOPLE if (p.core or not core) and p is not not_]
        return self.chance.choice(known if known and self.chance.random() < 0.85 else others)

    def title(self, project: Project) -> str:
        """A commit's first line."""
        return f"{self.chance.choice(VERBS)} {self.chance.choice(THINGS).format(part=project.part)}"

    def topic(self) -> str:
        """A topic that a handful of changes share, or none."""
        word = self.chance.choice(TOPICS)
        return f"{word}-{self.number('topic') // 6 % 1_000}" if word else ""

    def change(self, project: Project, owner: Person, subject: str = "") -> Change:
        """A new change, not uploaded yet."""
        change = Change(
            number=self.number("gerrit"),
            project=project,
            owner=owner,
            change_id=f"I{self.sha()}",
            subject=subject or self.title(project),
            topic=self.topic(),
            story=2_010_000 + self.chance.randrange(900) if self.chance.random() < 0.4 else 0,
            created=self.now,
            wip=self.chance.random() < 0.06,
        )
        self.open[change.number] = change
        self.patch_set(change, owner)
        return change

    def patch_set(self, change: Change, uploader: Person) -> None:
        """A new version of a change; votes on the old one are gone."""
        trivial = bool(change.patch_sets) and self.chance.random() < 0.2
        change.votes.clear()
        change.verified = 0
        change.patch_sets.append(
            PatchSet(
                number=len(change.patch_sets) + 1,
                revision=self.sha(),
                parent=self.heads[change.project.name],
                uploader=uploader,
                created=self.now,
                kind="TRIVIAL_REBASE" if trivial else "REWORK",
                insertions=self.chance.randrange(1, 240),
                deletions=-self.chance.randrange(0, 90),
            )
        )


def pace(rate: float) -> tuple[float, float]:
    """Crowd and tempo of a world in which about `rate` deliveries happen a second: more of both when it is faster."""
    factor = rate / DENSITY
    tempo = max(1.0, factor**0.65)
    return factor / tempo, tempo
