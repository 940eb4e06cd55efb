"""Logs: what the log room tells of the lines that it was given. A few events, never the lines.

In: digests of the log room (`fleet/logs/`): a file was read, a template is new or bursts, a publisher sent more than
its budget. Out: `log.file.processed`, `log.template.new`, `log.template.burst`, `log.overflow`. What an operator can
set of the room is declared here, because it is a source's settings; the room, its listeners and its store are apart.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from firehose import source, subject
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.wild import Wild, decode

KINDS: Final = {
    "file.processed": "log.file.processed",
    "template.new": "log.template.new",
    "template.burst": "log.template.burst",
    "overflow": "log.overflow",
}
TYPE: Final = "org.infra-firehose.log."
DIGEST: Final = "application/vnd.firehose.log+json"
"""The content type of what the log room tells."""


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """trust: `production` (the operators' own machines) or `jobs` (what anybody's change may write): other defaults,
    other rights, a store of its own.

    listen: HTTP address for lines; sources may share one. syslog, syslog_tls: addresses for syslog over TCP, and over
    TLS with tls_cert and tls_key; with tls_ca senders must show a certificate of that authority. allow: networks that
    may send without a token or a certificate. lines_per_second, bytes_per_second: what one publisher may have kept
    (0: by trust, 2,000 and 1 MB for production, 500 and 250 kB for jobs); burst: how many seconds of it at once.
    together: how many publishers' budgets all of them may use at once. window: seconds that one summary of what was
    over covers. sample: of lines over the budget, every so manieth is looked at for new templates. files_per_minute:
    files that one publisher may begin; more are counted without an event each. file_idle: seconds without a line after
    which a file is finished. keep: days that lines are kept (0: by trust, 30 for production, 7 for jobs). keep_mib:
    size of the store. sync: seconds after which what was written is brought to the disk (0: before each answer; a
    power cut then takes nothing, and the stream's own syncs wait for it where they share a disk). readers: who may
    read lines, `everybody` or `token` (scope `read:logs-<source>`); "": by trust, `token` for production, `everybody`
    for jobs. learn: seconds from the start of an empty store in which new templates
    are learned and not told. announce: templates a minute that may be told.
    """

    trust: Literal["production", "jobs"] = "production"
    listen: str = "127.0.0.1:8514"
    syslog: str = ""
    syslog_tls: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    allow: tuple[str, ...] = ()
    lines_per_second: int = 0
    bytes_per_second: int = 0
    burst: int = 10
    together: int = 4
    window: int = 60
    sample: int = 100
    files_per_minute: int = 600
    file_idle: int = 60
    keep: int = 0
    keep_mib: int = 2_048
    sync: int = 10
    readers: Literal["", "everybody", "token"] = ""
    learn: int = 900
    announce: int = 10


def by_trust(settings: Settings) -> Settings:
    """The settings with everything filled in that trust decides."""
    production = settings.trust == "production"
    return msgspec.structs.replace(
        settings,
        lines_per_second=settings.lines_per_second or (2_000 if production else 500),
        bytes_per_second=settings.bytes_per_second or (1_000_000 if production else 250_000),
        keep=settings.keep or (30 if production else 7),
        readers=settings.readers or ("token" if production else "everybody"),
    )


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one digest means."""
    body = decode(delivery.body)
    what = body["what"].text("")
    if what not in KINDS or delivery.headers.get("content-type", "").partition(";")[0] != DIGEST:
        raise UnknownKind(what or "something that is no digest of the log room")
    make = {"file.processed": _file, "template.new": _template, "template.burst": _template, "overflow": _overflow}
    return [
        Event(
            id=body["id"].full(),
            source=settings.url.rstrip("/") or f"urn:firehose:{delivery.source}",
            type=TYPE + what,
            kind=KINDS[what],
            time=body["time"].moment() or delivery.received,
            link=body["link"].link(),
            data=delivery.body,
            **make[what](body, settings),
        )
    ]


def _file(body: Wild, settings: Settings) -> dict[str, Any]:
    lines = body["lines"].count()
    worst = [word for word in ("error", "warning") if body.at("severities", word).count()]
    told = ", ".join(f"{body.at('severities', word).count():,} {word}" for word in worst)
    name, build = body["name"].text(""), body["build"].text("")
    outcome = body["outcome"].text("")
    change = body["change"].text("")
    return {
        "subject": f"logfile/{body['key'].text()}",
        "project": body["project"].text(""),
        "actor": body["publisher"].text(""),
        "summary": f"{name or 'a log file'}: {lines:,} lines{f' ({told})' if told else ''}"
        + (f", {body['new_templates'].count()} new templates" if body["new_templates"].count() else ""),
        "outcome": outcome if outcome in ("success", "failure", "error") else "",
        "severity": "info",
        "refs": _refs(build and f"build/{build}", change and f"{body['project'].text('')}~{change}"),
        "text": f"{name} {build}",
    }


def _template(body: Wild, settings: Settings) -> dict[str, Any]:
    burst = body["what"].text() == "template.burst"
    example = body["example"].text("")
    head = (
        f"Burst, {body['per_minute'].count():,} lines a minute (usually {body['usual'].count():,}): " if burst else ""
    )
    build = body["build"].text("")
    return {
        "subject": f"logtemplate/{body['template'].text()}",
        "project": body["project"].text(""),
        "actor": body["publisher"].text(""),
        "summary": f"{head or 'New in the log: '}{example}",
        "severity": _most(body["severity"].text("info"), settings, burst),
        "refs": _refs(build and f"build/{build}", (host := body["host"].text("")) and f"host/{host}"),
        "text": body["text"].text(""),
    }


def _most(severity: str, settings: Settings, burst: bool) -> str:
    """What anybody's change may write cannot raise an error here: a job's log says at most `notice`."""
    if settings.trust == "jobs":
        return "notice" if burst or severity in ("warning", "error") else "info"
    return severity if severity in ("notice", "warning", "error") else "notice" if burst else "info"


_COUNTED: Final = {
    "over_lines": "over its budget counted",
    "files_over": "of too many files counted",
    "late": "of files that were finished",
    "unannounced": "new templates untold",
}


def _overflow(body: Wild, settings: Settings) -> dict[str, Any]:
    publisher = body["publisher"].text()
    counts = body["counts"]
    told = [f"{counts[name].count():,} {words}" for name, words in _COUNTED.items() if counts[name].count()]
    kept = f"{counts['kept_lines'].count():,} kept"
    return {
        "subject": f"logpublisher/{subject.escape(publisher)}",
        "actor": publisher,
        "summary": f"{publisher} sent {counts['lines'].count():,} lines in {body['seconds'].count()} s: "
        + ", ".join([kept, *told]),
        "severity": "notice" if settings.trust == "jobs" else "warning",
    }


def _refs(*refs: str) -> tuple[str, ...]:
    return tuple(subject.escape(ref) for ref in refs if ref)


SOURCE: Final = source.SourceKind(
    name="logs",
    title="Logs",
    family="log",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored={},
    native_kind=source.word_in("what"),
    door=lambda settings: settings.listen,
    guess=lambda body, _name: {"content-type": DIGEST} if body["what"].text("") in KINDS else {},
)
