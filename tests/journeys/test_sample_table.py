"""Every shared reference payload goes into one running hub by its real protocol, and none is unaccounted for.

Gerrit's lines over SSH, its webhooks plugin and the forges over signed HTTP, Zuul's reporter and the original
Firehose's messages over MQTT. Each ends in an event, an ignore that the source declares, or the quarantine with its
cause: told by the hub's answers, its history, its quarantine and its ledger. The table is printed at the session's end.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from tests.closing import Closing
from tests.faults.ground import toml
from tests.journeys.test_forges import SECRET, everything, publish, signed
from tests.sources.samples import FOLDERS, OWN, PAIRS, UNREADABLE, Sample, samples

from firehose import source
from firehose.ops.explain import Payload, explain
from firehose.plumbing.clock import now
from firehose.simulator.stage import Stage
from firehose.testing import HubProcess

SECONDS = 120
TROUBLE = ("unknown", "refused")


class End(NamedTuple):
    """What became of one payload: a verdict, and the cause in words when it is no event."""

    verdict: str
    why: str = ""


@dataclass
class Taken:
    """The hub as it stands when all has been said: events by id, the quarantine by source and body, the books."""

    ids: set[str]
    kept: dict[tuple[str, bytes], End]
    books: dict[str, Counter[str]]
    ends: list[tuple[Sample, End]] = field(default_factory=list)


def name_of(sample: Sample) -> str:
    """The hub's source for a sample: one for each folder, and for each forge among those with headers."""
    return f"headers-{sample.kind}" if sample.folder == PAIRS else sample.folder


def settings(stage: Stage, found: list[Sample]) -> str:
    gerrit = stage.settings()["sources"]["gerrit"]
    by_hook = {name_of(each): each.kind for each in found if each.way == "http" and each.folder != "gerrit"}
    hooks = {name: {"kind": kind, "secret_env": "SECRET"} for name, kind in by_hook.items()}
    logins = [
        {"user": name, "source": name, "secret_env": "SECRET", "own_topics": True} for name in ("zuul", "firehose")
    ]
    own = {
        "gerrit": {**gerrit, "secret_env": "SECRET"},
        "zuul": {"kind": "zuul"},
        "firehose": {"kind": "inbox", **OWN["inbox"]},
    }
    return toml({"sources": {**own, **hooks}, "mqtt": {"logins": logins}})


def by_http(hub: HubProcess, sample: Sample, told: dict[str, Any]) -> End:
    """Send as the service would, and read the hub's answer."""
    payload = Payload(body=sample.payload.body, headers={**told.get("headers", {}), **sample.payload.headers})
    path, headers = signed(sample.kind, payload)
    status, answer = hub.post(path.replace(f"/in/{sample.kind}", f"/in/{name_of(sample)}"), payload.body, headers)
    if status >= 400:
        assert answer["quarantine"], answer
        return End("refused", f"{answer['type'].rpartition('/')[2]}: {answer['detail']}")
    verdict = {"duplicate": "event"}.get(answer["verdict"], answer["verdict"])
    return End(verdict, answer.get("kind", ""))


def line(sample: Sample) -> bytes:
    """A payload as Gerrit writes it: on one line."""
    return json.dumps(json.loads(sample.payload.body)).encode()


def by_other_ways(taken: Taken, sample: Sample, told: dict[str, Any]) -> End:
    """Look for what nobody was answered about: in the quarantine, the history, else it can only be ignored."""
    body = line(sample) if sample.way == "ssh" else sample.payload.body
    if (name_of(sample), body) in taken.kept:
        return taken.kept[name_of(sample), body]
    if told["events"] and {event["id"] for event in told["events"]} <= taken.ids:
        return End("event")
    return End("ignored", told.get("what", ""))


def books(hub: HubProcess) -> dict[str, Counter[str]]:
    return {health["name"]: Counter(health["verdicts"]) for health in hub.get("/v1/sources")["sources"]}


def quarantine(hub: HubProcess) -> Iterator[tuple[tuple[str, bytes], End]]:
    """All that is in quarantine, whole, as an admin sees it."""
    bearer = {"authorization": f"Bearer {hub.token('admin')}"}

    def get(path: str) -> Any:
        with urlopen(Request(hub.url + path, headers=bearer), timeout=60) as answer:
            return json.loads(answer.read())

    for entry in get("/v1/quarantine?limit=500")["entries"]:
        whole = get(f"/v1/quarantine/{entry['number']}")
        yield (
            (whole["source"], whole["body"].encode()),
            End(whole["verdict"], f"{whole['cause']}: {whole['detail']}"),
        )


