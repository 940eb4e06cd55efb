"""Ansible: what a run's plays, tasks, results and summaries mean, as the callback plugin of this folder ships them.

In: a batch of the plugin's records, by HTTP or MQTT. Out: an event for each, all of which refer to the run, so that
a run is one graph; or `Ignored` where the operator wants fewer results. The original Firehose's topics and members are
kept, its defects are not: a failed task has its session, ids tell runs and plays apart, skipped and changed are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from firehose import source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.wild import Wild, decode


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """results: which task results become events: `all`, `changed` (and failures), or `failed`.
    project: the project that the runs are for."""

    results: Literal["all", "changed", "failed"] = "all"
    project: str = ""


KINDS: Final = {
    "run_start": "pipelinerun.started",
    "play_start": "play.started",
    "task_start": "taskrun.started",
    "result": "taskrun.finished",
    "stats": "host.finished",
    "run_finish": "pipelinerun.finished",
    "no_hosts": "play.skipped",
}
IGNORED: Final = {"results": "the setting `results` leaves out results that changed nothing", "empty": "an empty batch"}
TYPE: Final = "com.ansible."
_OUTCOMES: Final = {"OK": "success", "FAILED": "failure", "SKIPPED": "skipped", "UNREACHABLE": "error"}


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """The events of a batch."""
    body = decode(delivery.body)
    if body.is_object() and not body["ansible"].present:
        raise UnknownKind("no-batch")
    body["ansible"].number()
    records = list(body["events"].each())
    found = [event for record in records for event in _read(record, delivery, settings)]
    if found:
        return found
    return source.Ignored("results" if records else "empty")


def _read(record: Wild, delivery: source.Delivery, settings: Settings) -> list[Event]:
    native = record["event"].text()
    if native not in _READERS:
        raise UnknownKind(native[:80])
    if native == "result" and not _is_wanted(record, settings.results):
        return []
    run = subject.escape(record["session"].text())
    about: dict[str, Any] = {
        "id": record["id"].full(),
        "source": settings.url.rstrip("/") or f"urn:firehose:{delivery.source}",
        "type": TYPE + native.replace("_", "."),
        "kind": KINDS[native],
        "time": record["time"].moment() or delivery.received,
        "project": settings.project,
        "actor": record["host"].text(""),
        "data": record.json(),
    }
    refs = [f"ansible/{run}", *(subject.given(ref.text()) for ref in record["refs"].each())]
    said = _READERS[native](record, run)
    more = said.pop("refs", ())
    return [Event(**about, **said, refs=tuple(ref for ref in dict.fromkeys((*refs, *more)) if ref))]


def _is_wanted(record: Wild, results: str) -> bool:
    status = record["status"].text()
    changed = record.at("ansible_result", "changed").flag(False)
    return results == "all" or status in ("FAILED", "UNREACHABLE") or (results == "changed" and changed)


def _run_start(record: Wild, run: str) -> dict[str, Any]:
    how = " (check mode)" if record["check"].flag(False) else ""
    return {"subject": f"ansible/{run}", "summary": f"{record['playbook'].text()} started{how}", "outcome": "running"}


def _play(record: Wild, run: str) -> tuple[str, str]:
    """The play's subject, and what the original Firehose put into its topics."""
    play = record["playbook_id"].text("")
    return (f"ansible/{run}/play/{subject.escape(play)}" if play else f"ansible/{run}"), subject.escape(play)


def _play_start(record: Wild, run: str) -> dict[str, Any]:
    about, play = _play(record, run)
    return {
        "subject": about,
        "summary": f"{record['playbook'].text('')}: play {record['playbook_name'].text()}",
        "outcome": "running",
        "alias": (f"ansible/playbook/{play}/action/start",),
    }


def _no_hosts(record: Wild, run: str) -> dict[str, Any]:
    about, _ = _play(record, run)
    return {"subject": about, "summary": f"play {record['playbook_name'].text('')} had no hosts", "outcome": "skipped"}


