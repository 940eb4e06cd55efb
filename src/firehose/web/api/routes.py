"""Which addresses the API answers; `web/site.py` mounts them."""

from __future__ import annotations

from typing import Any, Final

from firehose.web.api import (
    about,
    counts,
    deadletters,
    details,
    documents,
    dumps,
    events,
    logs,
    notify,
    quarantine,
    sinks,
    unsubscribe,
)

HANDLERS: Final[list[Any]] = [
    *events.HANDLERS,
    *details.HANDLERS,
    *counts.HANDLERS,
    *dumps.HANDLERS,
    *logs.HANDLERS,
    *about.HANDLERS,
    *quarantine.HANDLERS,
    *sinks.HANDLERS,
    *deadletters.HANDLERS,
    *unsubscribe.HANDLERS,
    *notify.HANDLERS,
    *documents.HANDLERS,
]
