"""Which addresses the pages answer, and how a browser sees an error; `web/site.py` mounts them."""

from __future__ import annotations

from typing import Any, Final

from firehose.web.pages import assets, errors, event, live, search, small

HANDLERS: Final[list[Any]] = [
    assets.static_file,
    event.card,
    event.event_page,
    event.in_source,
    live.live,
    live.rate,
    search.search,
    small.complete_query,
    small.pulse,
    small.query,
]
error_page = errors.error_page
