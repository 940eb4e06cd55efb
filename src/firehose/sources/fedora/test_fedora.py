"""Fedora's messages, by samples, by every shared sample against its expected values, and by the odd cases."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused
from firehose.event import Event, encode
from firehose.sources.fedora import wire
from firehose.sources.fedora.services.table import KINDS, TABLE, rule
from firehose.subject import filter_problem, unescape

SAMPLES = Path(__file__).parent / "samples"
FEDORA = source.load("fedora")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HUB: dict[str, Any] = {"hubs": ("org.lumen.prod.firehose",)}


# Services know some people by nick or address only; who they are is the operator's to tell.
ACCOUNTS = {
    "meetbot": {"threebean": "ralph"},
    "mailman": {"nicolas.mailhot@laposte.net": "nim"},
    "bugzilla": {"rbean@redhat.com": "ralph", "puiterwijk@gmail.com": "puiterwijk", "bob@redhat.com": "nim"},
}


def verdict(body: object, topic: str = "", headers: dict[str, str] | None = None, **more: Any) -> source.Verdict:
    delivery = source.Delivery(
        source="fedora", body=json.dumps(body).encode(), received=NOW, headers=headers or {}, topic=topic,
        channel="amqp" if topic else "explain",
    )  # fmt: skip
    return FEDORA.read(delivery, FEDORA.settings(kind="fedora", **more))


def read(body: object, topic: str = "", headers: dict[str, str] | None = None, **more: Any) -> Event:
    found = verdict(body, topic, headers, **more)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "kind", "summary", "refs"),
    [
        ("teapot.boiled__no-service", "message.published", "teapot.boiled by mira about teapot", "user/mira"),
        ("bodhi.update.comment__new", "comment.added",
         "tomas commented on bodhi update atlas-2.1-1.fc44 (karma: 1)", "user/tomas user/mira package/rpm/atlas"),
        ("anitya.project.version.update__newer", "artifact.published",
         'A new version of "atlas" has been detected:  "2.1" newer than "2.0", packaged as "atlas"',
         "user/anitya package/rpm/atlas"),
        ("buildsys.build.state.change__fedmsg-failed", "build.finished", "mira's atlas-2.0-1.fc21 failed to build",
         "package/rpm/atlas user/mira"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, kind: str, summary: str, refs: str) -> None:
    event = read(sample(name))
    assert (event.kind, event.summary, " ".join(event.refs)) == (kind, summary, refs)


def test_a_message_is_kept_whole_with_the_names_and_types_of_its_headers() -> None:
    table = {"fedora_messaging_rpm_NetworkManager": True, "fedora_messaging_severity": 40, "sent-at":
             "2026-03-02T10:20:30+00:00", "fedora_messaging_schema": "x.v1"}  # fmt: skip
    headers = {"amqp-headers": json.dumps(table), "amqp-message-id": "u-1", "amqp-priority": "3"}
    event = read({"a": 1}, "org.fedoraproject.prod.x.y", headers)
    assert json.loads(event.data) == {
        "topic": "org.fedoraproject.prod.x.y",
        "headers": table,
        "id": "u-1",
        "body": {"a": 1},
        "queue": None,
        "priority": 3,
    }
    assert (event.id, event.severity, event.subject) == ("u-1", "error", "package/rpm/NetworkManager")
    assert (event.type, event.dataschema) == ("org.fedoraproject.prod.x.y", "fedora-messaging:x.v1")
    assert event.alias == ("fedora-messaging/org/fedoraproject/prod/x/y",)
    assert event.time == datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)


def test_what_names_no_schema_is_marked_as_from_a_bus_all_the_same() -> None:
    assert read({}, "org.fedoraproject.prod.x.y").dataschema == "fedora-messaging:base.message"


@pytest.mark.parametrize("topic", ["org.fedoraproject.prod.a/b.c d%", "x..y", "org.fedoraproject.prod.#.+"])
def test_a_topic_can_be_read_back_from_its_mqtt_topic(topic: str) -> None:
    (alias,) = read({}, topic).alias
    levels = alias.removeprefix("fedora-messaging/").split("/")
    assert ".".join(unescape(level) for level in levels) == topic
    assert filter_problem(alias) == ""


def test_without_an_id_the_same_message_has_the_same() -> None:
    first, again, other = (read({"n": n}, "org.fedoraproject.prod.x.y") for n in (1, 1, 2))
    assert first.id == again.id != other.id


def test_an_address_is_nobodys_name() -> None:
    table = {"fedora_messaging_user_mira@lumen.example": True}
    event = read({}, "org.fedoraproject.prod.x.y", {"amqp-headers": json.dumps(table)})
    assert (event.actor, event.refs) == ("", ())


def test_a_message_of_a_hub_is_left_out_unless_the_hub_is_named() -> None:
    given = sample("firehose.event__other-hub")
    assert verdict(given) == source.Ignored("firehose.event")
    assert verdict(given, hubs=("org.lumen.prod.fire",)) == source.Ignored("firehose.event")
    event = read(given, **HUB)
    assert (event.id, event.source, event.kind) == ("m-1", "https://review.lumen.example", "change.merged")
    assert (event.subject, event.actor, json.loads(event.data)) == ("atlas~7", "mira", {"n": 7})
    assert event.dataschema == "fedora-messaging:firehose.event"
    del given["body"]["kind"]
    with pytest.raises(Refused, match="kind"):
        read(given, **HUB)


def test_a_known_service_that_says_something_else_is_shown_under_its_topic() -> None:
    event = read({"odd": True}, "org.fedoraproject.prod.buildsys.build.state.change")
    assert (event.kind, event.summary) == ("build.updated", "buildsys.build.state.change")


@pytest.mark.parametrize("body", [{"issue": {"private": True}}, {"comment": {"is_private": True}}])
def test_what_its_service_calls_private_is_left_out(body: dict[str, Any]) -> None:
    assert verdict(body, "io.pagure.prod.pagure.issue.new") == source.Ignored("private")


def test_what_has_no_topic_or_no_object_is_refused() -> None:
    with pytest.raises(Refused, match="topic"):
        read({"a": 1})
    with pytest.raises(Refused, match="object"):
        read([1], "org.fedoraproject.prod.x.y")


def test_every_shared_sample_says_what_fedora_said(shared: Path) -> None:
    lines = (shared / "samples" / "fedmsg" / "fedmsg_meta_messages.jsonl").read_text().splitlines()
    wrong = [text for line in lines for text in differences(json.loads(line))]
    assert wrong == []
    assert len(lines) > 250
    assert len({wire.strip(json.loads(line)["topic"]).partition(".")[0] for line in lines}) > 40


def test_files_of_the_library_are_read(shared: Path) -> None:
    (file,) = (shared / "samples" / "fedora-messaging").glob("*.jsonl")
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    for message in kept:
        event = read(message)
        assert (event.id, json.loads(event.data)) == (message["id"], message)
        assert event.time == datetime.fromisoformat(message["headers"]["sent-at"])
    assert len(kept) > 20


def differences(row: dict[str, Any]) -> list[str]:
    """What an event says otherwise than the sample's expected values; every sample's topic has a rule."""
    service = wire.strip(row["topic"])
    event = read(row["msg"], accounts=ACCOUNTS.get(service.partition(".")[0], {}))
    subjects = {event.subject, *event.refs}
    got = {
        "subtitle": event.summary, "link": event.link or None,
        "usernames": names(subjects, "user/"), "packages": names(subjects, "package/rpm/"),
    }  # fmt: skip
    wanted = {key: row[f"expected_{key}"] for key in got if row.get(f"expected_{key}") is not None}
    for key in ("usernames", "packages"):
        if key in wanted:
            wanted[key] = sorted(set(wanted[key]))
    found = [f"{service} {key}: {got[key]!r}, not {value!r}" for key, value in wanted.items() if got[key] != value]
    return found if rule(service) else [f"{service}: no rule"]


def names(subjects: set[str], prefix: str) -> list[str]:
    return sorted(unescape(one.removeprefix(prefix)) for one in subjects if one.startswith(prefix))


def test_the_most_exact_rule_counts() -> None:
    assert rule("git.receive.atlas.main") == "git.receive.#"
    assert rule("github.issue.comment") == "github.issue.comment"
    assert rule("github.issue.labeled") == "github.issue.*"
    assert rule("teapot.boiled") == ""
    assert rule("buildsys") == ""


def test_no_rule_stumbles_over_a_message_that_has_nothing() -> None:
    odd = {"agent": "mira", "comment": {}, "issue": {}, "update": [], "commit": "x", "trigger": 1}
    for pattern in TABLE:
        service = pattern.replace("*", "x").replace("#", "y.z")
        for body in ({}, odd):
            event = read(body, f"org.fedoraproject.prod.{service}")
            assert event.kind in KINDS[rule(service)].split(", ")
            assert event.summary


@pytest.mark.parametrize(
    ("service", "body", "kind"),
    [
        ("pagure.pull-request.closed", {"agent": "mira", "merged": True}, "change.merged"),
        ("pagure.pull-request.closed", {"agent": "mira", "merged": False}, "change.abandoned"),
        ("nagios.host.state.change", {"host": "web1", "state": "DOWN"}, "incident.detected"),
        ("nagios.host.state.change", {"host": "web1", "state": "UP"}, "incident.resolved"),
        ("copr.build.end", {"copr": "atlas", "owner": "mira", "status": 1}, "build.finished"),
        ("mbs.module.state.change", {"owner": "mira", "name": "x", "state_name": "wait"}, "build.updated"),
    ],
)
def test_the_kind_follows_what_came_of_it(service: str, body: dict[str, Any], kind: str) -> None:
    project = {"pullrequest": {"id": 7, "project": {"name": "atlas"}}}
    assert read({**project, **body}, f"io.pagure.prod.{service}").kind == kind


PKG: dict[str, Any] = {"package_listing": {"package": {"name": "atlas"}, "collection": {"branchname": "f44"}}}
REPO: dict[str, Any] = {"repository": {"name": "atlas", "owner": {"login": "lumen"}, "html_url": "https://x.example/a"},
                        "sender": {"login": "m"}, "fas_usernames": {"m": "mira"}}  # fmt: skip
PAGURE: dict[str, Any] = {"agent": "mira", "project": {"name": "atlas", "namespace": "rpms"}}


@pytest.mark.parametrize(
    ("service", "body", "summary"),
    [
        ("pkgdb.package.new", {"agent": "mira", **PKG}, "mira added a new package 'rpms/atlas' (f44)"),
        ("pkgdb.package.update.status", {"agent": "mira", "status": "Orphaned", "prev_status": "Approved", **PKG},
         "mira orphaned rpms/atlas in f44"),
        ("pkgdb.package.monitor.update", {"agent": "mira", "status": True, "package": {"name": "atlas"}},
         "mira set the monitor flag of rpms/atlas to True"),
        ("pkgdb.package.koschei.update", {"agent": "mira", "status": False, "package": {"name": "atlas"}},
         "mira set the koschei monitoring flag of rpms/atlas to False"),
        ("pkgdb.branch.clone", {"agent": ["mira"], "package": "atlas", "branch": "f44", "master": "devel"},
         "mira branched rpms/atlas f44 from devel"),
        ("github.pull_request.opened", {**REPO, "action": "opened", "number": 7, "pull_request": {"title": "Draw"}},
         "mira opened pull request #7 on lumen/atlas: Draw"),
        ("github.pull_request.synchronize", {**REPO, "action": "synchronize", "number": 7},
         "mira synchronized pull request #7 on lumen/atlas"),
        ("github.create", {**REPO, "ref_type": "tag", "ref": "v2"}, 'mira created a new tag "v2" at lumen/atlas'),
        ("github.star", {**REPO, "action": "started"}, "mira starred lumen/atlas"),
        ("pagure.pull-request.new", {**PAGURE, "pullrequest": {"id": 7, "title": "Draw"}},
         "mira opened pull request #7 on rpms/atlas: Draw"),
        ("pagure.issue.new", {**PAGURE, "issue": {"id": 8, "title": "Broken"}},
         'mira opened a new ticket rpms/atlas#8: "Broken"'),
        ("pagure.issue.edit", {**PAGURE, "issue": {"id": 8}, "fields": ["title", "content"]},
         "mira edited the content and title fields of ticket rpms/atlas#8"),
        ("pagure.git.receive", {"agent": "mira", "repo": {"name": "atlas"}, "total_commits": 2, "branch": "main"},
         "mira pushed 2 commits to atlas (main)"),
        ("copr.build.start", {"user": "mira", "copr": "maps"}, "mira started a new build of the maps copr"),
        ("copr.chroot.start", {"user": "mira", "copr": "maps", "chroot": "f44"},
         "mira's maps copr started a new f44 chroot"),
        ("koschei.package.state.change",
         {"name": "atlas", "old": "ignored", "new": "ok", "collection_name": "Fedora 44"},
         "atlas added to Koschei in Fedora 44"),
        ("koschei.collection.state.change",
         {"collection_name": "Fedora 44", "new": "unresolved", "koji_instance": "arm"},
         "Fedora 44 buildroot was broken (arm)"),
        ("irc.karma",
         {"agent": "mira", "recipient": "tomas", "total": 3, "vote": 1, "channel": "#lumen", "line": "tomas++"},
         'mira gave tomas(3) a karma cookie in #lumen.  "tomas++"'),
        ("hubs.user.role.added", {"username": "mira", "hub_name": "maps", "role": "member"},
         "mira has joined hub maps as member"),
        ("waiverdb.waiver.new",
         {"username": "mira", "result_id": 3, "product_version": "fedora-44", "comment": "flaky"},
         'mira waived result 3 (fedora-44): "flaky"'),
        ("odcs.compose.state-changed", {"compose": {"owner": "mira", "id": 4, "state_name": "done"}},
         "mira's compose 4 entered the done state."),
        ("kerneltest.upload.new", {"agent": "mira", "test": {"kernel_version": "6.18", "result": "PASS"}},
         "mira ran a test of 6.18 (PASS)"),
        ("fedbadges.person.rank.advance", {"person": {"nickname": "mira", "rank": 4}},
         "mira moved to position 4 on the badges leaderboard"),
        ("hotness.update.bug.file", {"trigger": {"topic": "org.release-monitoring.prod.anitya.project.map.new",
                                                 "msg": {"message": {"new": "atlas"}}}, "bug": {"bug_id": 5}},
         "the-new-hotness filed a bug on atlas"),
        ("fmn.preference.update", {"openid": "mira.id.fedoraproject.org", "context": "irc", "changed": "enabled"},
         "mira toggled their flow of irc messages"),
        ("meetbot.meeting.item.agreed", {"owner": "mira", "channel": "#maps", "attendees": {"mira": 1},
                                         "details": {"nick": "tomas", "line": "done"}},
         'tomas noted agreement in a meeting in #maps: "done"'),
        ("ci.pipeline.allpackages-pr.package.running",
         {"rev": "PR-7", "namespace": "rpms", "repo": "atlas", "branch": "main", "status": "x"},
         "Pull request 7 of package rpms/atlas is being built in the All Packages (PR) CI pipeline on branch main"),
        ("compose.44.complete", {"branch": "44"},
         "Completed Fedora, Fedora-Atomic, Fedora-Cloud or Fedora-Docker 44 compose"),
        ("nagios.host.state.change", {"host": "web1", "state": "DOWN", "type": "ACKNOWLEDGEMENT",
                                      "host_ack_author": "https://mira.id.fedoraproject.org/"},
         "mira acknowledged that web1 is down"),
        ("git.branch", {"agent": "mira", "name": "maps", "branch": "f44", "namespace": "modules"},
         "mira created branch 'f44' for the 'modules/maps' package"),
    ],
)  # fmt: skip
def test_what_no_shared_sample_shows(service: str, body: dict[str, Any], summary: str) -> None:
    assert read(body, f"org.fedoraproject.prod.{service}").summary == summary


ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x" * 400,
    "\u202e@a b",
    [],
    {},
    [[]],
    [{"a": 1}],
    {"name": None},
    "é\x00",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(message: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A message with some of its body missing or of another type."""
    found = copy.deepcopy(message)
    everywhere = list(places(found["msg"]))
    for path in chance.sample(everywhere, min(len(everywhere), chance.choice((1, 1, 2, 4)))):
        node = found["msg"]
        try:
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = copy.deepcopy(chance.choice(ODD))
        except (KeyError, IndexError, TypeError):
            continue  # what was above it has been changed
    return found


