"""A client for programs of other people: follow, search and publish, with resume and several hubs.

    from firehose.client import Client
    for event in Client("https://firehose.example.org").stream("events/+/change/merged/#", since="1h"):
        print(event["summary"])

Following never ends by itself: after a break it goes on behind the last event. With several hubs the first that
answers is used; when it goes away the next one is asked from the last event's time, and what was seen is left out by
(source, id). Events are dictionaries as the hub writes them (CloudEvents).
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from firehose.errors import Broken, FirehoseError
from firehose.plumbing.backoff import delays

Event = dict[str, Any]
Params = Mapping[str, str | Sequence[str]]
REMEMBERED: Final = 20_000
AWAY: Final = frozenset({429, 502, 503, 504})
"""What a hub that starts or is busy answers, and a proxy whose hub is away: no reason to stop following."""
LONGEST_SECONDS: Final = 300.0
"""A `Retry-After` is believed up to here."""
SILENCE_SECONDS: Final = 45.0
"""A stream that says nothing for three heartbeats is taken for dead."""
_SILENT: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
"""No answer, or half of one. What cannot even be asked (`LocalProtocolError`) is no fault of a hub."""
_TOKEN: Final = re.compile(r"[!-~]+")


class HubRefused(FirehoseError):
    """The hub answered with a problem. `problem` is its RFC 9457 object, `status` the HTTP status."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))


class HubAway(FirehoseError):
    """No hub answers. seconds: how long the hub, or a proxy before it, asks to wait; 0 without a word."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        self.seconds = seconds
        super().__init__(why)


class Client:
    """A reader and publisher. `hubs` are base URLs; `token` is sent as a bearer token where there is one. `Broken`
    (code 2) for an address or a token that cannot be one."""

    def __init__(self, *hubs: str, token: str = "", timeout: float = 30.0) -> None:
        self.hubs = [address(hub) for hub in hubs] or ["http://127.0.0.1:8080"]
        headers = {"authorization": f"Bearer {checked(token)}"} if token else {}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(timeout, connect=5.0))
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON at a path of the first hub that answers."""
        return self._any("GET", path, params=dict(params or {})).json()

    def post(self, path: str, body: Any = None) -> Any:
        """Send JSON to a path of the first hub that answers."""
        return self._any("POST", path, json=body).json()

    def search(self, params: Params | None = None, *, limit: int = 100) -> Iterator[Event]:
        """Events of the history that match, newest first unless `order=asc`; pages are fetched as needed."""
        left = limit
        asked = dict(params or {})
        while left > 0:
            page = self.get("/v1/events", {**asked, "limit": str(min(left, 1_000))})
            yield from page["events"]
            left -= len(page["events"])
            if page.get("cursor") is None:
                return
            asked["cursor"] = page["cursor"]

    def stream(
        self,
        *topics: str,
        params: Params | None = None,
        reconnect: bool = True,
        on_break: Callable[[str, float], None] | None = None,
        **more: str,
    ) -> Iterator[Event]:
        """Events as they come, from `since` or `cursor` (else from now), each once. `reconnect=False` ends with the
        connection; `until=…` ends the stream by itself. on_break: hears of each break, why and how many seconds until
        the next try."""
        asked: dict[str, Any] = {**(params or {}), **more}
        path = "/v1/stream" + (f"/{','.join(quote(topic, safe='/+#$') for topic in topics)}" if topics else "")
        path = path.replace("#", "%23")
        waits = _waits()
        hub = 0
        last: Event | None = None
        while True:
            why, least = f"{self.hubs[hub]} has ended the connection", 0.0
            try:
                for event in self._lines(self.hubs[hub] + path, asked):
                    waits = _waits()
                    if self._fresh(event):
                        last = event
                        asked.pop("since", None)
                        asked["cursor"] = event["sequence"]
                        yield event
                if not reconnect or "until" in asked:
                    return
            except (HubAway, *_SILENT) as error:
                why, least = f"{self.hubs[hub]} does not answer: {error}", getattr(error, "seconds", 0.0)
                if not reconnect:
                    raise HubAway(why) from None
            if len(self.hubs) > 1:
                hub = (hub + 1) % len(self.hubs)
                # Another hub has sequences of its own: go back to the last event's time and leave out what was seen.
                asked.pop("cursor", None)
                if last is not None:
                    asked["since"] = last["time"]
            wait = max(next(waits), least)
            if on_break is not None:
                on_break(why, wait)
            time.sleep(wait)

    def publish(self, source: str, event: Event) -> Any:
        """Hand a CloudEvent to an `inbox` source; the hub's receipt, once it is on disk."""
        headers = {"content-type": "application/cloudevents+json"}
        return self._any("POST", f"/in/{quote(source)}", content=json.dumps(event).encode(), headers=headers).json()

    def _lines(self, url: str, params: Params) -> Iterator[Event]:
        timeout = httpx.Timeout(30.0, read=SILENCE_SECONDS)
        headers = {"accept": "application/x-ndjson"}
        with self._http.stream("GET", url, params=dict(params), headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                answer.read()
                raise away(answer) if answer.status_code in AWAY else refused(answer)
            for line in answer.iter_lines():
                if line:
                    event: Event = json.loads(line)
                    if "specversion" in event:  # the others are the stream's own frames: info, heartbeat, goodbye
                        yield event

    def _fresh(self, event: Event) -> bool:
        key = (event["source"], event["id"])
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _any(self, method: str, path: str, **more: Any) -> httpx.Response:
        for hub in self.hubs:
            try:
                answer = self._http.request(method, hub + path, **more)
            except _SILENT:
                continue
            if answer.is_success:
                return answer
            raise refused(answer)
        raise HubAway(f"no hub answers at {', '.join(self.hubs)}; is it running? firehose up starts one")


def address(hub: str) -> str:
    """A hub's base URL without a trailing slash; `Broken` says what it lacks."""
    try:
        parts = urlsplit(hub)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        hint = "" if "://" in hub else f"; did you mean http://{hub.lstrip('/')}?"
        raise Broken(f"the hub's address {hub!r} is not http://host… or https://host…{hint}", code=2)
    return hub.rstrip("/")


def checked(token: str) -> str:
    """A token as a header can carry it; `Broken` otherwise. The token itself is not repeated: it is a secret."""
    if not _TOKEN.fullmatch(token):
        raise Broken(
            "the token is malformed: it has white space, a line break or other characters that no token has; "
            "firehose token create prints one as its last word",
            code=2,
        )
    return token


def away(answer: httpx.Response) -> HubAway:
    """An answer that says "later", with the seconds that it asks for."""
    asked = answer.headers.get("retry-after", "")
    return HubAway(f"HTTP {answer.status_code}", min(float(asked), LONGEST_SECONDS) if asked.isdigit() else 0.0)


def _waits() -> Iterator[float]:
    return delays(first=0.5, most=30.0)


def refused(answer: httpx.Response) -> HubRefused:
    """The hub's problem as an error."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    return HubRefused(answer.status_code, problem if isinstance(problem, dict) else {})
