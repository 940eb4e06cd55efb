"""A stage for the pages: a real hub around the in-memory bus, with sources of every family and believable events.

Run it to look at the pages: `python -m tests.pages.stage 8080`. Tests drive it in a browser. The events go through
the gate, so that the ledger, the quarantine and the history are as in a hub; only the engine is the in-memory twin.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from firehose import wild
from firehose.access.tokens import Tokens
from firehose.bus.engine import free_port
from firehose.bus.live import RING, Live
from firehose.bus.memory import MemoryBus
from firehose.delivery.room import Room, signer
from firehose.delivery.runner import Ears
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.history.sqlite import SqliteStore
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.notify.office import Office, open_office
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.settings import Http, Settings
from firehose.settings import Hub as HubSettings
from firehose.source import Delivery, Ignored, Scheme, SourceKind, Verdict, WebhookSettings
from firehose.web.hub import Hub
from firehose.web.server import Server

FAMILIES = {
    "gerrit": ("review", "Gerrit", 240),
    "zuul": ("ci", "Zuul", 120),
    "nodepool": ("cloud", "Nodepool", 300),
    "storyboard": ("ticket", "StoryBoard", 1_800),
    "github": ("forge", "GitHub", 900),
    "ansible": ("deploy", "Ansible", 3_600),
    "logs": ("log", "Logs", 60),
    "releases": ("artifact", "Releases", 21_600),
    "irc": ("people", "IRC", 600),
}
PROJECTS = ("openstack/nova", "openstack/neutron", "openstack/cinder", "openstack/keystone", "openstack/tempest")
PEOPLE = ("amara", "okonkwo", "lindqvist", "hberg", "tkwan", "rmarsh", "yuki_t", "pnovak")
TITLES = (
    "Rebuild config drive before live migration", "Cache the revocation list per worker",
    "Let DVR routers keep their FIP namespace", "Do not flood ARP on a new port binding",
    "Use the trust of the stack owner for deferred calls", "Remove the skip for shared storage",
    "Allow abort of a running live migration", "Show the migration type in the server actions",
    "Wait for the instance after live migration", "Measure downtime in the multinode job",
)  # fmt: skip
JOBS = ("tempest-full-py3", "unit-py311", "pep8", "multinode-live-migration", "functional", "docs", "grenade")


class Planned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a staged delivery says: the event's attributes."""

    id: str
    kind: str
    subject: str
    time: datetime
    project: str = ""
    actor: str = ""
    summary: str = ""
    link: str = ""
    outcome: str = ""
    severity: str = "info"
    refs: tuple[str, ...] = ()
    more: dict[str, Any] = {}


def read(delivery: Delivery, settings: WebhookSettings) -> Verdict:
    """A staged source: the delivery is the event's attributes; two kinds are not events."""
    kind = wild.decode(delivery.body)["kind"].text()
    if kind == "noise.heard":
        return Ignored("noise.heard")
    if kind == "pull_request.dequeued":
        raise UnknownKind(kind)
    planned = msgspec.json.decode(delivery.body, type=Planned)
    attributes = {name: getattr(planned, name) for name in Planned.__struct_fields__ if name != "more"}
    return [Event(source=settings.url, type=f"org.example.{planned.kind}", data=delivery.body, **attributes)]


def instance(name: str) -> Instance:
    family, title, freshness = FAMILIES[name]
    kind = SourceKind(
        name=name, title=title, family=family, settings=WebhookSettings, read=read, kinds={"any": "any"},
        ignored={"noise.heard": "it is noise"}, schemes=(Scheme("hmac-sha256", header="X-Stage"),),
    )  # fmt: skip
    own = WebhookSettings(kind=name, url=f"https://{name}.example.org", freshness=freshness)
    return Instance(name, kind, own, (b"stage",))


