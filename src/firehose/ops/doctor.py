"""`firehose doctor`: checks the set-up and a running hub, and says what to do about each finding.

In: settings, a running hub's own word (over HTTP) if there is one. Out: findings, worst last. It changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import click
import httpx
import msgspec

from firehose.bus.engine import find_binary
from firehose.checks import faults
from firehose.errors import Broken
from firehose.ops.showing import data_option, settings_option
from firehose.settings import Settings, load
from firehose.settings import secrets as every

Level = Literal["ok", "note", "wrong"]
MARKS: Final[dict[str, str]] = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}
MEND: Final = "mend the settings; firehose settings --explain shows all"
LEAST_FREE: Final = 2 * 2**30


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and the next step when it is not well."""

    level: Level
    what: str
    next_step: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
@settings_option
@data_option
def doctor(as_json: bool, file: Path | None, data: str) -> None:
    """Check settings, machine and the running hub.

    \b
    Example: firehose doctor --settings firehose.toml
    Exit code 0 when nothing is wrong, 1 otherwise.
    """
    findings: list[Finding] = []
    try:
        settings, _ = load(file, os.environ, data=data)
        findings.append(Finding("ok", "the settings are readable"))
        findings += [Finding("wrong", fault.detail, MEND) for fault in faults(settings)]
        for check in (machine, secrets, folders, running):
            findings += check(settings)
    except Broken as error:
        findings.append(Finding("wrong", error.detail, MEND))
    for finding in findings:
        if as_json:
            click.echo(json.dumps(msgspec.to_builtins(finding)))
        else:
            click.echo(
                f"{MARKS[finding.level]} {finding.what}"
                + (f"\n      → {finding.next_step}" if finding.next_step else "")
            )
    sys.exit(1 if any(finding.level == "wrong" for finding in findings) else 0)


def machine(settings: Settings) -> Iterator[Finding]:
    """Programs and packages."""
    if not settings.engine.urls:
        try:
            yield Finding("ok", f"engine: {find_binary(settings.engine.binary)}")
        except Broken as error:
            yield Finding("wrong", error.detail)
    if settings.history.url.startswith("postgres") and find_spec("psycopg") is None:
        yield Finding("wrong", "PostgreSQL needs the package psycopg", "pip install 'psycopg[binary]'")
    pages = Path(__file__).parent.parent / "web" / "static" / "built"
    if not pages.is_dir():
        yield Finding("wrong", "the pages' scripts and styles were not built", "./run assets")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Every secret that the settings point at can only be read by its owner."""
    owners: list[tuple[str, Any]] = [(f"sources.{name}", own) for name, own in settings.sources.items()]
    owners += [(f"sinks.{name}", own) for name, own in settings.sinks.items()]
    owners += [("notify.mail", settings.notify.mail), ("notify.irc", settings.notify.irc)]
    owners += [(f"mqtt.logins {login.user}", login) for login in settings.mqtt.logins]
    for where, owner in owners:
        for name in every(owner):
            path = getattr(owner, f"{name}_file", "")
            if path and Path(path).exists() and Path(path).stat().st_mode & 0o077:
                yield Finding("note", f"{where}: others can read {path}", f"chmod 600 {path}")


def folders(settings: Settings) -> Iterator[Finding]:
    """The data folder can be written and has room."""
    folder = settings.data
    if not folder.is_dir():
        if not folder.exists():
            yield Finding("note", f"the data folder {folder} does not exist yet; firehose up makes it")
        return
    free = shutil.disk_usage(folder).free
    level: Level = "wrong" if free < LEAST_FREE else "ok"
    yield Finding(
        level,
        f"{free / 2**30:.1f} GiB free in {folder}",
        "make room: the hub answers 503 on a full disk" if level == "wrong" else "",
    )


def running(settings: Settings) -> Iterator[Finding]:
    """What a running hub says of itself."""
    base = f"http://{settings.http.listen}"
    try:
        ready = httpx.get(f"{base}/readyz", timeout=5)
    except (httpx.TransportError, httpx.InvalidURL):
        yield Finding("note", f"no hub answers at {base}", "firehose up starts one")
        return
    yield Finding("ok" if ready.status_code == 200 else "wrong", f"the hub at {base} says: {ready.text.strip()[:200]}")
    for health in httpx.get(f"{base}/v1/sources", timeout=5).json().get("sources", []):
        level: Level = {"healthy": "ok", "never": "note", "quiet": "note"}.get(health["state"], "wrong")  # type: ignore[assignment]
        where = f", {health['connection']}" if level == "wrong" and health["connection"] else ""
        words = f"source {health['name']}: {health['state']}{where}" + (f", {health['why']}" if health["why"] else "")
        unknown = health["verdicts"].get("unknown", 0)
        yield Finding(level, words, "firehose quarantine list shows what nobody could read" if unknown else "")
