"""`GET /v1/logs/{source}` and `/v1/logs/{source}/{number}`: kept log lines, by the number that an event's link has.

In: a source's name, a line's number, `context` (lines before and after, 20). Out: the lines as text, or as JSON for
those who ask for it; without a number what is kept and all counts. The log room answers (`hub.lines`). Lines of a
source whose readers need a token are given for the scope `read:logs-<source>` alone. 410 for lines that are gone.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, Parameter

from firehose.errors import Refused
from firehose.fleet.logs.reading import MOST, Answer, Question
from firehose.sources.logs.logs import Settings, by_trust
from firehose.web.asked import only, pairs
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.peers import credential

CONTEXT: Final = 20
_answers: Final = msgspec.json.Decoder(Answer)
GivenContext = Annotated[int, Parameter(ge=0, le=MOST // 2)]


@get("/v1/logs/{source:str}")
async def logs(hub: GivenHub, request: Request[Any, Any, Any], source: FromPath[str]) -> Response[dict[str, Any]]:
    """What is kept, and all counts since the store began, by publisher."""
    allow(hub, request, source)
    only(pairs(request.scope["query_string"]), ())
    told = await asked(hub, source, Question())
    return Response({name: value for name, value in msgspec.to_builtins(told).items() if name != "lines"})


@get("/v1/logs/{source:str}/{number:int}")
async def lines(
    hub: GivenHub, request: Request[Any, Any, Any], source: FromPath[str], number: FromPath[int],
    context: GivenContext = CONTEXT,
) -> Response[Any]:  # fmt: skip
    """A line with those around it."""
    allow(hub, request, source)
    only(pairs(request.scope["query_string"]), ("context",))
    told = await asked(hub, source, Question(max(1, number - context), number + context))
    if not any(line.number == number for line in told.lines):
        if 0 < number < told.oldest:
            detail = (
                f"line {number} is gone: lines of {source} are kept {told.keep_days} days, from {told.oldest} on now"
            )
            raise Refused(detail, slug="line-gone", status=410, extra={"oldest": told.oldest})
        raise Refused(f"there is no line {number}; the newest is {told.newest}", slug="not-found", status=404)
    if "application/json" in request.headers.get("accept", ""):
        return Response({"line": number, "lines": msgspec.to_builtins(told.lines)})
    return Response(text(told, number), media_type="text/plain")


def text(told: Answer, number: int) -> str:
    """Lines for people; the one that was asked for has a mark."""
    width = len(str(told.newest))
    rows = []
    for line in told.lines:
        mark = ">" if line.number == number else " "
        place = " ".join(part for part in (line.host, line.unit, line.file) if part) or line.publisher
        said = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line.text)
        rows.append(f"{mark}{line.number:>{width}} {line.time} {line.severity:7} {place}: {said}\n")
    return "".join(rows)


def allow(hub: Hub, request: Request[Any, Any, Any], source: str) -> None:
    """`Refused` unless this reader may read lines of this source."""
    settings = hub.settings.sources.get(source)
    if not isinstance(settings, Settings):
        raise Refused(f"there is no log source {source[:100]!r}", slug="unknown-source", status=404)
    if by_trust(settings).readers == "everybody":
        return
    scope = f"read:logs-{source}"
    given = credential(request.headers.get("authorization", ""))
    if not given:
        raise Refused(f"a token with the scope {scope} is needed", slug="no-token", status=401)
    if not hub.tokens.holds(given, scope):
        raise Refused(f"the token does not have the scope {scope}", slug="bad-token", status=403)


async def asked(hub: Hub, source: str, question: Question) -> Answer:
    """What the log room says."""
    return _answers.decode(await hub.lines(source, msgspec.json.encode(question)))


HANDLERS: Final[list[Any]] = [logs, lines]
