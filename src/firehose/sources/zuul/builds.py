"""The builds of a Zuul report: result, times, logs, artifacts.

In: one build object; a job that has not run yet has a name and little else. Out: `Build`. Zuul's results are words of
Zuul and of job authors; `outcome_of` folds them into the outcomes that events know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from firehose.sources.zuul.changes import Change, change_of, web_address
from firehose.sources.zuul.moments import moment
from firehose.wild import Wild

_OUTCOMES: Final = {
    "": "running",
    "SUCCESS": "success",
    "FAILURE": "failure",
    "TIMED_OUT": "failure",
    "POST_FAILURE": "failure",
    "SKIPPED": "skipped",
    "CANCELED": "cancel",
    "ABORTED": "cancel",
    "DEQUEUED": "cancel",
}
_WORDS: Final = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "TIMED_OUT": "timed out",
    "POST_FAILURE": "failed after its run",
    "SKIPPED": "was skipped",
    "CANCELED": "was cancelled",
    "ABORTED": "was aborted",
    "NODE_FAILURE": "got no node",
    "LOST": "was lost",
    "RETRY": "broke off and is tried again",
    "RETRY_LIMIT": "broke off too often",
    "DISK_FULL": "filled its disk",
    "MERGE_FAILURE": "does not merge",
}
_NOISE: Final = ("zuul_manifest",)


def outcome_of(result: str) -> str:
    """An outcome for a build's result. What Zuul could not do is `error` (node, merger), and so is a new word."""
    return _OUTCOMES.get(result, "error")


class Artifact(msgspec.Struct, frozen=True):
    """Something that a build left: name and http(s) address."""

    name: str
    url: str


class Build:
    """One build, or a job still without one (`outcome` is `queued`), at its `index` in the message.

    `words` completes "unit-tests … for …". A build that still ran when its item's last report was written (`ending`)
    is never heard of again: Zuul cancels it.
    """

    def __init__(self, item: Wild, index: int, changes: list[Change], *, retried: bool, ending: bool) -> None:
        self.retried = retried
        self.index = index
        self.job = item["job_name"].text()
        self.uuid = item["uuid"].text("")
        self.voting = item["voting"].flag(True)
        self.result = item["result"].text("") or ("RETRY" if retried else "CANCELED" if ending and self.uuid else "")
        self.started = moment(item["start_time"])
        self.ended = moment(item["end_time"])
        self.log = web_address(item["log_url"])
        self.page = web_address(item["web_url"])
        self.change = change_of(item["change"]) if item["change"].is_object() else changes[0]
        self.outcome = outcome_of(self.result) if self.result or self.uuid else "queued"
        self.artifacts = [] if retried else _artifacts(item)

    @property
    def words(self) -> str:
        """How it ended, and how long it took."""
        text = _WORDS.get(self.result, f"ended with {self.result}")
        if self.started is not None and self.ended is not None and self.ended > self.started:
            text += f" after {duration(self.started, self.ended)}"
        return text if self.voting else f"(non-voting) {text}"


def duration(start: datetime, end: datetime) -> str:
    """A time span for people: `45 s`, `9 min 40 s`, `2 h 5 min`."""
    seconds = round((end - start).total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _artifacts(item: Wild) -> list[Artifact]:
    found = []
    for artifact in item["artifacts"].each():
        url = web_address(artifact["url"])
        kind = artifact.at("metadata", "type")
        if url and not (kind.is_text() and kind.text() in _NOISE):
            found.append(Artifact(artifact["name"].text("artifact"), url))
    return found