def taken_by(hub: HubProcess, found: list[Sample], promised: set[str]) -> Taken:
    """The hub's own account, once every delivery is counted and every promised event is in the history."""
    wanted = Counter(name_of(sample) for sample in found)
    end = time.monotonic() + SECONDS
    while any(books(hub)[name].total() < count for name, count in wanted.items()):
        assert time.monotonic() < end, f"not all is counted: {books(hub)} of {wanted}\n{hub.tail()}"
        time.sleep(0.1)
    while not promised <= (ids := {event["id"] for event in everything(hub)}):
        assert time.monotonic() < end, f"the history lacks {len(promised - ids)} events"
    return Taken(ids, dict(quarantine(hub)), books(hub))


async def test_every_shared_payload_goes_in_by_its_protocol_and_is_accounted_for(
    tmp_path: Path, shared: Path, closing: Closing
) -> None:
    found = list(samples(shared))
    told = [explain(each.kind, each.payload, now(), settings=OWN.get(each.kind)) for each in found]
    promised = {event["id"] for one in told for event in one["events"]}
    async with Stage(tmp_path / "stage") as stage:
        hub = HubProcess(tmp_path / "hub", settings(stage, found))
        try:
            await asyncio.to_thread(hub.start, {"SECRET": SECRET})
            await asyncio.wait_for(stage.gerrit.listening(1), 60)
            for sample in found:
                if sample.way == "ssh":
                    await stage.gerrit.say(line(sample) + b"\n")
            for login in ("zuul", "firehose"):
                messages = [each.payload for each in found if each.way == "mqtt" and each.folder == login]
                await asyncio.to_thread(publish, hub, messages, login)
            answered = {
                place: await asyncio.to_thread(by_http, hub, sample, told[place])
                for place, sample in enumerate(found)
                if sample.way == "http"
            }
            taken = await asyncio.to_thread(taken_by, hub, found, promised)
            taken.ends = [
                (sample, answered.get(place) or by_other_ways(taken, sample, told[place]))
                for place, sample in enumerate(found)
            ]
            closing("shared samples, by their real protocols into a running hub", table(taken))
            judge(taken, [one["verdict"] for one in told])
            assert "Traceback" not in hub.log.read_text()
        finally:
            await asyncio.to_thread(hub.stop)


def judge(taken: Taken, explained: list[str]) -> None:
    """Each as `firehose explain` says, nothing unaccounted for, and the hub's ledger counts the same."""
    assert [end.verdict for _, end in taken.ends] == explained
    assert {sample.folder for sample, _ in taken.ends} == set(FOLDERS)
    counted: dict[str, Counter[str]] = {name: Counter() for name in taken.books}
    for sample, end in taken.ends:
        counted[name_of(sample)][end.verdict] += 1
        if end.verdict == "ignored":
            assert source.load(sample.kind).ignored[end.why]
        assert (end.verdict in TROUBLE) == (sample.file in UNREADABLE), (sample.file, end)
    for name, own in taken.books.items():
        own["event"] += own.pop("duplicate")
        assert +own == +counted[name], name


def table(taken: Taken) -> Iterator[str]:
    """A line for each folder, then why whatever is no event is none."""
    yield f"{'folder':<30}{'payloads':>9}{'event':>7}{'ignored':>9}{'quarantined':>13}"
    counts: dict[str, Counter[str]] = {folder: Counter() for folder in FOLDERS}
    whys: Counter[tuple[str, str]] = Counter()
    for sample, end in taken.ends:
        counts[sample.folder]["quarantined" if end.verdict in TROUBLE else end.verdict] += 1
        if end.verdict == "ignored":
            whys[sample.folder, f"{end.why}: {source.load(sample.kind).ignored[end.why]}"] += 1
    counts["all"] = sum(counts.values(), Counter())
    for folder, own in counts.items():
        yield f"{folder:<30}{own.total():>9}{own['event']:>7}{own['ignored']:>9}{own['quarantined']:>13}"
    for (folder, why), count in sorted(whys.items()):
        yield f"ignored      {folder:<8}{count:>4} x {why}"
    for sample, end in taken.ends:
        if end.verdict in TROUBLE:
            place = f"{sample.file}:{sample.number + 1}"
            yield f"quarantined  {place:<52} {end.why}  ({UNREADABLE.get(sample.file, 'unexpected')})"