def _task(record: Wild, run: str) -> tuple[str, str]:
    name = record["ansible_task"].text("") or record["action"].text("task")
    role = record["role"].text("")
    return f"ansible/{run}/task/{subject.escape(record['task_id'].text())}", f"{role}: {name}" if role else name


def _task_start(record: Wild, run: str) -> dict[str, Any]:
    about, name = _task(record, run)
    return {"subject": about, "summary": f"task {name}", "outcome": "running", "refs": (_play(record, run)[0],)}


def _result(record: Wild, run: str) -> dict[str, Any]:
    about, name = _task(record, run)
    play_subject, play = _play(record, run)
    host, status = _host(record), record["status"].text()
    if status not in _OUTCOMES:
        raise UnknownKind(f"result.{status[:40]}")
    result = record["ansible_result"]
    ignored = record["ignored"].flag(False)
    word = "changed" if status == "OK" and result["changed"].flag(False) else status.lower()
    reason = "" if status == "OK" else result["msg"].text("") if result["msg"].is_text() else ""
    return {
        "subject": about,
        "summary": f"{host}: {name}: {word}{' (ignored)' if ignored else ''}{f': {reason}' if reason else ''}",
        "outcome": _OUTCOMES[status],
        "severity": "warning" if status in ("FAILED", "UNREACHABLE") and not ignored else "info",
        "text": host,
        "refs": (play_subject,),
        "alias": (f"ansible/playbook/{play}/task/{subject.escape(host)}/{status}",),
    }


def _host(record: Wild) -> str:
    """The host's name in the inventory, without the login that may stand before it (`root@web01.example.org`)."""
    return record["ansible_host"].text().rpartition("@")[2]


def _counts(record: Wild) -> dict[str, int]:
    stats = record["stats"]
    return {key: stats[key].count() for key in ("ok", "changed", "failures", "unreachable", "skipped")}


def _stats(record: Wild, run: str) -> dict[str, Any]:
    host, counts = _host(record), _counts(record)
    _, play = _play(record, run)
    bad = counts["failures"] or counts["unreachable"]
    return {
        # A subject of the run's own: the host's name would tie all runs on it together.
        "subject": f"ansible/{run}/host/{subject.escape(host)}",
        "summary": f"{host}: {_told(counts)}",
        "outcome": "failure" if bad else "success",
        "severity": "warning" if bad else "info",
        "alias": (f"ansible/playbook/{play}/stats/{subject.escape(host)}",),
    }


def _run_finish(record: Wild, run: str) -> dict[str, Any]:
    counts, status = _counts(record), record["status"].text()
    if status not in ("OK", "FAILED"):
        raise UnknownKind(f"run_finish.{status[:40]}")
    _, play = _play(record, run)
    dropped = record["dropped"].count()
    lost = f"; {dropped} records were not shipped" if dropped else ""
    hosts = record["hosts"].count()
    where = f"{hosts} host{'' if hosts == 1 else 's'}"
    end = "failed" if status == "FAILED" else "succeeded"
    return {
        "subject": f"ansible/{run}",
        "summary": f"{record['playbook'].text('')} {end} on {where}: {_told(counts)}{lost}",
        "outcome": _OUTCOMES[status],
        "severity": "warning" if status == "FAILED" else "info",
        "alias": (f"ansible/playbook/{play}/action/finish/{status}",) if play else (),
    }


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "nothing done"


_READERS: Final[dict[str, Callable[[Wild, str], dict[str, Any]]]] = {
    "run_start": _run_start,
    "play_start": _play_start,
    "task_start": _task_start,
    "result": _result,
    "stats": _stats,
    "run_finish": _run_finish,
    "no_hosts": _no_hosts,
}


def native_kind(delivery: source.Delivery) -> str:
    """The plugin's word for the first record."""
    try:
        return next((record["event"].text("") for record in decode(delivery.body)["events"].each()), "")
    except Refused:
        return ""


SOURCE: Final = source.SourceKind(
    name="ansible",
    title="Ansible",
    family="deploy",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    schemes=(source.Scheme("bearer"),),
    native_kind=native_kind,
)