class Script:
    """Deliveries in the order of a small project's life, from a seed."""

    def __init__(self, seed: int = 7) -> None:
        self.chance = random.Random(seed)
        self.number = itertools.count(391_000)
        self.serial = itertools.count(1)

    def life(self, at: datetime) -> Iterator[tuple[str, Planned]]:
        """One change from its patch set to its deployment."""
        chance, number = self.chance, next(self.number)
        project, title, author = chance.choice(PROJECTS), chance.choice(TITLES), chance.choice(PEOPLE)
        change, story = f"{project}~{number}", f"story/{2_000_000 + number % 700}"
        base: dict[str, Any] = {
            "project": project, "subject": change, "refs": (story,), "link": f"https://gerrit.example.org/{number}",
        }  # fmt: skip
        clock = itertools.accumulate([0, *(chance.uniform(2, 90) for _ in range(40))])
        tick = lambda: at + timedelta(seconds=next(clock))  # noqa: E731
        plan = lambda kind, **more: Planned(id=f"s{next(self.serial)}", kind=kind, time=tick(), **{**base, **more})  # noqa: E731
        yield (
            "gerrit",
            plan(
                "change.created",
                actor=author,
                summary=title,
                more={
                    "patchSet": {"number": 1, "kind": "REWORK"},
                    "change": {"branch": "master", "topic": story, "number": number, "owner": {"username": author}},
                },
            ),
        )
        yield (
            "storyboard",
            plan(
                "ticket.updated", actor="rule 2", subject=story, refs=(change,), summary=f"{title}: todo to in review"
            ),
        )
        yield from self.builds("check", project, change, plan, chance.random() < 0.25)
        reviewer = chance.choice(PEOPLE)
        vote = chance.choice(("+2", "+1", "-1"))
        yield "gerrit", plan("change.reviewed", actor=reviewer, summary=f"{title}: Code-Review {vote}")
        if chance.random() < 0.4:
            yield (
                "irc",
                plan(
                    "comment.added",
                    actor=chance.choice(PEOPLE),
                    subject="channel/openstack-infra",
                    project="",
                    refs=(change,),
                    link="",
                    summary=f"#openstack-infra has anybody an idea why {chance.choice(JOBS)} is slow today?",
                ),
            )
        yield (
            "nodepool",
            plan(
                "environment.created",
                actor="nodepool",
                project="",
                subject=f"node/{5_180_000 + number}",
                refs=(),
                outcome="success",
                summary=f"ubuntu-jammy-rax-iad-{5_180_000 + number} ready in 41 s",
            ),
        )
        if chance.random() < 0.2:
            yield (
                "nodepool",
                plan(
                    "environment.deleted",
                    actor="nodepool",
                    project="",
                    subject=f"node/{5_180_100 + number}",
                    refs=(),
                    outcome="error",
                    severity="error",
                    summary=f"ubuntu-jammy-ovh-{5_180_100 + number} gave up after 3 launches",
                ),
            )
        if vote == "+2":
            yield from self.builds("gate", project, change, plan, chance.random() < 0.1)
            yield "gerrit", plan("change.merged", actor="zuul", outcome="success", summary=f"{title} to master")
            yield (
                "github",
                plan(
                    "branch.updated",
                    actor="zuul",
                    subject=f"{project}@refs/heads/master",
                    refs=(change,),
                    summary=f"master of {project} is at {number:x}",
                ),
            )
            yield (
                "releases",
                plan(
                    "artifact.published",
                    actor="zuul",
                    subject=f"release/{project}",
                    refs=(change,),
                    outcome="success",
                    summary=f"{project.split('/')[1]} image {number % 5000} published",
                ),
            )
            yield (
                "ansible",
                plan(
                    "service.deployed",
                    actor="pnovak",
                    subject=f"run/{number}",
                    refs=(change,),
                    outcome="success",
                    summary=f"{project.split('/')[1]} deployed on 12 hosts in 3 min 12 s",
                ),
            )
        if chance.random() < 0.3:
            yield (
                "logs",
                plan(
                    "incident.detected",
                    actor="",
                    subject=f"signature/{1_609_000 + number % 90}",
                    refs=(change,),
                    severity="warning",
                    summary="“Config drive vanished” seen 3 times in 10 min",
                ),
            )

    def builds(
        self, pipeline: str, project: str, change: str, plan: Any, broken: bool
    ) -> Iterator[tuple[str, Planned]]:
        """A buildset with its jobs."""
        chance = self.chance
        number = change.partition("~")[2]
        buildset = f"buildset/{chance.getrandbits(28):07x}"
        refs = (change, buildset)
        link = f"https://zuul.example.org/{buildset}"
        yield (
            "zuul",
            plan(
                "pipelinerun.started",
                actor="zuul",
                subject=buildset,
                refs=(change,),
                outcome="running",
                link=link,
                summary=f"{pipeline} of {number},1: {len(JOBS)} jobs",
            ),
        )
        failed = chance.choice(JOBS) if broken else ""
        for job in JOBS:
            outcome = "failure" if job == failed else "success"
            yield (
                "zuul",
                plan(
                    "taskrun.finished",
                    actor="zuul",
                    subject=f"build/{chance.getrandbits(44):011x}",
                    refs=refs,
                    outcome=outcome,
                    severity="warning" if failed == job else "info",
                    link=link,
                    summary=f"{job} {'failed' if job == failed else 'passed'} after {chance.randrange(2, 70)} min",
                    more={
                        "build": {
                            "job": job,
                            "voting": True,
                            "log_url": link,
                            "nodes": ["ubuntu-jammy"],
                            "duration": chance.randrange(100, 4000),
                        }
                    },
                ),
            )
        yield (
            "zuul",
            plan(
                "pipelinerun.finished",
                actor="zuul",
                subject=buildset,
                refs=(change,),
                outcome="failure" if broken else "success",
                link=link,
                summary=f"{pipeline} of {number},1 {'failed: 1 of' if broken else 'passed:'} {len(JOBS)} jobs",
            ),
        )


