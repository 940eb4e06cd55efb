"""A Firehose hub as a bot needs it: a stream to follow, what is known of a thing, what a query means.

In: the hub's address and queries. Out: events as dictionaries, lines to say. Standard library only: this file is
copied into an Errbot's plugin folder, whose environment is somebody else's. It knows no Errbot.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

log = logging.getLogger("firehose")
Event = dict[str, Any]
SILENCE = 45.0
"""Seconds without a line, heartbeats (every 15 s) included, after which a stream counts as dead."""
WAITS = (1, 2, 5, 10, 30, 60)
GATHER = 2.0
MANY = 4
MOST = 500
NOUNS = frozenset(("change", "story", "task", "build", "buildset", "bug", "issue", "pull", "request"))
"""Words that people put before a number: `!what change 1201`."""
_BROKEN = (OSError, ValueError, http.client.HTTPException)
"""What a connection that ends raises, wherever it ends: in a line, in a chunk, in the head."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Trouble(Exception):
    """The hub said no, or did not answer; the text is for people. `status` is 0 when there was no answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Hub:
    """One hub at `url`; `token` is needed only where the hub asks for one."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"user-agent": "firehose-errbot", "accept": "application/json, application/x-ndjson"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    def open(self, path: str, timeout: float) -> Any:
        """The answer to a GET; `Trouble` with the hub's own words when it refuses."""
        if not self.url.startswith(("http://", "https://")):
            raise Trouble(f"the hub's address {self.url!r} must begin with http:// or https://")
        request = urllib.request.Request(self.url + path, headers=self._headers)  # noqa: S310 - checked above
        try:
            return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
        except urllib.error.HTTPError as error:
            raise Trouble(_problem(error), error.code) from None
        except _BROKEN as error:
            raise Trouble(f"the hub at {self.url} does not answer: {error}") from None

    def get(self, path: str, **params: str | int) -> Any:
        """The JSON at a path."""
        with self.open(f"{path}?{urlencode(params)}" if params else path, 20) as answer:
            try:
                return json.load(answer)
            except _BROKEN as error:
                raise Trouble(f"the hub's answer broke off: {error}") from None

    def explain(self, query: str) -> str:
        """What a query means in words; `Trouble` with the place of the error when it means nothing."""
        told = self.get("/v1/query", q=query)
        if told["error"]:
            position = int(told["error"]["position"])
            raise Trouble(f"{told['error']['detail']}\n  {query}\n  {' ' * position}^", 400)
        return str(told["explanation"])

    def what(self, name: str, most: int = 5) -> str:
        """What is known of a change, a story, a build: its newest events, and the newest of what belongs to it when it
        has fewer of its own than `most`. `Trouble` when nothing is."""
        subject = self.find(name)
        try:
            events = self.get(f"/v1/graph/{quote(subject, safe='')}", limit=MOST)["events"]
        except Trouble as trouble:
            if trouble.status == 404:
                raise Trouble(f"nothing is known of {name!r}", 404) from None
            raise
        own = [event for event in events if event["subject"] == subject][-most:]
        others = [event for event in events if event["subject"] != subject]
        telling = sorted(
            own + others[max(0, len(others) + len(own) - most) :], key=lambda event: str(event["sequence"])
        )
        lines = [f"{subject}: {len(events)} event{'s' if len(events) != 1 else ''}"]
        lines += [f"{event['time'][:16].replace('T', ' ')}  {line(event, self.url)}" for event in telling]
        return "\n".join(lines)

    def find(self, name: str) -> str:
        """The subject that people mean: itself, the end of one (`41`), an address, or words."""
        noun, _, rest = name.partition(" ")
        name = rest.strip() if noun.lower() in NOUNS and rest.strip() else name
        try:
            self.get(f"/v1/graph/{quote(name, safe='')}", limit=1)
        except Trouble as trouble:
            if trouble.status != 404:
                raise
        else:
            return name
        text = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for query in (f"link:{text}", f"subject:*{name.lstrip('#!~')}" if name.lstrip("#!~").isdigit() else "", text):
            if query and (found := self.get("/v1/events", q=query, limit=1)["events"]):
                return str(found[0]["subject"])
        raise Trouble(f"nothing is known of {name!r}", 404)

    def follow(self, query: str, cursor: str) -> Iterator[Event]:
        """Events and the stream's own words after a cursor ("" is now), until the connection ends."""
        params = {"q": query, **({"cursor": cursor} if cursor else {})}
        with self.open(f"/v1/stream/json?{urlencode(params)}", SILENCE) as answer:
            try:
                for row in answer:
                    yield json.loads(row)
            except _BROKEN as error:
                raise Trouble(f"the stream broke off: {error}") from None