def test_no_change_of_a_message_loses_it(shared: Path) -> None:
    chance = random.Random(7)
    lines = (shared / "samples" / "fedmsg" / "fedmsg_meta_messages.jsonl").read_text().splitlines()
    for line in lines:
        for _ in range(4):
            found = verdict(changed(json.loads(line)["msg"], chance))
            if isinstance(found, source.Ignored):
                assert found.kind == "private"
                continue
            (event,) = found
            assert event.kind.count(".") == 1
            assert event.summary
            assert event.subject
            encode("fedora", event)


@pytest.mark.parametrize(
    ("service", "body", "actor"),
    [
        ("buildsys.tag",
         {"name": "atlas", "version": "2", "release": "1", "tag": "f44", "owner": "mira", "user": "bodhi"}, "bodhi"),
        ("buildsys.build.state.change", {"name": "atlas", "version": "2", "release": "1", "new": 1, "owner": "mira"},
         "mira"),
        ("bodhi.update.requirements_met.stable", {"update": {"title": "atlas-2-1", "user": {"name": "mira"}}}, ""),
        ("bodhi.update.request.stable",
         {"agent": "tomas", "update": {"title": "atlas-2-1", "submitter": "mira"}}, "tomas"),
        ("wiki.article.edit", {"user": "Mira", "title": "Maps"}, "mira"),
        ("pkgdb.acl.update", {"agent": "tomas", "username": "mira", **PKG}, "tomas"),
    ],
)  # fmt: skip
def test_who_did_it(service: str, body: dict[str, Any], actor: str) -> None:
    assert read(body, f"org.fedoraproject.prod.{service}").actor == actor


def test_a_pull_request_is_called_as_github_calls_it() -> None:
    body = {**REPO, "action": "opened", "number": 7, "pull_request": {"title": "Draw"}}
    assert read(body, "org.fedoraproject.prod.github.pull_request.opened").subject == "lumen/atlas#7"
