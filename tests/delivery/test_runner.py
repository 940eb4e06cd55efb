"""A sink's runner: what it reads, in which order it sends, when it tries again, what it keeps over a restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.delivery.stage import Script, stage

from firehose.delivery import deadletters, position
from firehose.delivery import runner as runner_module
from firehose.errors import GiveUp, Gone, SlowDown, TryLater
from firehose.sink import Message, Settings


async def test_a_new_sink_begins_at_the_head_and_gets_what_its_query_asks_for(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.publish("old")
        await on.until(lambda: on.live.head == 1)
        script = Script()
        runner = on.runner(script, Settings(kind="script", query="kind:change.merged"))
        await on.until(lambda: runner.health().cursor == 1)
        await on.publish("a")
        await on.publish("b", kind="change.created")
        await on.publish("c")
        await on.until(lambda: runner.health().cursor == 4 and runner.health().open == 0)
        assert script.sent == ["a2", "c4"]
        health = runner.health()
        assert (health.sent, health.failed, health.lag, health.state) == (2, 0, 0, "healthy")


async def test_since_earliest_begins_with_the_history(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.publish(*[f"x{number}-" for number in range(200)])
        script = Script()
        on.runner(script, Settings(kind="script", since="earliest", concurrency=1))
        await on.until(lambda: len(script.sent) == 200)
        assert script.sent == [f"x{number}-{number + 1}" for number in range(200)]


async def test_order_holds_for_a_thing_and_a_slow_thing_holds_up_no_other(tmp_path: Path) -> None:
    failing = {"a1"}
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("not now") if message.id in failing else None)
        runner = on.runner(script)
        await on.until(lambda: on.bus._tables)
        await on.publish("a", "b", "a", "b")
        await on.until(lambda: len(script.sent) == 2)
        assert script.sent == ["b2", "b4"]
        assert runner.health().state == "waiting"
        failing.clear()
        on.clock.pass_(7)
        runner._stir.set()
        await on.until(lambda: len(script.sent) == 4)
        assert script.sent[2:] == ["a1", "a3"]
        assert runner.health().state == "healthy"


async def test_order_stream_waits_with_everything(tmp_path: Path) -> None:
    failing = {"a1"}
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("not now") if message.id in failing else None)
        runner = on.runner(script, Settings(kind="script", order="stream", since="earliest"))
        await on.publish("a", "b", "c")
        await on.until(lambda: script.tries)
        failing.clear()
        on.clock.pass_(7)
        await on.until(lambda: runner._stir.set() or len(script.sent) == 3)
        assert script.sent == ["a1", "b2", "c3"]


async def test_no_more_than_the_declared_number_at_a_time(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script()
        script.hold = asyncio.Event()
        runner = on.runner(script, Settings(kind="script", concurrency=3, since="earliest"))
        await on.publish(*"abcdefgh")
        await on.until(lambda: runner.health().open == 8 and script._now == 3)
        script.hold.set()
        await on.until(lambda: len(script.sent) == 8)
        assert script.most == 3


async def test_who_never_answers_holds_a_lane_no_longer_than_a_try_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "TRY_SECONDS", 0.05)
    async with stage(tmp_path) as on:
        script = Script()
        script.hold = asyncio.Event()
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a")
        await on.until(lambda: runner.health().failed == 1)
        assert "no answer within 0.05 s" in runner.health().why
        script.hold.set()
        on.clock.pass_(7)
        await on.until(lambda: runner._stir.set() or script.sent == ["a1"])


async def test_ten_tries_then_a_dead_letter_that_can_be_sent_again(tmp_path: Path) -> None:
    broken = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("HTTP 500") if broken[0] and message.id == "a1" else None)
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a")
        for number in range(1, 11):
            await on.until(lambda number=number: len(script.tries) == number)
            await on.until(lambda: runner._lanes.busy == 0)
            on.clock.pass_(86_400 * 1.3)
            runner._stir.set()
        await on.until(lambda: runner.health().open == 0)
        ((kept, dead),) = await deadletters.letters(on.bus)
        assert (dead.sink, dead.sequence, dead.failures, dead.error) == ("out", 1, 10, "HTTP 500")
        assert dead.event is not None
        assert dead.event.envelope.subject == "a"
        assert runner.health().dead == 1
        broken[0] = False
        await deadletters.replay(on.bus, kept.number)
        ((number, order),) = await deadletters.orders(on.bus)
        await runner.obey(order)
        await on.until(lambda: script.sent == ["a1"])
        assert await deadletters.letters(on.bus) == []


async def test_a_message_that_will_never_be_taken_is_dead_at_once_and_the_next_goes(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script(lambda message: GiveUp("too big") if message.id == "a1" else None)
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a", "a")
        await on.until(lambda: script.sent == ["a2"])
        await on.until(lambda: runner.health().dead == 1)
        assert [dead.error for _, dead in await deadletters.letters(on.bus)] == ["too big"]


async def test_a_receiver_that_is_gone_switches_the_sink_off_and_nothing_is_lost(tmp_path: Path) -> None:
    gone = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: Gone("answered 410") if gone[0] else None)
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a")
        await on.until(lambda: runner.health().state == "disabled")
        await on.publish("b", "c")
        assert runner.health().why == "answered 410"
        await on.until(lambda: on.reader.head == 3)
        assert script.tries == ["a1"]
        gone[0] = False
        await runner.obey(deadletters.Order(sink="out", action="enable"))
        await on.until(lambda: sorted(script.sent) == ["a1", "b2", "c3"])
        assert runner.health().state == "healthy"


async def test_a_pause_that_the_receiver_wants_holds_for_all_and_is_no_failed_try(tmp_path: Path) -> None:
    slow = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: SlowDown("answered 429", after=60) if slow[0] else None)
        runner = on.runner(script, Settings(kind="script", since="earliest", concurrency=1))
        await on.publish("a", "b")
        await on.until(lambda: runner.health().state == "slowed")
        slow[0] = False
        on.clock.pass_(30)
        runner._stir.set()
        await on.publish("c")
        await on.until(lambda: runner.health().open == 3)
        assert script.tries == ["a1"]
        on.clock.pass_(31)
        runner._stir.set()
        await on.until(lambda: len(script.sent) == 3)
        assert Counter(script.tries) == {"a1": 2, "b2": 1, "c3": 1}


async def test_a_receiver_that_comes_back_gets_everything_at_once(tmp_path: Path) -> None:
    away = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("nobody there") if away[0] else None)
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish(*[f"t{number}-" for number in range(40)])
        await on.until(lambda: runner.health().state == "away")
        await on.until(lambda: runner._lanes.busy == 0)
        tried = len(script.tries)
        assert tried < 15
        for _ in range(12):
            on.clock.pass_(400)
            runner._stir.set()
            await on.until(lambda tried=tried: len(script.tries) > tried and runner._lanes.busy == 0)
            assert len(script.tries) == tried + 1
            tried += 1
        away[0] = False
        on.clock.pass_(400)
        runner._stir.set()
        await on.until(lambda: len(script.sent) == 40)
        assert runner.health().dead == 0


async def test_what_was_open_is_open_after_a_restart_with_its_count_of_tries(tmp_path: Path) -> None:
    away = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("nobody there") if away[0] else None)
        runner = on.runner(script, Settings(kind="script", since="earliest"), name="first")
        await on.publish("a", "b")
        await on.until(lambda: len(script.tries) == 2)
        await runner._save()
        kept = await position.load(on.bus, "first")
        assert kept is not None
        assert [(open_.sequence, open_.failures) for open_ in kept.open] == [(1, 1), (2, 1)]
        away[0] = False
        on.clock.pass_(10)
        await on.bus.put(position.TABLE, "second", await on.bus.get(position.TABLE, "first") or b"")
        again = Script()
        second = on.runner(again, Settings(kind="script", since="earliest"), name="second")
        await on.until(lambda: sorted(again.sent) == ["a1", "b2"])
        assert second.health().failed == 2


async def test_a_sink_that_fails_within_holds_up_no_other(tmp_path: Path) -> None:
    def bad(message: Message) -> None:
        raise KeyError("a bug")

    async with stage(tmp_path) as on:
        good = Script()
        broken = on.runner(Script(bad), Settings(kind="script", since="earliest"), name="broken")
        on.runner(good, Settings(kind="script", since="earliest"), name="good")
        await on.publish("a", "b")
        await on.until(lambda: len(good.sent) == 2)
        await on.until(lambda: broken.health().dead == 2)
        assert sorted(dead.error for _, dead in await deadletters.letters(on.bus)) == ["KeyError: 'a bug'"] * 2


async def test_events_that_make_no_message_are_settled(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script()
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a", actor="nobody")
        await on.publish("b")
        await on.until(lambda: script.sent == ["b2"] and runner.health().open == 0)
        assert runner.health().sent == 1


async def test_what_waits_in_a_lane_can_go_together(tmp_path: Path) -> None:
    away = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("nobody there") if away[0] else None)
        runner = on.runner(script, Settings(kind="script", since="earliest", order="stream"), most=10)
        await on.publish("a")
        await on.until(lambda: script.tries == ["a1"])
        await on.publish("b", "c")
        await on.until(lambda: runner.health().open == 3)
        away[0] = False
        on.clock.pass_(10)
        runner._stir.set()
        await on.until(lambda: runner.health().open == 0)
        assert script.sent == ["a1+b2+c3"]


async def test_an_event_for_several_lanes_reaches_each_once_whoever_is_first(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script(lambda message: GiveUp("never") if message.id.endswith("2") else None)
        script.hold = asyncio.Event()
        runner = on.runner(
            script, Settings(kind="script", since="earliest"), lanes=lambda event, settings: ("x", "y", "z"),
            most=1,
        )  # fmt: skip
        await on.publish("a", "b", "c")
        await on.until(lambda: script.most == 3)
        script.hold.set()
        await on.until(lambda: runner.health().open == 0)
        assert sorted(script.sent) == ["a1"] * 3 + ["c3"] * 3
        letters = [letter for _, letter in await deadletters.letters(on.bus)]
        assert [letter.event is not None for letter in letters] == [True] * 3
        assert (runner.books.broken, runner._events, runner._shares) == ("", {}, {})


async def test_what_the_receiver_recognises_is_sent_again_as_it_was_also_by_another_process(tmp_path: Path) -> None:
    away = [True]
    async with stage(tmp_path) as on:
        script = Script(lambda message: TryLater("did it arrive?") if away[0] else None)
        own = Settings(kind="script", since="earliest", order="stream")
        runner = on.runner(script, own, name="first", most=10, recognises=True)
        await on.publish("a")
        await on.until(lambda: script.tries == ["a1"])
        await on.publish("b", "c")
        await on.until(lambda: runner.health().open == 3)
        await runner._save()
        await on.bus.put(position.TABLE, "second", await on.bus.get(position.TABLE, "first") or b"")
        again = Script()
        on.clock.pass_(10)
        second = on.runner(again, own, name="second", most=10, recognises=True)
        await on.until(lambda: second.health().open == 0 and len(again.sent) == 2)
        assert again.sent == ["a1", "b2+c3"]
        away[0] = False
        runner._stir.set()
        await on.until(lambda: script.sent == ["a1", "b2+c3"])


async def test_the_engine_may_be_away_for_a_while(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script()
        runner = on.runner(script, Settings(kind="script", since="earliest"))
        await on.publish("a")
        await on.until(lambda: script.sent == ["a1"])
        on.bus.away = True
        with pytest.raises(TryLater):
            await runner._save()
        on.bus.away = False
        await on.publish("b")
        await on.until(lambda: script.sent == ["a1", "b2"])
        await on.until(lambda: not runner._changed)
        kept = await position.load(on.bus, "out")
        assert kept is not None
        assert kept.cursor == 2


async def test_a_lane_that_waits_for_its_hour_sends_everything_together_then(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        script = Script()
        hour = timedelta(hours=1)
        runner = on.runner(
            script, Settings(kind="script", since="earliest"), most=lambda settings: 10,
            lanes=lambda event, settings: ("ada",), due=lambda now, lane, settings: now + hour,
        )  # fmt: skip
        await on.publish("a", "b", "c")
        await on.until(lambda: runner.health().open == 3)
        assert script.tries == []
        on.clock.pass_(3_601)
        runner._stir.set()
        await on.until(lambda: runner.health().open == 0)
        assert script.sent == ["a1+b2+c3"]


def hourly(recorded: datetime, lane: str, settings: Settings) -> datetime:
    return recorded.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def sizes(script: Script) -> list[int]:
    return [len(id_.split("+")) for id_ in script.sent]


async def test_all_of_an_hours_digests_go_at_its_end_however_many_events_and_recipients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "WINDOW", 10)
    async with stage(tmp_path) as on:
        script = Script()
        runner = on.runner(
            script, Settings(kind="script", since="earliest"), most=10, due=hourly, recognises=True,
            lanes=lambda event, settings: ("ada", "ben", "eve"),
        )  # fmt: skip
        await on.publish(*(f"t{number}-" for number in range(25)))
        await on.until(lambda: runner.health().open == 30)
        assert script.tries == []
        on.clock.pass_(3_600)
        runner._stir.set()
        await on.until(lambda: runner.health().cursor == 25 and not runner.health().open)
        assert sorted(sizes(script)) == [5, 5, 5, 10, 10, 10, 10, 10, 10]
        assert Counter("+".join(script.sent).split("+")) == {f"t{number}-{number + 1}": 3 for number in range(25)}


async def test_a_digest_that_is_late_goes_at_once_and_whole_and_the_next_one_at_its_hour(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        for hour in range(3):
            await on.publish(*(f"h{hour}n{number}-" for number in range(200)))
            on.clock.pass_(3_600)
        await on.publish("new")
        await on.until(lambda: on.live.head == on.reader.head == 601)
        script = Script()
        runner = on.runner(
            script, Settings(kind="script", since="earliest"), most=1_000, due=hourly,
            lanes=lambda event, settings: ("ada",),
        )  # fmt: skip
        await on.until(lambda: script.sent)
        assert sizes(script) == [600]
        await on.until(lambda: runner.health().open == 1)
        on.clock.pass_(3_600)
        runner._stir.set()
        await on.until(lambda: len(script.sent) == 2)
        assert script.sent[1] == "new601"


async def test_a_digest_that_came_due_while_the_hub_was_down_is_one_message_with_what_came_meanwhile(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        given = {"most": 1_000, "due": hourly, "lanes": lambda event, settings: ("ada",)}
        first = on.runner(Script(), Settings(kind="script", since="earliest"), name="first", **given)
        await on.publish("a", "b")
        await on.until(lambda: first.health().open == 2)
        await first._save()
        await on.bus.put(position.TABLE, "second", await on.bus.get(position.TABLE, "first") or b"")
        await on.publish(*(f"t{number}-" for number in range(100)))
        on.clock.pass_(3_600)
        await on.until(lambda: on.live.head == on.reader.head == 102)
        script = Script()
        on.runner(script, Settings(kind="script"), name="second", **given)
        await on.until(lambda: script.sent)
        assert sizes(script) == [102]
