"""Samples out of what a hub has received: one file a native kind, scrubbed, named as a source's folder wants them.

In: events as the hub's stream gives them, and the kind that read them. Out: files `<native kind>__<case>.json` with
the payload. The gate has taken e-mail addresses out already; here members that look like credentials lose their value.
It refuses to judge: what is still personal in a payload is for the eyes of whoever commits the sample.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from firehose.errors import FirehoseError
from firehose.intake.redact import scrub_text
from firehose.plumbing.clock import now
from firehose.source import Delivery, SourceKind
from firehose.wild import Wild

SECRET: Final = re.compile(r"token|password|passwd|secret|authorization|cookie|private.?key|api.?key|credential", re.I)
REMOVED: Final = "redacted"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def scrubbed(value: Any) -> Any:
    """A payload without credentials and e-mail addresses; shape and types stay."""
    if isinstance(value, dict):
        return {key: _member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [scrubbed(item) for item in value]
    return scrub_text(value) if isinstance(value, str) else value


def _member(key: str, value: Any) -> Any:
    if isinstance(value, str) and value and SECRET.search(key):
        return REMOVED
    return scrubbed(value)


def native(kind: SourceKind, event: Mapping[str, Any]) -> str:
    """The sender's own word for an event: as the source reads it, else the last part of the event's type."""
    payload = event.get("data")
    if kind.native_kind is not None and isinstance(payload, dict):
        headers = kind.guess(Wild(payload), "") if kind.guess else {}
        body = json.dumps(payload).encode()
        try:
            found = kind.native_kind(Delivery(source=kind.name, body=body, received=now(), headers=dict(headers)))
        except FirehoseError:
            found = ""
        if found:
            return found
    return str(event["type"]).rpartition(".")[2]


def file_name(native_kind: str, case: str) -> str:
    """`change-merged__acme-widget-7.json`."""
    clean = [_UNSAFE.sub("-", part).strip("-.") or "unnamed" for part in (native_kind, case)]
    return f"{clean[0][:80]}__{clean[1][:60].lower()}.json"


def capture(kind: SourceKind, events: Iterable[Mapping[str, Any]], folder: Path, *, each: int = 1) -> Iterator[Path]:
    """Write samples as events come, at most `each` of a native kind; the files that were written, one by one. Files
    that are there already count and are never overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    have = Counter(path.stem.partition("__")[0] for path in folder.glob("*__*.json"))
    for event in events:
        if not isinstance(event.get("data"), dict | list):
            continue
        name = file_name(native(kind, event), str(event["subject"]))
        word = name.partition("__")[0]
        path = folder / name
        if have[word] >= each or path.exists():
            continue
        path.write_text(json.dumps(scrubbed(event["data"]), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        have[word] += 1
        yield path