class Stage:
    """The running hub. `play` brings deliveries in; `close_doors` and `open_doors` are a restart of the web part."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        sources: tuple[str, ...] = tuple(FAMILIES),
        ring: int = RING,
        sinks: Mapping[str, Any] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.crew = Crew()
        self.bus = MemoryBus()
        self.store = SqliteStore(folder / "history.db")
        self.reader = Reader(self.store)
        self.live = Live(ring)
        self.ledger = Ledger(now)
        instances = {name: instance(name) for name in sources}
        for one in instances.values():
            self.ledger.open(msgspec.structs.replace(one.opening, since=now()))
        self.gate = Gate(self.bus, self.ledger, instances, self.reader.known)
        self.tokens = Tokens(folder / "access.sqlite")
        self.settings = Settings(
            http=Http(listen=f"127.0.0.1:{self.port}"),
            hub=HubSettings(name="OpenStack infra", data=str(folder)),
            sinks=dict(sinks or {}),
        )
        self.script = Script()
        self.folder = folder
        self.office: Office | None = None
        self.server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.crew.start("live", self.live.follow(self.bus))
        self.crew.start("gate", self.gate.run())
        self.crew.start("recorder", Recorder(self.bus, self.store, self.reader.recorded).run())
        ears = Ears(self.live, self.reader, self.bus, now)
        self.office = await open_office(self.settings, ears, delivering=True)
        room = Room([self.office.outlet], ears, signer(self.folder))
        for name, job in (*self.office.jobs(room), *room.jobs()):
            self.crew.start(name, job)
        await self.open_doors()

    async def open_doors(self) -> None:
        hub = Hub(
            settings=self.settings, bus=self.bus, live=self.live, reader=self.reader, gate=self.gate,
            ledger=self.ledger, tokens=self.tokens, now=now, desk=self.office.desk if self.office else None,
        )  # fmt: skip
        self.server = Server(hub)
        await self.server.start()
        self.crew.start(f"web {id(self.server)}", self.server.run())

    async def close_doors(self) -> None:
        if self.server is not None:
            await self.server.close()

    async def close(self) -> None:
        await self.close_doors()
        await self.crew.stop()
        if self.office is not None:
            self.office.close()
        self.reader.close()

    async def play(self, source: str, planned: Planned) -> int:
        """One delivery through the gate; the event's sequence."""
        receipt = await self.gate.accept(Delivery(source=source, body=msgspec.json.encode(planned), received=now()))
        return int(receipt.sequences[-1]) if receipt.sequences else 0

    async def past(self, lives: int, span: timedelta = timedelta(hours=5)) -> None:
        """What happened before anybody looked, until now, recorded."""
        begin, plans = now() - span, []
        for at in range(lives):
            plans += list(self.script.life(begin + span * at / lives))
        plans = [(source, plan) for source, plan in plans if plan.time < now()]
        plans.sort(key=lambda pair: pair[1].time)
        last = 0
        for at in range(0, len(plans), 50):
            places = await asyncio.gather(*(self.play(source, plan) for source, plan in plans[at : at + 50]))
            last = max(last, *places)
        assert await self.reader.wait(last, 30)

    async def trouble(self) -> None:
        """Deliveries that nobody can read, and some that are refused."""
        for at in range(3):
            body = b'{"kind":"pull_request.dequeued","number":%d,"sender":"someone"}' % at
            await self.gate.accept(Delivery(source="github", body=body, received=now()))
        for _ in range(4):
            self.ledger.book(
                "irc",
                "refused",
                trouble=("bad-signature", "the signature does not match the secret", '{"message":"hello"}'),
            )

    async def busy(self, per_second: float) -> None:
        """Live traffic, without end."""
        while True:
            for source, plan in self.script.life(now()):
                await self.play(source, msgspec.structs.replace(plan, time=now()))
                await asyncio.sleep(self.script.chance.expovariate(per_second))


async def main() -> None:
    port, rate = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), port)
        await stage.start()
        await stage.past(60)
        await stage.trouble()
        token, _ = stage.tokens.create(["person:amara"])
        print(f"pages on {stage.url}/, signed in at /notify with {token}", flush=True)
        stage.crew.start("busy", stage.busy(rate))
        await stage.crew.wait()


if __name__ == "__main__":
    asyncio.run(main())
