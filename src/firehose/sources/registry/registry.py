"""Registries of images and packages: Docker Hub, Quay, Harbor, npm's hooks, and the registry server's notifications.

In: a webhook, known by its shape: none of them names its event in a header. Out: events about an artifact, or
`Ignored` by the list (pulls, stars, private repositories without an audience), or `UnknownKind`. Which registry it is
makes the subject: `package/oci/lumen/atlas@2.1`, `package/npm/atlas@2.1.0`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from firehose import source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint
from firehose.sources.registry.kinds import HARBOR, IGNORED, KINDS, NPM, REPLICATIONS
from firehose.subject import escape
from firehose.wild import Wild, decode

HOMES: Final = {"dockerhub": "https://hub.docker.com", "quay": "https://quay.io", "npm": "https://www.npmjs.com"}
PRIORITIES: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the registry, for the events' `source`; "" is the one that the kind's word names."""


def shape(body: Wild) -> str:
    """Which registry a body is from, and what it tells: `dockerhub.push`; "" when it is none."""
    if body["push_data"].is_object() and body["repository"].is_object():
        return "dockerhub.push"
    if body["docker_url"].is_text():
        return f"quay.{_quay_event(body)}"
    if body["event_data"].is_object() and body["type"].is_text():
        return f"harbor.{body['type'].text()}"
    if body["hookOwner"].present and body["event"].is_text():
        return f"npm.{body['event'].text()}"
    return "distribution" if body["events"].is_list() else ""


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one delivery means."""
    body = decode(delivery.body)
    native = shape(body)
    if not native:
        raise Refused(
            "this is no notification of Docker Hub, Quay, Harbor, npm or a registry server",
            slug="bad-field",
            status=422,
            field="$",
        )
    if native in IGNORED:
        return source.Ignored(native)
    if _private(body) and not settings.audience:
        return source.Ignored("private")
    reader = _READERS.get(native.partition(".")[0])
    if reader is None or (native not in KINDS and native != "distribution"):
        raise UnknownKind(native)
    found = list(reader(body, delivery, settings))
    return found or source.Ignored("distribution.pull")


def _private(body: Wild) -> bool:
    """Docker Hub and Harbor say which repositories are private, and old Quays."""
    return (
        body.at("repository", "is_private").json() == b"true"
        or body.at("event_data", "repository", "repo_type").json() == b'"private"'
        or body["visibility"].json() == b'"private"'
    )


def _source(settings: Settings, registry: str, link: str = "") -> str:
    return settings.url.rstrip("/") or HOMES.get(registry) or "/".join(link.split("/")[:3]) or f"https://{registry}"


def image(repository: str, tag: str) -> str:
    """The subject of an image."""
    return f"package/oci/{escape(repository)}" + (f"@{escape(tag)}" if tag else "")


# -- Docker Hub


def _dockerhub(body: Wild, delivery: source.Delivery, settings: Settings) -> Iterator[Event]:
    repository, push = body["repository"], body["push_data"]
    name, tag, who = repository["repo_name"].text(), push["tag"].text(""), push["pusher"].text("")
    yield Event(
        id=fingerprint(name, tag, push["pushed_at"].word(""), who),
        source=_source(settings, "dockerhub"),
        type="com.docker.hub.push",
        kind="artifact.published",
        subject=image(name, tag),
        time=push["pushed_at"].moment() or delivery.received,
        project=name,
        actor=who,
        summary=f"{who or 'somebody'} pushed {name}{f':{tag}' if tag else ''}",
        link=repository["repo_url"].link(),
        refs=(image(name, ""),) if tag else (),
        data=delivery.body,
    )


# -- Quay


def _quay_event(body: Wild) -> str:
    if body["vulnerability"].is_object():
        return "vulnerability_found"
    if body["build_id"].present:
        return "build"
    return "repo_push" if body["updated_tags"].present else "other"


def _quay(body: Wild, delivery: source.Delivery, settings: Settings) -> Iterator[Event]:
    name = body["repository"].text()
    match _quay_event(body):
        case "repo_push":
            tags = _tags(body["updated_tags"])
            yield from (_quay_push(body, tag, delivery, settings) for tag in tags or [""])
        case "build":
            yield _quay_build(body, name, delivery, settings)
        case _:
            yield _quay_hole(body, name, delivery, settings)


def _tags(value: Wild) -> list[str]:
    """A list of names; an object with a digest for each in Quays of old."""
    return [name for name, _ in value.fields()] if value.is_object() else [one.text() for one in value.each()]


def _quay_push(body: Wild, tag: str, delivery: source.Delivery, settings: Settings) -> Event:
    name = body["repository"].text()
    return Event(
        # The one id that is made of our clock: Quay says neither who nor when nor a digest, so that tomorrow's push of
        # the same tag has the same bytes. Without the moment all pushes but the first would be lost as duplicates.
        id=fingerprint("quay", name, tag, delivery.received.isoformat()),
        source=_source(settings, "quay"),
        type="io.quay.repo_push",
        kind="artifact.published",
        subject=image(name, tag),
        time=delivery.received,
        project=name,
        summary=f"{name}{f':{tag}' if tag else ''} was pushed",
        link=body["homepage"].link(),
        refs=(image(name, ""),) if tag else (),
        data=delivery.body,
    )


def _quay_build(body: Wild, name: str, delivery: source.Delivery, settings: Settings) -> Event:
    failed, done = body["error_message"].text(""), body["image_id"].present or body["manifest_digests"].present
    outcome = "failure" if failed else "success" if done else ""
    commit = body.at("trigger_metadata", "commit").text("")
    words = f"failed: {failed}" if failed else "succeeded" if done else "is under way"
    build = body["build_id"].text()
    return Event(
        id=fingerprint("quay-build", build, outcome, delivery.body),
        source=_source(settings, "quay"),
        type=f"io.quay.build_{outcome or 'update'}",
        kind="build.finished" if outcome else "build.updated",
        subject=f"quay/build/{escape(build)}",
        time=delivery.received,
        project=name,
        actor=body.at("trigger_metadata", "commit_info", "author", "username").text(""),
        summary=f"the build of {name} {words}",
        link=body["homepage"].link(),
        outcome=outcome,
        severity="warning" if failed else "info",
        refs=tuple(filter(None, (image(name, ""), f"commit/{escape(commit)}" if commit else ""))),
        data=delivery.body,
    )


def _quay_hole(body: Wild, name: str, delivery: source.Delivery, settings: Settings) -> Event:
    hole = body["vulnerability"]
    number, priority, tags = hole["id"].text(), hole["priority"].text(""), _tags(body["tags"])
    fix = ", and there is a fix" if hole["has_fix"].flag(False) else ""
    return Event(
        id=fingerprint("quay-hole", name, number, *tags),
        source=_source(settings, "quay"),
        type="io.quay.vulnerability_found",
        kind="incident.detected",
        subject=image(name, tags[0] if len(tags) == 1 else ""),
        time=delivery.received,
        project=name,
        summary=f"{number} ({priority or 'unknown'}) was found in {name}:{', '.join(tags)}{fix}",
        link=hole["link"].link() or body["homepage"].link(),
        severity=PRIORITIES.get(priority.lower(), "warning"),
        refs=tuple(image(name, tag) for tag in tags),
        data=delivery.body,
    )


# -- Harbor


def _harbor(body: Wild, delivery: source.Delivery, settings: Settings) -> Iterator[Event]:
    event = body["type"].text()
    if event == "REPLICATION":
        yield _replication(body, delivery, settings)
        return
    kind, words, outcome = HARBOR[event]
    data, who = body["event_data"], body["operator"].text("")
    name = data.at("repository", "repo_full_name").text("")
    at = body["occur_at"].moment()
    resources = list(data["resources"].each()) or [data]
    for number, one in enumerate(resources):
        tag = one["tag"].text("")
        digest, where = one["digest"].text(""), one["resource_url"].text("")
        yield Event(
            id=fingerprint("harbor", event, name, tag, digest, body["occur_at"].word(""), who, number),
            source=_source(settings, "harbor", f"https://{where}" if where else ""),
            type=f"io.goharbor.{event.lower()}",
            kind=kind,
            subject=image(name, tag) if name else "harbor",
            time=at or delivery.received,
            project=name,
            actor=who,
            summary=f"{who or 'Harbor'}: {words} {name or 'the registry'}{f':{tag}' if tag else ''}",
            outcome=outcome,
            severity="warning" if outcome in ("failure", "error") or event.startswith("QUOTA") else "info",
            refs=tuple(filter(None, (image(name, "") if name and tag else "", subject.escape(digest)))),
            data=delivery.body,
        )


def _replication(body: Wild, delivery: source.Delivery, settings: Settings) -> Event:
    """A replication that ended: what it moved stands in lists of its own, with the number of tags in words."""
    done = body.at("event_data", "replication")
    status = done["job_status"].text("")
    outcome = REPLICATIONS.get(status.lower(), "error" if status else "")
    lists = (done["failed_artifact"], done["successful_artifact"])
    moved = [item["name_tag"].text("") for each in lists for item in each.each()]
    name = done.at("src_resource", "namespace").text("") or done.at("dest_resource", "namespace").text("")
    host, who = done["harbor_hostname"].text(""), done["policy_creator"].text("") or body["operator"].text("")
    what = ", ".join(filter(None, moved[:3])) or name or "the registry"
    ended = {"": "ended", "success": "succeeded", "cancel": "was stopped"}.get(outcome, "failed")
    return Event(
        id=fingerprint("harbor", "REPLICATION", host, name, status, body["occur_at"].word(""), *moved[:20]),
        source=_source(settings, "harbor", f"https://{host}" if host else ""),
        type="io.goharbor.replication",
        kind=HARBOR["REPLICATION"][0],
        subject=image(name, "") if name else "harbor",
        time=body["occur_at"].moment() or delivery.received,
        project=name,
        actor=who,
        summary=f"{who or 'Harbor'}: the replication of {what} {ended}",
        outcome=outcome,
        severity="info" if outcome in ("", "success") else "warning",
        data=delivery.body,
    )


# -- npm


def _npm(body: Wild, delivery: source.Delivery, settings: Settings) -> Iterator[Event]:
    event, name = body["event"].text(), body["name"].text()
    kind, words = NPM[event]
    change = body["change"]
    version = change["version"].text("")  # the hook's own `version` is that of its envelope
    tag = change["dist-tag"].text("")
    subject = f"package/npm/{escape(name)}" + (f"@{escape(version)}" if version else "")
    at = body["time"].number(0) / 1000
    yield Event(
        id=fingerprint("npm", event, name, version, tag, body["time"].word("")),
        source=_source(settings, "npm"),
        type=f"com.npmjs.{event.replace(':', '.')}",
        kind=kind,
        subject=subject,
        time=Wild(at).moment() or delivery.received,
        project=name,
        actor=body.at("payload", "_npmUser", "name").text("") or change["user"].text(""),
        summary=" ".join(part for part in (f"{name}{f' {version}' if version else ''}", words, tag) if part),
        link=f"https://www.npmjs.com/package/{escape(name)}" + (f"/v/{escape(version)}" if version else ""),
        refs=(f"package/npm/{escape(name)}",) if version else (),
        data=delivery.body,
    )


# -- The registry server's own notifications

_ACTIONS: Final = ("push", "pull", "mount", "delete")
_DONE: Final = {"push": ("artifact.published", "pushed"), "delete": ("artifact.deleted", "deleted")}


def _distribution(body: Wild, delivery: source.Delivery, settings: Settings) -> Iterator[Event]:
    """Pushes of manifests; layers, and what is only read, say nothing to anybody."""
    for one in body["events"].each():
        action, target = one["action"].text(), one["target"]
        if action not in _ACTIONS:
            raise UnknownKind(f"distribution.{action}")
        if action not in _DONE or not _is_manifest(action, target):
            continue
        kind, verb = _DONE[action]
        name, tag, who = target["repository"].text(), target["tag"].text(""), one.at("actor", "name").text("")
        host = one.at("request", "host").text("")
        yield Event(
            id=one["id"].full(),
            source=_source(settings, "registry", f"https://{host}" if host else ""),
            type=f"io.distribution.{action}",
            kind=kind,
            subject=image(name, tag),
            time=one["timestamp"].moment() or delivery.received,
            project=name,
            actor=who,
            summary=f"{who or 'somebody'} {verb} {name}{f':{tag}' if tag else ''}",
            link=target["url"].link(),
            refs=tuple(filter(None, (image(name, "") if tag else "", subject.escape(target["digest"].text(""))))),
            data=one.json(),
        )


def _is_manifest(action: str, target: Wild) -> bool:
    """Pushes name the media type of what was pushed; deletions may name none."""
    media = target["mediaType"].text("")
    return "manifest" in media or "image.index" in media or (action == "delete" and not media)


Reader = Callable[[Wild, source.Delivery, Settings], Iterator[Event]]
_READERS: Final[Mapping[str, Reader]] = {
    "dockerhub": _dockerhub, "quay": _quay, "harbor": _harbor, "npm": _npm, "distribution": _distribution,
}  # fmt: skip


def native_kind(delivery: source.Delivery) -> str:
    """The registry and its word; "" when it cannot be read."""
    try:
        return shape(decode(delivery.body))
    except Refused:
        return ""


SOURCE: Final = source.SourceKind(
    name="registry",
    title="Registry server",
    family="artifact",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    hidden=("callback_url", "hookOwner.email", "payload.maintainers", "payload.users"),
    schemes=(
        source.Scheme("hmac-sha256", header="x-npm-signature", prefix="sha256="),
        source.Scheme("token", header="authorization"),
        source.Scheme("token", query="token"),
    ),
    also={"dockerhub": "Docker Hub", "quay": "Quay", "harbor": "Harbor", "npm": "npm hooks"},
    native_kind=native_kind,
)
