"""Which addresses the pages answer, and how a browser sees an error; `web/site.py` mounts them."""

from __future__ import annotations

from typing import Any, Final

from firehose.web.pages import assets, connect, errors, event, jump, live, notify, notify_links, search, small, sources

HANDLERS: Final[list[Any]] = [
    assets.static_file,
    connect.connect,
    event.card,
    event.event_page,
    event.in_source,
    jump.jump,
    live.live,
    live.rate,
    *notify.HANDLERS,
    *notify_links.HANDLERS,
    search.search,
    small.combined,
    small.complete_query,
    small.pulse,
    small.query,
    sources.sources,
    sources.table,
]
error_page = errors.error_page
