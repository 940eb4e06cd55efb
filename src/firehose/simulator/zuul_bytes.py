"""Zuul's reports as its MQTT reporter writes them (14.x, `zuul/driver/mqtt/mqttreporter.py`): topic and message.

In: `Report`. Out: the topic of a pipeline configuration such as Zuul's documentation shows, and the JSON bytes.
"""

from __future__ import annotations

import json
from hashlib import md5
from typing import Any, Final

from firehose.simulator.gerrit_bytes import WEB as REVIEW
from firehose.simulator.happening import Report
from firehose.simulator.state import Build, Change, Item

WEB: Final = "https://zuul.lumen.example/t/lumen"
Json = dict[str, Any]
_MESSAGES: Final = {
    "enqueue": "Enqueued in {}.",
    "start": "Starting {} jobs.",
    "success": "Build succeeded.",
    "failure": "Build failed.",
    "dequeue": "Dequeued.",
}


def native(happening: Report) -> tuple[str, bytes]:
    """Topic and payload."""
    item = happening.item
    changes = [change_of(change) for change in item.changes] or [ref_of(item)]
    first = changes[0]
    action = happening.action
    message = {
        "timestamp": happening.time,
        "action": action,
        "tenant": "lumen",
        "tenant_web_root": WEB,
        "zuul_ref": f"Z{item.buildset}",
        "pipeline": item.pipeline,
        "queue": "integrated" if item.pipeline == "gate" else "",
        "changes": changes,
        **{key: value for key, value in first.items() if key != "topic"},
        "message": _MESSAGES[action].format(item.pipeline),
        "trigger_time": item.enqueued - 1.5,
        "enqueue_time": item.enqueued,
        "uuid": item.uuid,
        "buildset": {
            "uuid": item.buildset,
            "result": item.result or None,
            "builds": [build_of(build, item, started=action not in ("enqueue", "start")) for build in item.builds]
            if action != "start"
            else [job_of(job, item) for job in jobs(item)],
            "retry_builds": [build_of(build, item, started=True) for build in item.retried],
        },
        "zuul_event_id": item.event,
    }
    place = first["branch"] or first["ref"]
    topic = f"lumen/zuul/{item.pipeline}/{first['project']}/{place}/{first['change']}".rstrip("/")
    return topic.replace("+", "_").replace("#", "_"), json.dumps(message).encode()


def jobs(item: Item) -> tuple[str, ...]:
    """The jobs that an item is about to run."""
    project = item.changes[0].project if item.changes else item.project
    names = {"post": ("publish-docs",), "release": ("release-wheel", "announce-release")}
    if item.pipeline in names:
        return names[item.pipeline]
    known = project.jobs if project else ()
    return known[:3] if item.pipeline == "periodic" else known


def job_of(name: str, item: Item) -> Json:
    """A job that has no build yet."""
    return {"job_name": name, "job_uuid": identifier(item, name), "voting": name != "multinode"}


def build_of(build: Build, item: Item, *, started: bool) -> Json:
    """A build; without a result while it runs."""
    shown = job_of(build.job, item)
    if not started:
        return shown
    done = bool(build.result)
    change = item.changes[0] if item.changes else None
    artifacts = []
    if build.job == "release-wheel" and build.result == "SUCCESS":
        url = f"https://files.lumen.example/{build.uuid[:8]}/release.whl"
        artifacts = [{"name": "wheel", "url": url, "metadata": {"type": "python_wheel"}}]
    return shown | {
        "change": {
            key: value for key, value in (change_of(change) if change else ref_of(item)).items() if key != "topic"
        },
        "uuid": build.uuid,
        "start_time": build.start,
        "end_time": build.end if done else None,
        "execute_time": build.start - 4.0,
        "log_url": build.log_url if done else None,
        "web_url": f"{WEB}/build/{build.uuid}",
        "result": build.result or None,
        "dependencies": [],
        "job_dependencies": {},
        "artifacts": artifacts,
        "events": [],
    }


def change_of(change: Change) -> Json:
    """A Gerrit change as Zuul names it."""
    return {
        "project": change.project.name,
        "branch": change.project.branch,
        "change_url": f"{REVIEW}/c/{change.project.name}/+/{change.number}",
        "change": change.number,
        "patchset": str(change.last.number),
        "commit_id": change.last.revision,
        "owner": change.owner.username,
        "ref": f"refs/changes/{change.number % 100:02d}/{change.number}/{change.last.number}",
        "topic": change.topic,
    }


def ref_of(item: Item) -> Json:
    """A branch or tag as Zuul names it."""
    name = item.project.name if item.project else ""
    branch = item.ref.removeprefix("refs/heads/") if item.ref.startswith("refs/heads/") else None
    return {
        "project": name,
        "branch": branch,
        "change_url": f"https://git.lumen.example/{name}",
        "change": "",
        "patchset": "",
        "commit_id": item.revision,
        "owner": "",
        "ref": item.ref,
        "topic": "",
    }


def identifier(item: Item, text: str) -> str:
    """32 hex digits that belong to a name within an item."""
    return md5(f"{item.uuid} {text}".encode(), usedforsecurity=False).hexdigest()
