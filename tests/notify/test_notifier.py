"""People are told: at once, in digests, through the night, once, after crashes, and never more than they want."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.delivery.stage import Stage, stage

from firehose.delivery.runner import Runner
from firehose.errors import FirehoseError, GiveUp, Gone, TryLater
from firehose.history.papers import Paper, Papers, open_papers
from firehose.notify import notifier as notifier_module
from firehose.notify.carriers import Carriers
from firehose.notify.desk import Desk
from firehose.notify.links import Links
from firehose.notify.notifier import BURST, Notifier
from firehose.notify.rules import Draft, Person, Place, Profile, Rule, When
from firehose.notify.words import Note
from firehose.plumbing import metrics
from firehose.plumbing.signing import Signer
from firehose.plumbing.webpush import Vapid
from firehose.settings import History, Notify

HUB = ("Firehose", "https://hub.example.org")


class Post(Carriers):
    """Carriers that keep what they carried; `answer` says what becomes of a note."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.sent: list[tuple[str, Note]] = []
        self.tries: list[str] = []
        self.answer: FirehoseError | None = None

    async def send(self, place: Place, note: Note) -> str:
        self.tries.append(note.id)
        if self.answer is not None:
            raise self.answer
        self.sent.append((place.id, note))
        return "ok"


class Office:
    """A notifier on a stage, which can die and come back."""

    def __init__(self, on: Stage, papers: Papers, folder: Path) -> None:
        self.on, self.papers, self.folder = on, papers, folder
        self.sign = Signer(folder / "keys" / "webhook.key")
        self.vapid = Vapid(folder / "keys" / "vapid.pem", "mailto:ops@example.org")
        self.links = Links(self.sign.sign, HUB[1])
        self.post = Post(Notify(), HUB, self.sign, self.vapid, on.clock)
        self.runs = 0

    async def keep(self, *things: Any) -> None:
        for thing in things:
            name = thing.name if isinstance(thing, Person) else thing.id
            owner = thing.name if isinstance(thing, Person) else thing.owner
            self.papers.put(Paper(type(thing).__name__.lower(), name, owner, msgspec.json.encode(thing)))

    async def start(self) -> Runner:
        self.notifier = Notifier(self.papers, self.on.ears, self.post, self.links, HUB)
        await self.notifier.load()
        self.runner = Runner(self.notifier.outlet(), self.notifier, self.on.ears)
        self.notifier.cursor = lambda: self.runner.cursor
        self.runs += 1
        self.tasks = [
            self.on.crew.start(f"notify {self.runs}", self.runner.run()),
            self.on.crew.start(f"watch {self.runs}", self.notifier.jobs()[0][1]),
        ]
        await self.on.until(lambda: self.runner._begun)
        return self.runner

    async def die(self) -> None:
        """As kill -9 would: nothing is saved on the way out."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    def desk(self) -> Desk:
        return Desk(papers=self.papers, reader=self.on.reader, carriers=self.post, links=self.links, vapid=self.vapid,
                    now=self.on.clock, notifier=self.notifier)  # fmt: skip

    async def read(self) -> None:
        """Until everything published was placed."""
        head = (await self.on.bus.span()).last
        await self.on.until(lambda: self.runner.cursor >= head)

    def titles(self) -> list[str]:
        return [note.title for _, note in self.post.sent]


@asynccontextmanager
async def office(folder: Path, *things: Any) -> AsyncIterator[Office]:
    async with stage(folder) as on:
        papers = open_papers(History(), folder)
        found = Office(on, papers, folder)
        await found.keep(*things)
        await found.start()
        yield found
    papers.close()


def texts(found: Office) -> list[list[str]]:
    """The things of each note."""
    return [[item.text.removeprefix("change.merged ") for item in note.items] for _, note in found.post.sent]


PAGE = Place(id="page", owner="ada", kind="page")
ALL = Rule(id="all", owner="ada", title="All", to="page")


def rule(id_: str, query: str = "", **more: Any) -> Rule:
    return Rule(id=id_, owner="ada", title=id_, query=query, to=more.pop("to", "page"), **more)


async def test_an_event_that_several_rules_want_is_told_once_with_all_reasons(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL, rule("merged", "kind:change.merged")) as found:
        await found.on.publish("nova~1")
        await found.on.until(lambda: found.post.sent)
        ((place, note),) = found.post.sent
        assert place == "page"
        assert note.because == "Firehose tells you because of the rules “All”, “merged”."
        reason = found.links.read(note.why.rpartition("/")[2])
        assert (reason.place, reason.sequence, set(reason.rules)) == ("page", 1, {"all", "merged"})
        (told,) = await found.desk().told("ada")
        assert (told.sequence, told.message) == (1, note.id)


async def test_a_digest_holds_what_came_until_it_was_due_and_nothing_is_told_twice(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, rule("hourly", when="hourly")) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        found.on.clock.pass_(1_800)
        await found.on.publish("c~1")
        await found.read()
        assert found.post.sent == []
        found.on.clock.pass_(1_801)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent)
        ((_, note),) = found.post.sent
        assert (note.count, [item.text for item in note.items]) == (
            3, ["change.merged a~1", "change.merged b~1", "change.merged c~1"])  # fmt: skip
        await found.on.publish("d~1")
        await found.read()
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.sent) == 2)
        assert found.post.sent[1][1].items[0].text == "change.merged d~1"


async def test_a_digest_is_the_same_message_at_every_try_also_after_a_crash(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, rule("hourly", when="hourly")) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        found.post.answer = TryLater("away")
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: found.post.tries)
        await found.on.publish("c~1")
        await found.read()
        await found.die()
        found.post.answer = None
        await found.start()
        found.on.clock.pass_(7_200)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent)
        found.on.clock.pass_(7_200)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.sent) == 2)
        first, later = (note for _, note in found.post.sent)
        assert first.id == found.post.tries[0]
        assert [item.text for item in first.items] == ["change.merged a~1", "change.merged b~1"]
        assert [item.text for item in later.items] == ["change.merged c~1"]


async def test_a_digest_that_waits_over_a_restart_is_one_message_with_all_of_it(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, rule("hourly", when="hourly")) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        await found.die()
        await found.start()
        await found.on.publish("c~1", "d~1")
        await found.read()
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent and not found.runner.health().open)
        ((_, note),) = found.post.sent
        assert [item.text[-3:] for item in note.items] == ["a~1", "b~1", "c~1", "d~1"]


async def test_quiet_hours_end_with_one_message(tmp_path: Path) -> None:
    ada = Person(name="ada", quiet_from="11:00", quiet_to="13:00")
    async with office(tmp_path, ada, PAGE, ALL) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        assert found.post.sent == []
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent)
        assert found.post.sent[0][1].count == 2


async def test_what_waited_through_quiet_hours_is_told_though_they_were_lifted_meanwhile(tmp_path: Path) -> None:
    ada = Person(name="ada", quiet_from="11:00", quiet_to="13:00")
    async with office(tmp_path, ada, PAGE, ALL) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        await found.desk().save_person("ada", Profile())
        await found.on.publish("c~1")
        await found.on.until(lambda: found.post.sent)
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.sent) == 2)
        assert texts(found) == [["c~1"], ["a~1", "b~1"]]


@pytest.mark.parametrize(("before", "after"), [
    ("hourly", "daily"), ("daily", "hourly"), ("hourly", "now"), ("daily", "now"),
])  # fmt: skip
@pytest.mark.parametrize("dies", [False, True])
async def test_what_waited_for_a_digest_is_told_once_though_its_rule_changed_meanwhile(
    tmp_path: Path, before: When, after: When, dies: bool
) -> None:
    async with office(tmp_path, PAGE, rule("all", when=before)) as found:
        await found.on.publish("a~1", "b~1")
        await found.read()
        await found.desk().save_rule("ada", Draft(title="All", to="page", when=after), "all")
        if dies:
            await found.runner._save()
            await found.die()
            await found.start()
        await found.on.publish("c~1")
        await found.read()
        for _ in range(3):
            found.on.clock.pass_(86_400)
            found.runner.hurry()
            await found.on.until(lambda: not found.runner.health().open)
        assert sorted(text for note in texts(found) for text in note) == ["a~1", "b~1", "c~1"]


async def test_a_days_digest_keeps_what_is_its_own_when_the_hours_is_sent(tmp_path: Path) -> None:
    things = (PAGE, rule("hour", "subject:a~*", when="hourly"), rule("day", "subject:b~*", when="daily"))
    async with office(tmp_path, *things) as found:
        await found.on.publish("b~1", "a~1", "b~2", "a~2")
        await found.read()
        # What another life of the hub placed is known from its position.
        await found.runner._save()
        await found.die()
        await found.start()
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent)
        assert texts(found) == [["a~1", "a~2"]]
        found.on.clock.pass_(86_400)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.sent) == 2)
        assert texts(found)[1:] == [["b~1", "b~2"]]


async def test_a_digest_that_would_be_too_long_is_several_that_hold_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_module, "MOST", 5)
    async with office(tmp_path, PAGE, rule("hourly", when="hourly")) as found:
        await found.on.publish(*(f"t~{number:02}" for number in range(12)))
        await found.read()
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: found.post.sent and not found.runner.health().open)
        assert [note.count for _, note in found.post.sent] == [5, 5, 2]
        assert [text for note in texts(found) for text in note] == [f"t~{number:02}" for number in range(12)]
        assert len({note.id for _, note in found.post.sent}) == 3
        assert len(await found.desk().told("ada")) == 12


async def test_the_rest_of_a_long_digest_is_tried_again_without_what_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_module, "MOST", 5)

    class Second(Post):
        async def send(self, place: Place, note: Note) -> str:
            if len(self.sent) == 1 and len(self.tries) < 3:
                self.tries.append(note.id)
                raise TryLater("away")
            return await super().send(place, note)

    async with office(tmp_path, PAGE, rule("hourly", when="hourly")) as found:
        found.post.__class__ = Second
        await found.on.publish(*(f"t~{number}" for number in range(8)))
        await found.read()
        found.on.clock.pass_(3_601)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.tries) == 2)
        await found.runner._save()
        await found.die()
        await found.start()
        for number in (3, 4):
            found.on.clock.pass_(7_200)
            found.runner.hurry()
            await found.on.until(lambda number=number: len(found.post.tries) == number)
        await found.on.until(lambda: not found.runner.health().open)
        assert texts(found) == [[f"t~{number}" for number in range(5)], [f"t~{number}" for number in range(5, 8)]]
        assert found.post.tries[1] == found.post.tries[2] == found.post.tries[3]


async def test_too_much_at_once_comes_together(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL) as found:
        await found.on.publish(*(f"t~{number}" for number in range(BURST + 30)))
        await found.on.until(lambda: len(found.post.sent) == BURST)
        await found.read()
        found.on.clock.pass_(700)
        found.runner.hurry()
        await found.on.until(lambda: len(found.post.sent) == BURST + 1)
        assert found.post.sent[-1][1].count == 30


async def test_a_place_that_is_gone_is_stopped_and_says_why_until_it_is_tried_again(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL) as found:
        found.post.answer = Gone("answered 410")
        await found.on.publish("a~1")
        await found.on.until(lambda: found.notifier.book.places["page"].state == "stopped")
        assert found.notifier.book.places["page"].why == "answered 410"
        found.post.answer = None
        await found.on.publish("b~1")
        await found.read()
        await found.desk().try_place("ada", "page")
        await found.on.until(lambda: found.post.sent)
        assert found.titles() == ["Firehose reaches you here"]
        await found.on.publish("c~1")
        await found.on.until(lambda: len(found.post.sent) == 2)
        assert found.titles()[1] == "change.merged c~1"


async def test_what_a_place_refuses_for_good_is_a_dead_letter(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL) as found:
        found.post.answer = GiveUp("550 no such user")
        await found.on.publish("a~1")
        await found.on.until(lambda: found.runner.books.health.dead)
        assert found.notifier.book.places["page"].state == "stopped"


async def test_one_place_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    ben = Place(id="ben", owner="ben", kind="page")
    bens = Rule(id="bens", owner="ben", title="Ben's", to="ben")
    async with office(tmp_path, PAGE, ALL, ben, bens) as found:

        class Half(Post):
            async def send(self, place: Place, note: Note) -> str:
                if place.id == "page":
                    raise TryLater("away")
                return await super().send(place, note)

        found.post.__class__ = Half
        await found.on.publish("t~0")
        await found.on.until(lambda: found.notifier._failing)
        for number in range(1, 6):
            await found.on.publish(f"t~{number}")
        await found.on.until(lambda: len(found.post.sent) == 6)
        assert {place for place, _ in found.post.sent} == {"ben"}
        # What cannot be told is one item that waits, however much it is.
        await found.read()
        assert found.runner.health().open <= 3


async def test_links_stop_lessen_and_mute(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL, rule("other")) as found:
        desk = found.desk()
        word = found.links.reason("page", 1, ["all"])
        await desk.later(word)
        assert found.notifier.book.rules["all"].when == "daily"
        await desk.narrow(word, "kind:change.reviewed")
        await desk.narrow(word, "project:a")
        assert found.notifier.book.rules["all"].exclude == "(kind:change.reviewed) OR project:a"
        await desk.quiet_thread(word, "nova~1")
        await found.on.publish("nova~1", "nova~2")
        await found.on.until(lambda: found.post.sent)
        assert found.titles() == ["change.merged nova~2"]
        await desk.stop(word)
        assert not found.notifier.book.rules["all"].on
        assert found.notifier.book.rules["other"].on


async def test_a_rule_is_tried_on_the_past_with_what_it_would_leave_out(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, rule("before", "subject:x~1")) as found:
        await found.on.publish("a~1", "b~1", "x~1")
        await found.on.publish("mine~1", actor="ada")
        await found.on.publish("c~1", kind="change.created")
        assert await found.on.reader.wait(5, 10)
        draft = Draft(title="t", query="kind:change.*", exclude="kind:change.created", to="page")
        trial = await found.desk().attempt("ada", draft)
        assert (trial.events, trial.messages, trial.whole) == (2, 2, True)
        assert trial.left == {"own": 1, "excluded": 1, "another rule": 1}
        assert [one.summary for one in trial.told] == ["b~1", "a~1"]
        assert sum(day.told for day in trial.per_day) == 2
        daily = await found.desk().attempt("ada", Draft(title="t", to="page", when="daily", own=True))
        assert (daily.events, daily.messages) == (4, 1)
        starters = await found.desk().starters("ada")
        assert {starter.name: tried.events for starter, tried in starters}["merged"] == 3


async def test_mail_addresses_and_nicks_are_confirmed_by_their_own_link(tmp_path: Path) -> None:
    async with office(tmp_path) as found:
        place = Place(id="mail", owner="ada", kind="email", to="ada@example.org", state="unconfirmed")
        await found.keep(place, rule("all", to="mail"))
        await found.on.publish("a~1")
        desk = found.desk()
        await desk.try_place("ada", "mail")
        await found.on.until(lambda: found.post.sent)
        ((_, letter),) = found.post.sent
        word = letter.why.rpartition("/")[2]
        assert (await desk.confirm(word, act=False)).state == "unconfirmed"
        for foreign in (
            word[:-1] + ("y" if word[-1] == "x" else "x"),
            "mail-" + "a" * 24,
            found.links.reason("mail", 1, ["all"]),
        ):
            with pytest.raises(FirehoseError):
                await desk.confirm(foreign, act=True)
        await desk.confirm(word, act=True)
        await found.on.publish("b~1")
        await found.on.until(lambda: len(found.post.sent) == 2)
        assert found.titles()[1] == "change.merged b~1"


async def test_a_letter_that_no_carrier_can_send_is_dropped_and_the_next_one_goes(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL) as found:
        found.post.answer = UnicodeEncodeError("ascii", "jürgen", 1, 2, "ordinal not in range")  # type: ignore[assignment]
        before = dropped()
        await found.desk().try_place("ada", "page")
        await found.on.until(lambda: found.notifier.book.places["page"].state == "stopped")
        assert "UnicodeEncodeError" in found.notifier.book.places["page"].why
        await found.on.until(lambda: not [one for one in found.papers.all() if one.drawer == "letter"])
        assert dropped() == before + 1
        found.post.answer = None
        await found.desk().try_place("ada", "page")
        await found.on.until(lambda: found.post.sent)
        assert found.titles() == ["Firehose reaches you here"]


def dropped() -> float:
    return metrics.notify_letters.labels("dropped")._value.get()


async def test_nobody_reaches_what_is_not_theirs(tmp_path: Path) -> None:
    async with office(tmp_path, PAGE, ALL) as found:
        desk = found.desk()
        for act in (desk.drop_rule("eve", "all"), desk.drop_place("eve", "page"), desk.try_place("eve", "page"),
                    desk.save_rule("eve", Draft(title="x", to="page"), "all"),
                    desk.save_rule("eve", Draft(title="x", to="page")),
                    desk.save_rule("eve", Draft(title="x", to="page", owner="team:infra"))):  # fmt: skip
            with pytest.raises(FirehoseError):
                await act
        await desk.save_team("ada", "infra", ("ada", "ben"))
        with pytest.raises(FirehoseError):
            await desk.save_team("eve", "infra", ("eve",))
        assert (await desk.kept("eve")).rules == ()
        assert [team.name for team in (await desk.kept("ben")).teams] == ["infra"]


async def test_hours_are_kept_and_read_again(tmp_path: Path) -> None:
    async with office(tmp_path) as found:
        desk = found.desk()
        given = Profile(names=("Ada L",), zone="Europe/Berlin", quiet_from="22:00", quiet_to="07:00")
        await desk.save_person("ada", given)
        person = (await desk.kept("ada")).person
        assert (person.names, person.zone, person.daily) == (("Ada L",), "Europe/Berlin", "08:00")
        assert found.notifier.book.people["ada"] == person