class Kept:
    """What must outlive a bot that is killed: a JSON file, on disk when `write` returns, old or new but never half."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, str]] | None = None

    def read(self) -> dict[str, dict[str, str]]:
        """A copy of what is kept; nothing before the first `write`."""
        if self._known is None:
            self._known = json.loads(self.path.read_text()) if self.path.exists() else {}
        return {name: dict(own) for name, own in self._known.items()}

    def write(self, every: dict[str, dict[str, str]]) -> None:
        """Keep this instead."""
        if every == self._known:
            return
        beside = self.path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(every, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._known = {name: dict(own) for name, own in every.items()}


class Follower:
    """One subscription: a thread that follows a query and says what comes, in few lines.

    `say(lines, events)` speaks; `keep(cursor)` remembers how far it got, only after it was said: a bot that is killed
    repeats its last lines rather than losing them.
    """

    def __init__(
        self, hub: Hub, query: str, cursor: str,
        say: Callable[[list[str], list[Event]], None], keep: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._hub = hub
        self._query = query
        self._cursor = cursor
        self._say = say
        self._keep = keep
        self._ended = threading.Event()
        self._lines: queue.Queue[Event] = queue.Queue(MOST)
        self._threads = [
            threading.Thread(target=run, name=f"firehose {run.__name__}", daemon=True)
            for run in (self._read, self._speak)
        ]

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Say nothing more. The reading thread ends with its next line or heartbeat."""
        self._ended.set()

    def _read(self) -> None:
        attempt = 0
        read = self._cursor
        while not self._ended.is_set():
            try:
                for row in self._hub.follow(self._query, read):
                    attempt = 0
                    read = row.get("sequence") or row.get("cursor") or read
                    if self._ended.is_set():
                        return
                    self._lines.put(row)
            except Trouble as trouble:
                if trouble.status == 410:
                    # Said, not hidden: what lies before the hub's history cannot be told any more.
                    self._lines.put({"event": "gap", "detail": str(trouble)})
                    read = ""
            self._ended.wait(WAITS[min(attempt, len(WAITS) - 1)])
            attempt += 1

    def _speak(self) -> None:
        while not self._ended.is_set():
            rows = self._gather()
            events = [row for row in rows if "kind" in row]
            said = [f"I missed events: {row['detail']}" for row in rows if row.get("event") == "gap"]
            said += gathered(events, self._hub.url)
            if said:
                self._insist(said, events)
            if self._ended.is_set():
                return
            marks = [mark for row in rows if (mark := row.get("sequence") or row.get("cursor"))]
            if marks and marks[-1] != self._cursor:
                self._cursor = marks[-1]
                self._keep(self._cursor)

    def _insist(self, said: list[str], events: list[Event]) -> None:
        """Say it; a chat server that is away is tried again, the cursor waits for it."""
        for attempt in count():
            if self._ended.is_set():
                return
            try:
                self._say(said, events)
            except Exception:
                log.exception("could not speak, trying again")
            else:
                return
            self._ended.wait(WAITS[min(attempt, len(WAITS) - 1)])

    def _gather(self) -> list[Event]:
        """The next rows: the first that comes, and what comes within `GATHER` seconds after an event."""
        try:
            rows = [self._lines.get(timeout=1)]
        except queue.Empty:
            return []
        if "kind" in rows[0]:
            self._ended.wait(GATHER)
        while len(rows) < MOST:
            try:
                rows.append(self._lines.get_nowait())
            except queue.Empty:
                break
        return rows


def tame(text: str) -> str:
    """One line and nothing but text: senders choose the words."""
    return _CONTROL.sub(" ", text).strip()


def plain(text: str) -> str:
    """Text that Errbot, which reads Markdown, shows as it is."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


def line(event: Event, hub: str) -> str:
    """`summary  link`."""
    said = event.get("summary") or f"{event['kind']} {event['subject']}"
    return tame(f"{said}  {event.get('link') or hub + '/events/' + event['sequence']}")


def gathered(events: Sequence[Event], hub: str) -> list[str]:
    """The lines of a batch; `MANY` events of one kind in one project and more are said as a number."""
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        groups.setdefault((event["kind"], event.get("project", "")), []).append(event)
    found: list[tuple[str, str]] = []
    for (kind, project), own in groups.items():
        if len(own) < MANY:
            found += [(event["sequence"], line(event, hub)) for event in own]
            continue
        thing, _, done = kind.partition(".")
        things = plural(thing)
        query = {"kind": kind, **({"project": project} if project else {})}
        # `until` is not included, so it is the cursor after the last event's.
        window = {"since": own[0]["sequence"], "until": f"{int(own[-1]['sequence']) + 1:020d}"}
        page = f"{hub}/search?" + urlencode({**query, **window})
        where = f" in {project}" if project else ""
        found.append((own[0]["sequence"], tame(f"{len(own)} {things} {done}{where}  {page}")))
    return [text for _, text in sorted(found)]


def plural(noun: str) -> str:
    """Several of a thing: changes, branches, repositories; as the hub's own chat rooms say it."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search(r"(s|x|z|ch|sh)$", noun) else f"{noun}s"


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        told = json.load(error)
        return str(told.get("detail") or told.get("title") or error)
    except ValueError:
        return f"the hub answered {error.code}"
