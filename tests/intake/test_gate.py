"""The gate: judged once, stored once, answered only when stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from firehose import wild
from firehose.bus.contract import Ack, Message
from firehose.bus.memory import MemoryBus
from firehose.errors import Refused, TryLater, UnknownKind
from firehose.event import Event, Recorded
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.plumbing.clock import now
from firehose.source import Delivery, Ignored, Settings, SourceKind, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)


def read(delivery: Delivery, settings: Settings) -> Verdict:
    body = wild.decode(delivery.body)
    kind = body["kind"].text()
    if kind == "noise":
        return Ignored("noise")
    if kind == "crash":
        raise ZeroDivisionError
    if kind != "merged":
        raise UnknownKind(kind)
    return [
        Event(
            id=name.text(), source="https://example.org", type="org.example.merged", kind="change.merged",
            subject=f"change~{name.text()}", time=START, data=delivery.body, summary="by a@example.org",
        )
        for name in body["names"].each()
    ]  # fmt: skip


TOY = SourceKind(
    name="toy", title="Toy", family="forge", settings=Settings, read=read, kinds={"merged": "change.merged"},
    ignored={"noise": "it is noise"}, hidden=("secret.token",),
)  # fmt: skip


class SlowBus(MemoryBus):
    """Waits to be told before it acknowledges, and remembers how many messages came together."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.go = asyncio.Event()
        self.go.set()

    async def publish(self, messages: Sequence[Message]) -> list[Ack]:
        self.sizes.append(len(messages))
        await self.go.wait()
        return await super().publish(messages)


class Desk:
    def __init__(self) -> None:
        self.bus = SlowBus()
        self.ledger = Ledger(now)
        self.known: dict[str, int] = {}
        instance = Instance("toy", TOY, Settings(kind="toy"))
        self.ledger.open(msgspec.structs.replace(instance.opening, since=START))

        async def known(ids: Sequence[str]) -> Mapping[str, int]:
            return {id_: self.known[id_] for id_ in ids if id_ in self.known}

        self.gate = Gate(self.bus, self.ledger, {"toy": instance}, known)

    def delivery(self, body: str) -> Delivery:
        return Delivery(source="toy", body=body.encode(), received=now())

    @property
    def verdicts(self) -> dict[str, int]:
        health = self.ledger.of("toy")
        assert health is not None
        return {verdict: count for verdict, count in health.verdicts.items() if count}

    async def stored(self) -> list[Recorded]:
        return [Recorded(s.sequence, s.time, s.payload) for s in await self.bus.fetch(0, 1_000)]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    running = asyncio.get_running_loop().create_task(made.gate.run())
    yield made
    running.cancel()


async def test_an_event_is_answered_with_its_place_in_the_stream(desk: Desk) -> None:
    receipt = await desk.gate.accept(desk.delivery('{"kind":"merged","names":["1","2"]}'))
    assert (receipt.verdict, receipt.ids, receipt.sequences) == ("event", ("1", "2"), (1, 2))
    assert [event.envelope.subject for event in await desk.stored()] == ["change~1", "change~2"]
    assert desk.verdicts == {"event": 1}


async def test_the_same_delivery_again_is_a_duplicate_with_the_first_place(desk: Desk) -> None:
    first = await desk.gate.accept(desk.delivery('{"kind":"merged","names":["1"]}'))
    again = await desk.gate.accept(desk.delivery('{"kind":"merged","names":["1"]}'))
    assert (again.verdict, again.sequences) == ("duplicate", first.sequences)
    assert len(await desk.stored()) == 1
    assert desk.verdicts == {"event": 1, "duplicate": 1}


async def test_the_history_knows_older_duplicates_than_the_stream(desk: Desk) -> None:
    identity = Event(id="9", source="https://example.org", type="", kind="", subject="", time=START).identity
    desk.known[identity] = 41
    receipt = await desk.gate.accept(desk.delivery('{"kind":"merged","names":["9"]}'))
    assert (receipt.verdict, receipt.sequences) == ("duplicate", (41,))
    assert await desk.stored() == []


async def test_deliveries_that_come_together_share_a_batch(desk: Desk) -> None:
    desk.bus.go.clear()
    calls = [
        asyncio.get_running_loop().create_task(desk.gate.accept(desk.delivery(f'{{"kind":"merged","names":["{n}"]}}')))
        for n in range(50)
    ]
    while not desk.bus.sizes:
        await asyncio.sleep(0)
    desk.bus.go.set()
    receipts = await asyncio.gather(*calls)
    assert sorted(receipt.sequences[0] for receipt in receipts) == list(range(1, 51))
    assert len(desk.bus.sizes) <= 2


