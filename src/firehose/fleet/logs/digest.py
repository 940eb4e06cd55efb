"""What the room tells the hub: digests, as JSON. Pure; the `logs` source turns them into events.

In: what the desk found. Out: bytes, each under 4 KB whatever a sender wrote. Ids come from what is told and from the
book's name, so a digest that is told twice is one event. Where readers of lines need a token, an example is shown with
all that varies masked: an event says no more than its readers may read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firehose import event
from firehose.event import fingerprint, rfc3339
from firehose.fleet.logs.book import FileState
from firehose.fleet.logs.line import Line, Tally
from firehose.fleet.logs.scrub import mask
from firehose.fleet.logs.templates import Found

EXAMPLE: Final = 400


class Teller:
    """Makes the digests of one book. `base`: URL below which its lines are read; `shown`: lines are for everybody."""

    def __init__(self, name: str, base: str, shown: bool) -> None:
        self._name = name
        self._base = base
        self._shown = shown

    def file(self, state: FileState) -> bytes:
        """A file is finished."""
        file, tally = state.file, state.tally
        return self._digest(
            "file.processed",
            # Not the book's name: the same file is the same event, whichever store read it.
            fingerprint("file", file.key),
            state.last or state.touched,
            key=file.key,
            name=file.name[:200], build=file.build, url=file.url, project=file.project, change=file.change,
            outcome=file.outcome,
            publisher=state.publisher,
            lines=tally.lines, bytes=tally.bytes, kept_lines=tally.kept_lines, over_lines=tally.over_lines,
            severities=tally.severities,
            first=stamp(state.first), last=stamp(state.last),
            new_templates=len(state.new), known_templates=len(state.known),
            link=file.url if file.url.startswith(("https://", "http://")) else self._link(state.number),
            lines_link=self._link(state.number),
        )  # fmt: skip

    def template(self, found: Found, line: Line, publisher: str, number: int) -> bytes:
        """A template is new, or bursts; `line` is the example, kept under `number`."""
        template = found.template
        what = "template.burst" if found.burst else "template.new"
        moment = template.burst if found.burst else template.first
        example = event.line(line.text if self._shown else mask(line.text), EXAMPLE)
        return self._digest(
            what,
            fingerprint(what, self._name, template.number, moment),
            moment,
            template=f"{self._name[:8]}-{template.number}",
            text=template.text[:EXAMPLE],
            example=example,
            severity=line.severity, host=line.host, unit=line.unit, publisher=publisher,
            build=line.file.build if line.file else "", project=line.file.project if line.file else "",
            file=line.file.name if line.file else "",
            line=number,
            per_minute=round(template.this) if found.burst else 0,
            usual=round(template.usual) if found.burst else 0,
            link=self._link(number),
        )  # fmt: skip

    def overflow(self, publisher: str, span: tuple[int, int], counts: Tally, total: Tally) -> bytes:
        """What a publisher sent in a span (start, seconds) in which it was over its budget, and all it ever sent."""
        start, seconds = span
        return self._digest(
            "overflow",
            fingerprint("overflow", self._name, publisher, start),
            float(start + seconds),
            publisher=publisher, start=stamp(float(start)), seconds=seconds,
            counts=msgspec.to_builtins(counts), total=msgspec.to_builtins(total),
            link=self._link(0),
        )  # fmt: skip

    def _link(self, number: int) -> str:
        return f"{self._base}/{number}" if number else self._base

    def _digest(self, what: str, id_: str, moment: float, **more: Any) -> bytes:
        return msgspec.json.encode({"what": what, "id": id_, "time": stamp(moment), **more})


def stamp(moment: float) -> str:
    """RFC 3339; "" where the time is not known or not to be believed."""
    return rfc3339(datetime.fromtimestamp(moment, UTC)) if 0 < moment < 1e11 else ""
