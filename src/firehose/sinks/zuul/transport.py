"""Asks Zuul, at the operator's pace, and never twice for the same event.

In: requests. Out: Zuul's answer. A request is noted before it leaves and again when Zuul has taken it; one whose end is
unknown (a crash, a broken connection) is looked for among Zuul's buildsets before it is asked again. Zuul's web page
answers unknown addresses with 200, so only `true` counts as taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog

from firehose.errors import GiveUp, SlowDown, TryLater
from firehose.plumbing.http import Answer, Client, Limits
from firehose.sink import Message, Outlet, Tools
from firehose.sinks.zuul import token
from firehose.sinks.zuul.asked import Asked

log = structlog.get_logger("sinks.zuul")
MINUTE: Final = 60.0
SKEW: Final = 60
"""Seconds that Zuul's clock may be behind ours when a request in doubt is looked for."""
PAUSE: Final = 30.0
_LOOKED: Final = 16_384
_SAID: Final = 300


class Transport:
    """One tenant's pipeline."""

    def __init__(self, outlet: Outlet, tools: Tools) -> None:
        self._settings = settings = outlet.settings
        self._now = tools.now
        self._asked = Asked(tools.notes)
        self._recent: deque[float] = deque()
        self._turn = asyncio.Lock()
        if settings.dry_run:
            return
        self._token = token.maker(settings, tools.secret("secret"))
        allow = ("0.0.0.0/0", "::/0") if settings.allow_private else settings.allow
        limits = Limits(connect=min(10.0, settings.timeout), read=settings.timeout, total=settings.timeout)
        self.client = Client(allow, limits=limits)

    async def send(self, message: Message) -> str:
        """Ask once for all."""
        if self._settings.dry_run:
            said = f"dry run, would POST {message.to} {message.body.decode()}"
            log.info(said, sink_action=self._settings.action, id=message.id)
            return said
        before = await self._asked.find(message.id)
        if before == 0:
            return "Zuul was asked for this event before"
        if before and await self._there(message, before):
            await self._asked.note(message.id, 0)
            return "Zuul has this event's buildset already"
        await self._pace()
        await self._asked.note(message.id, before or int(self._now().timestamp()))
        answer = await self._ask("POST", message.to, message)
        trouble = _trouble(answer)
        if trouble is None:
            await self._asked.note(message.id, 0)
        elif answer.status < 500:
            await self._asked.note(message.id, None)
        if trouble:
            raise trouble
        return f"{self._settings.action} taken"

    async def _ask(self, method: str, url: str, message: Message | None = None) -> Answer:
        headers = {"authorization": self._token(self._now()), **(message.headers if message else {})}
        try:
            return await self.client.request(method, url, headers, message.body if message else None)
        except GiveUp as error:
            # What is wrong is the place, not the message: it waits until the place or the settings are mended.
            raise TryLater(error.detail) from None

    async def _pace(self) -> None:
        """Wait until a request more is within the pace."""
        async with self._turn:
            wait = self._wait(self._now().timestamp())
            if wait > 0:
                await asyncio.sleep(wait)
            self._recent.append(self._now().timestamp())

    def _wait(self, now: float) -> float:
        # A clock that was set back must not hold up a sink for longer than a minute.
        while self._recent and not now - MINUTE < self._recent[0] <= now:
            self._recent.popleft()
        return self._recent[0] + MINUTE - now if len(self._recent) >= self._settings.per_minute else 0.0

    async def _there(self, message: Message, since: int) -> bool:
        """Whether Zuul has a buildset of what was asked for at that moment. Dequeue and promote may be asked again:
        what is not in the pipeline any more cannot leave it, and what stands in front already stays."""
        if self._settings.action != "enqueue":
            return False
        body = msgspec.json.decode(message.body, type=dict[str, Any])
        base, _, rest = message.to.partition("/project/")
        asked = {"project": rest.removesuffix("/enqueue"), "pipeline": body["pipeline"], "limit": "20"}
        number, _, patch = body.get("change", "").partition(",")
        asked |= {"change": number, "patchset": patch, "ref": body.get("ref", ""), "newrev": body.get("newrev", "")}
        answer = await self._ask("GET", f"{base}/buildsets?{urlencode({k: v for k, v in asked.items() if v})}")
        if answer.status != 200:
            raise TryLater(f"Zuul answered {answer.status} when it was asked whether it has this event already")
        try:
            found = msgspec.json.decode(answer.body, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            raise TryLater("Zuul's list of buildsets cannot be read") from None
        return any(_moment(buildset.get("event_timestamp")) >= since - SKEW for buildset in found)

    async def run(self) -> None:
        """There is no connection to hold."""

    async def close(self) -> None:
        """Close the connections."""
        if not self._settings.dry_run:
            await self.client.close()


def _moment(text: object) -> float:
    """Epoch seconds of Zuul's time stamps, which are UTC without saying so."""
    try:
        return datetime.fromisoformat(f"{text}+00:00").timestamp()
    except ValueError:
        return 0.0


def _trouble(answer: Answer) -> Exception | None:
    """What an answer means; None: taken."""
    said = answer.body[:_LOOKED].decode("utf-8", "replace").strip()
    if answer.status == 200 and said == "true":
        return None
    match answer.status:
        case 200:
            return TryLater("answered 200 but not as Zuul's API does; url must be Zuul's address, without /api")
        case 400:
            return GiveUp(f"Zuul will not take this: {_reason(said)}")
        case 401 | 403:
            return TryLater(
                f"Zuul does not let us ({answer.status}): {_reason(said)}; see its [auth …] section and rules"
            )
        case 404:
            return GiveUp(f"Zuul does not know this: {_reason(said)}")
        case 429:
            return SlowDown("Zuul wants a pause", after=PAUSE)
        case _:
            return TryLater(f"Zuul answered {answer.status}: {_reason(said)}")


def _reason(said: str) -> str:
    """The sentence in an error of Zuul's, which is JSON or a page of CherryPy's."""
    try:
        found = msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.DecodeError:
        words = said.partition("<p>")[2].partition("</p>")[0] if said.startswith("<") else said
        return words[:_SAID] or "no reason given"
    return str(found.get("description") or found.get("error") or "no reason given")[:_SAID]


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a Zuul sink."""
    return Transport(outlet, tools)
