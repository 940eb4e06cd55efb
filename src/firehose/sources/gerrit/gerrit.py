"""Gerrit: what its stream events mean, whether they come by SSH, webhooks plugin, or a recovery after a gap.

In: a delivery with one event's JSON. Out: events, `Ignored` by the list in `kinds.py`, or `UnknownKind`.
Gerrit gives its events no id, so ids are fingerprints of what is the same in every serialisation (README: "Ids"):
the same event by two ways, or seen by two replicas, is one event. It refuses to know connections; `recovery.py` says
which commands and requests close a gap.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from firehose import subject as subjects
from firehose.errors import UnknownKind
from firehose.event import Event, fingerprint
from firehose.source import Delivery, Ignored, Scheme, SourceKind, SshLines, Verdict, word_in
from firehose.sources.gerrit import payload, recovery, refs
from firehose.sources.gerrit.kinds import CHANGES, IGNORED, KINDS, Spec
from firehose.sources.gerrit.options import Settings, instance, login
from firehose.wild import Wild, decode

TYPE: Final = "com.gerritcodereview."


def read(delivery: Delivery, settings: Settings) -> Verdict:
    """What one Gerrit event means."""
    body = decode(delivery.body)
    native = body["type"].text()
    when = payload.moment(body["eventCreatedOn"])
    found: Verdict
    if native in CHANGES:
        found = _change(native, body, when or delivery.received, settings)
    elif native == "ref-updated":
        found = Ignored("ref-updated:batched") if settings.batch_refs else refs.single(body, when, delivery, settings)
    elif native == "batch-ref-updated" and settings.batch_refs:
        found = refs.batch(body, when, delivery, settings)
    elif native in IGNORED:
        found = Ignored(native)
    elif native in ("project-created", "project-head-updated"):
        found = refs.project(native, body, when or delivery.received, settings)
    elif native == "dropped-output":
        found = [_dropped(when or delivery.received, instance(settings, delivery.source), settings.url)]
    else:
        raise UnknownKind(native)
    if isinstance(found, Ignored):
        return found
    data = delivery.body.strip()
    where = instance(settings, delivery.source)
    return [
        msgspec.structs.replace(
            event, source=where, data=data, alias=(_alias(event, native),), audience=settings.audience
        )
        for event in found
    ]


def _alias(event: Event, native: str) -> str:
    """The topic of the original Firehose: `gerrit/<project>/<type>`."""
    return "/".join(part for part in ("gerrit", subjects.escape(event.project), subjects.escape(native)) if part)


def _change(native: str, body: Wild, when: datetime, settings: Settings) -> Verdict:
    spec = CHANGES[native]
    change = payload.change(body)
    patch_set = payload.patch_set(body)
    if not settings.audience and (change.private or (patch_set.draft and native != "draft-published")):
        return Ignored("private-change")
    actor = next((name for name in (payload.person(body[field]) for field in spec.actor) if name), "")
    votes = payload.votes(body) if native == "comment-added" else ()
    detail = body[spec.detail].text("") if spec.detail else ""
    known = patch_set.created if native == "patchset-created" and not body["eventCreatedOn"].present else None
    return [
        Event(
            id=_id(native, body, (change, patch_set), (actor, detail)),
            source="",
            type=TYPE + native,
            kind=_kind(native, spec, patch_set, votes),
            subject=change.key,
            time=known or when,
            project=change.project,
            actor=actor,
            summary=_summary(native, body, (change, patch_set), (actor, votes)),
            link=change.url or (settings.url and f"{settings.url.rstrip('/')}/c/{change.project}/+/{change.number}"),
            outcome=_outcome(spec, votes),
            severity="warning" if any(vote.value <= -2 for vote in votes) else spec.severity,
            refs=_refs(body, change, patch_set),
            text=" ".join(part for part in (detail, change.message, change.branch, change.topic) if part),
        )
    ]


def _kind(native: str, spec: Spec, patch_set: payload.PatchSet, votes: tuple[payload.Vote, ...]) -> str:
    if native == "patchset-created" and patch_set.number == "1":
        return "change.created"
    return "change.reviewed" if votes else spec.kind


def _outcome(spec: Spec, votes: tuple[payload.Vote, ...]) -> str:
    if any(vote.value < 0 for vote in votes):
        return "failure"
    return "success" if any(vote.value > 0 for vote in votes) else spec.outcome


def _id(native: str, body: Wild, about: tuple[payload.Change, payload.PatchSet], said: tuple[str, str]) -> str:
    """The id: only what every serialisation has. A change is merged once, so no time is needed, and a merge that was
    missed and then found by a query has the id that the stream would have given."""
    change, patch_set = about
    actor, detail = said
    spec = CHANGES[native]
    if spec.timeless:
        number = patch_set.number if native in ("patchset-created", "draft-published") else ""
        return fingerprint(native, change.project, change.number, number)
    created = body["eventCreatedOn"].word("")
    more = payload.person(body["reviewer"]) + recovery.state(native, change)
    if native in ("hashtags-changed", "custom-keyed-values-changed"):
        more += recovery.canonical(body["added"], body["removed"])
    return fingerprint(native, change.project, change.number, patch_set.number, actor, created, detail.strip(), more)


def _summary(
    native: str,
    body: Wild,
    about: tuple[payload.Change, payload.PatchSet],
    said: tuple[str, tuple[payload.Vote, ...]],
) -> str:
    change, patch_set = about
    actor, votes = said
    words = CHANGES[native].words
    if native == "patchset-created" and patch_set.number == "1":
        words = "{actor} proposed {change}"
    if votes:
        given = any(vote.value for vote in votes)
        words = "{actor} voted {votes} on {change}" if given else "{actor} took a vote back from {change} ({votes})"
    head = words.format(
        actor=actor or "somebody",
        change=f"{change.project} {change.number}",
        ps=patch_set.number or "?",
        votes=" ".join(map(str, votes)),
        reviewer=payload.person(body["reviewer"]) or "somebody",
        topic=change.topic or "nothing",
        wip="work in progress" if change.wip else "ready for review",
        private="private" if change.private else "public",
    )
    reason = body["reason"].text("") if native != "comment-added" else ""
    tail = f" ({reason})" if reason else ""
    return f"{head}: {change.subject}{tail}" if change.subject else f"{head}{tail}"


def _refs(body: Wild, change: payload.Change, patch_set: payload.PatchSet) -> tuple[str, ...]:
    revisions = dict.fromkeys((patch_set.revision, body["newRev"].text("")))
    found = [f"commit/{subjects.escape(sha)}" for sha in revisions if sha]
    found += payload.footers(change.message)
    if change.topic:
        found.append(f"topic/{subjects.escape(change.topic)}")
    if change.change_id:
        found.append(f"change-id/{subjects.escape(change.change_id)}")
    return tuple(found)


def _dropped(when: datetime, where: str, link: str) -> Event:
    return Event(
        id=fingerprint("dropped-output", int(when.timestamp())),
        source=where,
        type=TYPE + "dropped-output",
        kind="incident.detected",
        subject=where,
        time=when,
        summary="Gerrit dropped events of its stream because the reader was too slow",
        link=link,
        outcome="failure",
        severity="error",
    )


def lines(settings: Settings) -> SshLines | None:
    """The stream to hold; None when only webhooks are used."""
    if not settings.ssh:
        return None
    user, host, port = login(settings)
    return SshLines(
        host=host,
        port=port,
        user=user,
        key_file=settings.key_file,
        command="gerrit stream-events",
        known_hosts=settings.known_hosts,
        host_key=settings.host_key,
        exact=recovery.exact if settings.resume in ("auto", "events-plugin") else None,
        since=recovery.beginning,
        only_exact=settings.resume == "events-plugin",
        probe="gerrit version",
    )


SOURCE: Final = SourceKind(
    name="gerrit",
    title="Gerrit",
    family="review",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    schemes=(Scheme("token", header="x-firehose-token", query="token"),),
    native_kind=word_in("type"),
    lines=lines,
    missed=recovery.missed,
    recovered=recovery.recovered,
    step=recovery.step,
    more=recovery.more,
)
