"""What a browser sees when something is not there or does not work: a page in the layout, with the next step.

In: the problem object that programs get. Out: a page. It says no more than the problem says: an event that is private,
redacted or not there has the same page.
"""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response

from firehose.web.hub import Hub
from firehose.web.pages.render import page

log = structlog.get_logger("pages")


def error_page(hub: Hub, _request: Request[Any, Any, Any], members: dict[str, object]) -> Response[str] | None:
    """The page of a problem; None leaves the problem as it is (when even the layout cannot be made)."""
    status = members.get("status")
    try:
        return page(hub, "error.html", "", {"problem": members}, status=status if isinstance(status, int) else 500)
    except Exception as error:
        log.error("the error page failed", error=repr(error))
        return None
