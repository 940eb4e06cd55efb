"""Every sample of this folder means what the table says; the odd cases follow by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.errors import Broken, Refused, UnknownKind
from firehose.event import Event
from firehose.source import Delivery, Ignored
from firehose.sources.gerrit import SOURCE
from firehose.sources.gerrit.kinds import IGNORED, KINDS
from firehose.sources.gerrit.options import Settings

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = Settings(kind="gerrit", url="https://review.example.org/")

MEANS = {
    "assignee-changed__old": "change.updated | acme/widget~1201 | ada | ada changed the assignee of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "batch-ref-updated__change": "ignored batch-ref-updated",
    "change-abandoned__bare": "change.abandoned | acme/widget~77 | ada | ada abandoned acme/widget 77: Fix it | cancel notice",  # noqa: E501
    "change-abandoned__with-reason": "change.abandoned | acme/widget~1201 | ada | ada abandoned acme/widget 1201: Count the widgets twice (Superseded by 1202) | cancel notice",  # noqa: E501
    "change-deferred__site": "change.updated | acme/widget~77 | ada | ada deferred acme/widget 77: Fix it (next year) | info",  # noqa: E501
    "change-deleted__plain": "change.deleted | acme/widget~1201 | ada | ada deleted acme/widget 1201: Count the widgets twice | notice",  # noqa: E501
    "change-merged__by-bot": "change.merged | acme/widget~1201 | zuul | zuul merged acme/widget 1201: Count the widgets twice | success notice",  # noqa: E501
    "change-restored__plain": "change.restored | acme/widget~1201 | ada | ada restored acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "comment-added__nameless": "comment.added | acme/widget~1201 |  | somebody commented on acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "comment-added__rejected": "change.reviewed | acme/widget~1201 | ben | ben voted Code-Review-2 on acme/widget 1201: Count the widgets twice | failure warning",  # noqa: E501
    "comment-added__short-labels": "change.reviewed | acme/widget~77 | jenkins | jenkins voted Verified-1 on acme/widget 77: Fix it | failure info",  # noqa: E501
    "comment-added__standing-votes-only": "comment.added | acme/widget~1201 | ben | ben commented on acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "comment-added__vote-taken-back": "change.reviewed | acme/widget~1201 | ben | ben took a vote back from acme/widget 1201 (-Code-Review): Count the widgets twice | info",  # noqa: E501
    "comment-added__votes": "change.reviewed | acme/widget~1201 | ben | ben voted Code-Review+2 Workflow+1 on acme/widget 1201: Count the widgets twice | success info",  # noqa: E501
    "custom-keyed-values-changed__plain": "change.updated | acme/widget~1201 | ada | ada changed the custom values of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "draft-published__old": "change.updated | acme/widget~77 | ada | ada published the draft acme/widget 77: Fix it | info",  # noqa: E501
    "dropped-output__plain": "incident.detected | https://review.example.org |  | Gerrit dropped events of its stream because the reader was too slow | failure error",  # noqa: E501
    "fetch-ref-replicated__plain": "ignored fetch-ref-replicated",
    "fetch-ref-replication-done__plain": "ignored fetch-ref-replication-done",
    "fetch-ref-replication-scheduled__plain": "ignored fetch-ref-replication-scheduled",
    "hashtags-changed__both-ways": "change.updated | acme/widget~1201 | ada | ada changed the hashtags of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "merge-failed__old": "change.updated | acme/widget~77 | ben | Merging acme/widget 77 failed: Fix it (Path conflict) | failure warning",  # noqa: E501
    "patchset-created__draft": "ignored private-change",
    "patchset-created__first": "change.created | acme/widget~1201 | ada | ada proposed acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "patchset-created__gerrit-2": "change.created | acme/widget~77 | ada | ada proposed acme/widget 77: Fix it | info",
    "patchset-created__private": "ignored private-change",
    "patchset-created__second": "change.updated | acme/widget~1201 | ada | ada uploaded patch set 2 of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "patchset-created__webhooks-plugin": "change.updated | acme/widget~1201 | ada | ada uploaded patch set 2 of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "patchset-notified__plugin": "change.updated | acme/widget~1201 |  | somebody was notified of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "private-state-changed__private": "ignored private-change",
    "private-state-changed__public": "change.updated | acme/widget~1201 | ada | ada made acme/widget 1201 public: Count the widgets twice | info",  # noqa: E501
    "project-created__documented-name": "repository.created | acme/gadget |  | Project acme/gadget was created | notice",  # noqa: E501
    "project-created__plain": "repository.created | acme/gadget |  | Project acme/gadget was created | notice",
    "project-head-updated__plain": "repository.modified | acme/gadget |  | The default branch of acme/gadget is now main | notice",  # noqa: E501
    "ref-replicated__plain": "ignored ref-replicated",
    "ref-replication-done__plain": "ignored ref-replication-done",
    "ref-replication-scheduled__plain": "ignored ref-replication-scheduled",
    "ref-updated__branch-created": "branch.created | acme/widget@refs/heads/stable/2 | ada | ada created branch stable/2 in acme/widget | info",  # noqa: E501
    "ref-updated__branch-deleted": "branch.deleted | acme/widget@refs/heads/stable/1 | ada | ada deleted branch stable/1 from acme/widget | info",  # noqa: E501
    "ref-updated__meta": "ignored ref-updated:changes",
    "ref-updated__no-submitter": "branch.updated | acme/widget@refs/heads/master |  | somebody updated branch master in acme/widget | info",  # noqa: E501
    "ref-updated__patch-set": "ignored ref-updated:changes",
    "ref-updated__pushed": "branch.updated | acme/widget@refs/heads/master | ada | ada updated branch master in acme/widget | info",  # noqa: E501
    "ref-updated__rights": "repository.modified | acme/widget@refs/meta/config | ada | ada updated refs/meta/config in acme/widget | info",  # noqa: E501
    "ref-updated__short-name": "branch.updated | acme/widget@refs/heads/master | ada | ada updated branch master in acme/widget | info",  # noqa: E501
    "ref-updated__tagged": "tag.created | acme/widget@refs/tags/2.0.0 | ada | ada created tag 2.0.0 in acme/widget | info",  # noqa: E501
    "ref-updated__user": "ignored ref-updated:internal",
    "rerun-check__plugin": "change.updated | acme/widget~1201 | ada | ada asked for new checks of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "reviewer-added__plain": "change.updated | acme/widget~1201 |  | ben became a reviewer of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "reviewer-deleted__plain": "change.updated | acme/widget~1201 | ada | ben is no longer a reviewer of acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "topic-changed__new": "change.updated | acme/widget~1201 | ada | ada set the topic of acme/widget 1201 to count-twice: Count the widgets twice | info",  # noqa: E501
    "vote-deleted__plain": "change.reviewed | acme/widget~1201 | ada | ada removed a vote of ben from acme/widget 1201: Count the widgets twice | info",  # noqa: E501
    "widget-polished__unknown": "unknown widget-polished",
    "wip-state-changed__ready": "change.updated | acme/widget~1201 | ada | ada marked acme/widget 1201 as ready for review: Count the widgets twice | info",  # noqa: E501
}


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_bytes())
    return found


def delivery(payload: Any) -> Delivery:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Delivery(source="gerrit", body=body, received=datetime(2026, 1, 1, tzinfo=UTC), channel="ssh")


def event(payload: Any, settings: Settings = SETTINGS) -> Event:
    found = SOURCE.read(delivery(payload), settings)
    assert not isinstance(found, Ignored), found
    assert len(found) == 1
    return found[0]


def said(name: str) -> str:
    try:
        found = SOURCE.read(delivery(load(name)), SETTINGS)
    except UnknownKind as unknown:
        return f"unknown {unknown.kind}"
    if isinstance(found, Ignored):
        return f"ignored {found.kind}"
    one = found[0]
    rank = f"{one.outcome} {one.severity}".strip()
    return f"{one.kind} | {one.subject} | {one.actor} | {one.summary} | {rank}"


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_a_sample_means(name: str) -> None:
    assert said(name) == MEANS[name]


def test_the_file_name_begins_with_the_native_kind() -> None:
    wrong = [path.stem for path in SAMPLES.glob("*.json") if load(path.stem)["type"] != path.stem.partition("__")[0]]
    assert wrong == []


def test_every_declared_kind_and_every_ignored_one_has_a_sample() -> None:
    natives = {name.partition("__")[0] for name in MEANS}
    assert set(KINDS) - natives == set()
    reasons = {text.removeprefix("ignored ") for text in MEANS.values() if text.startswith("ignored ")}
    assert set(IGNORED) - reasons == {"ref-updated:batched"}


def test_a_verdict_of_ignored_is_always_on_the_list() -> None:
    assert {text.split()[1] for text in MEANS.values() if text.startswith("ignored")} <= set(IGNORED)


def test_refs_tie_a_change_to_its_commit_story_task_bug_and_topic() -> None:
    assert event(load("change-merged__by-bot")).refs == (
        f"commit/{load('change-merged__by-bot')['patchSet']['revision']}",
        f"commit/{load('change-merged__by-bot')['newRev']}",
        "story/2000643",
        "task/4711",
        "bug/1500123",
        "topic/count-twice",
        "change-id/I" + "a" * 40,
    )


def test_the_attributes_that_do_not_depend_on_words() -> None:
    merged = event(load("change-merged__by-bot"))
    assert merged.type == "com.gerritcodereview.change-merged"
    assert merged.source == "https://review.example.org"
    assert merged.time == datetime.fromtimestamp(1730000400, UTC)
    assert merged.link == "https://review.example.org/c/acme/widget/+/1201"
    assert merged.alias == ("gerrit/acme/widget/change-merged",)
    assert json.loads(merged.data) == load("change-merged__by-bot")


def test_germqtt_defect_a_new_project_had_no_name_in_its_topic() -> None:
    # The original publisher read `project`, which this event lacks, and published to `gerrit//project-created`.
    created = event(load("project-created__plain"))
    assert created.alias == ("gerrit/acme/gadget/project-created",)
    assert created.project == "acme/gadget"


def test_germqtt_defect_a_project_that_is_an_object_ended_it() -> None:
    payload = load("change-merged__by-bot")
    name = payload["change"]["project"]
    payload["change"]["project"] = payload["project"] = {"name": name}
    assert event(payload).alias == (f"gerrit/{name}/change-merged",)


def both(name: str) -> Iterator[Event]:
    """The event as the stream sends it, and with everything changed that differs between serialisations."""
    first = load(name)
    yield event(first)
    other = json.loads(json.dumps(first))
    for part in ("change", "patchSet"):
        if part in other:
            other[part]["number"] = str(other[part]["number"])
    if "project" in other:
        other["project"] = {"name": other["project"]}
    if "changeKey" in other:
        other["changeKey"] = {"key": other["changeKey"]["id"]}
    other |= {"instanceId": "replica-2", "id": "bdedff7d-34fd-4459-a6a7-3f738f32c01d:7"}
    yield event(json.dumps(dict(reversed(list(other.items()))), indent=1).encode())


@pytest.mark.parametrize("name", [name for name, text in MEANS.items() if "|" in text and "webhooks" not in name])
def test_the_id_is_the_same_in_every_serialisation(name: str) -> None:
    stream, webhook = both(name)
    assert stream.id == webhook.id
    assert stream.time == webhook.time or not load(name).get("eventCreatedOn")


def test_the_webhooks_plugin_and_the_stream_say_the_same_event() -> None:
    assert event(load("patchset-created__webhooks-plugin")).id == event(load("patchset-created__second")).id


def test_events_of_the_same_kind_have_their_own_ids() -> None:
    once = load("change-abandoned__with-reason")
    again = once | {"eventCreatedOn": once["eventCreatedOn"] + 1}
    other = once | {"change": once["change"] | {"number": 1202}}
    assert len({event(one).id for one in (once, again, other)}) == 3


def test_a_branch_name_without_refs_heads_is_the_same_branch() -> None:
    short = load("ref-updated__short-name")
    full = json.loads(json.dumps(short).replace('"master"', '"refs/heads/master"'))
    assert (event(short).id, event(short).subject) == (event(full).id, event(full).subject)


def test_a_private_change_reaches_only_an_audience() -> None:
    private = load("patchset-created__private")
    insiders = Settings(kind="gerrit", url="https://review.example.org", audience="security")
    assert SOURCE.read(delivery(private), SETTINGS) == Ignored("private-change")
    assert event(private, insiders).audience == "security"


@pytest.mark.parametrize("native", sorted(name for name in KINDS if name.partition("-")[0] in ("change", "comment")))
def test_no_event_about_a_private_change_becomes_public(native: str) -> None:
    sample = next(load(name) for name in MEANS if name.startswith(f"{native}__"))
    sample["change"]["private"] = True
    assert SOURCE.read(delivery(sample), SETTINGS) == Ignored("private-change")


def test_batches_are_read_in_place_of_single_updates_where_asked_for() -> None:
    batches = Settings(kind="gerrit", url="https://review.example.org", batch_refs=True)
    assert event(load("batch-ref-updated__change"), batches).kind == "branch.updated"
    assert SOURCE.read(delivery(load("ref-updated__pushed")), batches) == Ignored("ref-updated:batched")


def test_an_address_that_is_no_web_address_does_not_become_a_link() -> None:
    sample = load("change-merged__by-bot")
    sample["change"]["url"] = "javascript:alert(1)"
    assert event(sample).link == "https://review.example.org/c/acme/widget/+/1201"


def test_no_actor_is_ever_a_mail_address() -> None:
    assert [name for name, text in MEANS.items() if "|" in text and "@" in text.split(" | ")[2]] == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"number": None}, "change.number"),
        ({"number": ["1"]}, "change.number"),
        ({"subject": 7}, "change.subject"),
        ({"wip": "yes"}, "change.wip"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    sample = load("change-merged__by-bot")
    sample["change"] |= change
    with pytest.raises(Refused) as refused:
        SOURCE.read(delivery(sample), SETTINGS)
    assert refused.value.field == path


@pytest.mark.parametrize("when", [10**30, -(10**30), "soon", 1e300])
def test_a_time_that_is_none_is_refused(when: object) -> None:
    with pytest.raises(Refused) as refused:
        SOURCE.read(delivery(load("change-merged__by-bot") | {"eventCreatedOn": when}), SETTINGS)
    assert refused.value.field == "eventCreatedOn"


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*prefix, key)
        yield from _paths(child, (*prefix, key))


PLACES = [(name, path) for name in sorted(MEANS) for path in _paths(load(name))]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.just([]), st.just({})
)


@given(st.sampled_from(PLACES), ODD)
def test_no_mutation_crashes_the_reader(place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, path = place
    sample = load(name)
    inner: Any = sample
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    raw = json.dumps(sample, ensure_ascii=True).encode()
    assert SOURCE.step is not None
    assert isinstance(SOURCE.step(raw, "").cursor, str)
    try:
        found = SOURCE.read(delivery(raw), SETTINGS)
    except (Refused, UnknownKind):
        return
    assert isinstance(found, Ignored) or all(one.id and one.kind and one.subject for one in found)


def test_all_shared_captures_end_in_a_verdict(shared: Path) -> None:
    verdicts = []
    for file in sorted((shared / "samples" / "gerrit").glob("*.jsonl")):
        for text in file.read_bytes().splitlines():
            if "type" in json.loads(text):
                verdicts.append(SOURCE.read(delivery(text), SETTINGS))
    assert sum(not isinstance(found, Ignored) for found in verdicts) >= 50


@pytest.mark.parametrize(
    ("ssh", "wanted"),
    [
        ("firehose@review.example.org:29418", ("firehose", "review.example.org", 29418)),
        ("firehose@review.example.org", ("firehose", "review.example.org", 29418)),
        ("firehose@[2001:db8::1]:2222", ("firehose", "2001:db8::1", 2222)),
        ("firehose@[2001:db8::1]", ("firehose", "2001:db8::1", 29418)),
    ],
)
def test_the_place_of_the_stream(ssh: str, wanted: tuple[str, str, int]) -> None:
    assert SOURCE.lines is not None
    found = SOURCE.lines(Settings(kind="gerrit", url="https://review.example.org", ssh=ssh))
    assert found is not None
    assert (found.user, found.host, found.port) == wanted


def test_a_stream_without_a_user_is_a_settings_error() -> None:
    assert SOURCE.lines is not None
    with pytest.raises(Broken, match="user@host:29418"):
        SOURCE.lines(Settings(kind="gerrit", ssh="review.example.org:29418"))


def test_two_gerrits_that_only_send_webhooks_are_two() -> None:
    """Ids are made of project and change number: without an address of their own, one's changes hid the other's."""
    body = json.dumps(load("change-merged__by-bot")).encode()
    received = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        SOURCE.read(Delivery(source=name, body=body, received=received), Settings(kind="gerrit"))
        for name in ("review", "mirror")
    ]
    assert [event.source for events in found if not isinstance(events, Ignored) for event in events] == [
        "urn:firehose:review",
        "urn:firehose:mirror",
    ]
