"""Everything of the web that is not a hot path: the framework's application, and the manners of its answers.

In: a `Hub`. Out: an ASGI application with the API and the pages. Handlers get the hub as the argument `hub`. The
pages are `web.pages.routes.HANDLERS`; `web.pages.routes.error_page` renders problems for browsers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException

from firehose.errors import FirehoseError, Refused, TryLater
from firehose.web import datagrepper, health
from firehose.web.answer import Asgi
from firehose.web.api import routes
from firehose.web.hub import Hub
from firehose.web.manners import Manners
from firehose.web.pages.routes import HANDLERS, error_page
from firehose.web.problems import MEDIA, encode, internal, problem

log = structlog.get_logger("web")
ErrorPage = Callable[[Request[Any, Any, Any], dict[str, object]], Response[Any] | None]


def site(hub: Hub) -> Asgi:
    """The application with its manners."""
    asgi: Any = application(hub)
    return Manners(asgi, hub.settings.public_url)


def application(hub: Hub) -> Litestar:
    """The framework's application: all its addresses."""
    return Litestar(
        route_handlers=[*health.HANDLERS, *routes.HANDLERS, *datagrepper.HANDLERS, *HANDLERS],
        dependencies={"hub": Provide(lambda: hub, sync_to_thread=False)},
        exception_handlers={Exception: on_error(hub.settings.public_url, partial(error_page, hub))},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def on_error(base: str, error_page: ErrorPage) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    """The handler of every exception: problem+json, or a page for a browser; never a stack trace."""

    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        status, members, headers = describe(error, base)
        if "text/html" in request.headers.get("accept", ""):
            page = error_page(request, members)
            if page is not None:
                return page
        return Response(encode(members), status_code=status, media_type=MEDIA, headers=headers)

    return handle


def describe(error: Exception, base: str) -> tuple[int, dict[str, object], dict[str, str]]:
    """Status, problem object and headers of any exception."""
    if isinstance(error, (Refused, TryLater)):
        return problem(error, base)
    if isinstance(error, HTTPException) and error.status_code < 500:
        slug = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-parameter")
        detail = {404: "there is nothing at this address", 405: "this address does not take that method"}
        found = Refused(detail.get(error.status_code, error.detail), slug=slug, status=error.status_code)
        status, members, headers = problem(found, base)
        return status, members, {**headers, **(error.headers or {})}
    if isinstance(error, FirehoseError):
        log.error("a request failed", error=error.detail)
    else:
        log.error("a request failed", exc_info=error)
    return internal(base)