async def test_a_second_batch_flies_under_load_without_what_shares_a_key_with_the_first(desk: Desk) -> None:
    def send(subject: str, id_: str) -> asyncio.Task[int]:
        message = Message(subject, id_, b"{}\n{}")
        return asyncio.get_running_loop().create_task(desk.gate.publish("toy", message))

    desk.bus.go.clear()
    calls = [send("events.same", "first")]
    while not desk.bus.sizes:
        await asyncio.sleep(0)
    calls.append(send("events.same", "second"))
    calls += [send(f"events.other.{n}", f"other-{n}") for n in range(299)]
    while len(desk.bus.sizes) < 2:
        await asyncio.sleep(0)
    desk.bus.go.set()
    places = await asyncio.gather(*calls)
    assert desk.bus.sizes == [1, 299, 1]
    assert places[:2] == [1, 301]


async def test_two_equal_deliveries_in_one_batch_are_one_event(desk: Desk) -> None:
    desk.bus.go.clear()
    calls = [
        asyncio.get_running_loop().create_task(desk.gate.accept(desk.delivery('{"kind":"merged","names":["7"]}')))
        for _ in range(3)
    ]
    while not desk.bus.sizes:
        await asyncio.sleep(0)
    desk.bus.go.set()
    receipts = await asyncio.gather(*calls)
    assert sorted(receipt.verdict for receipt in receipts) == ["duplicate", "duplicate", "event"]
    assert {receipt.sequences for receipt in receipts} == {(1,)}


async def test_ignored_by_list_is_counted_and_not_stored(desk: Desk) -> None:
    receipt = await desk.gate.accept(desk.delivery('{"kind":"noise"}'))
    assert (receipt.verdict, receipt.kind) == ("ignored", "noise")
    assert desk.verdicts == {"ignored": 1}


@pytest.mark.parametrize(
    ("body", "slug", "field"),
    [
        ('{"kind":"merged","names":[1.5e', "bad-json", ""),
        ('{"kind":["merged"]}', "bad-field", "kind"),
        ('{"kind":"merged","names":{"a":1}}', "bad-field", "names"),
        ('{"kind":"crash"}', "unreadable", ""),
        ('{"kind":' + "[" * 2_000 + "]" * 2_000 + "}", "too-deep", ""),
    ],
    ids=["truncated", "wrong type", "wrong container", "source bug", "too deep"],
)
async def test_what_cannot_be_read_is_kept_and_the_problem_names_the_field(
    desk: Desk, body: str, slug: str, field: str
) -> None:
    with pytest.raises(Refused) as caught:
        await desk.gate.accept(desk.delivery(body))
    assert (caught.value.slug, caught.value.field) == (slug, field)
    number = caught.value.extra["quarantine"]
    assert isinstance(number, int)
    kept = await desk.gate.quarantined(number)
    assert kept.delivery.body == body.encode()
    assert (kept.verdict, kept.cause) == ("refused", slug)
    assert desk.verdicts == {"refused": 1}


async def test_an_unknown_kind_is_quarantined_and_can_be_tried_again(desk: Desk) -> None:
    receipt = await desk.gate.accept(desk.delivery('{"kind":"dequeued","names":["1"]}'))
    assert (receipt.verdict, receipt.kind, receipt.quarantine) == ("unknown", "dequeued", 1)
    with pytest.raises(Refused, match="no mapping for 'dequeued'"):
        await desk.gate.again(1)
    mended = msgspec.structs.replace((await desk.gate.quarantined(1)).delivery, body=b'{"kind":"merged","names":["1"]}')
    kept = msgspec.structs.replace(await desk.gate.quarantined(1), delivery=mended)
    number = await desk.bus.shelve("quarantine", msgspec.json.encode(kept))
    assert (await desk.gate.again(number)).verdict == "event"
    with pytest.raises(Refused, match="no quarantined delivery"):
        await desk.gate.again(number)


async def test_a_stream_that_is_away_keeps_nothing_and_says_come_again(desk: Desk) -> None:
    desk.bus.away = True
    with pytest.raises(TryLater):
        await desk.gate.accept(desk.delivery('{"kind":"merged","names":["1"]}'))
    assert desk.verdicts == {}
    desk.bus.away = False
    assert (await desk.gate.accept(desk.delivery('{"kind":"merged","names":["1"]}'))).verdict == "event"


async def test_addresses_and_hidden_fields_never_reach_the_stream(desk: Desk) -> None:
    body = '{"kind":"merged","names":["1"],"mail":"Ada <ada@example.org>","secret":{"token":"t0k","name":"n"}}'
    await desk.gate.accept(desk.delivery(body))
    (event,) = await desk.stored()
    assert b"ada@example.org" not in event.frame
    assert b"t0k" not in event.frame
    assert event.envelope.summary == "by redacted@redacted.invalid"
    assert event.data["secret"] == {"name": "n"}
