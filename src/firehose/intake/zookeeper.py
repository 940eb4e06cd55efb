"""Znodes of a ZooKeeper, followed: the whole tree is looked at once, then what changes, by watches.

In: a source instance that asked for `Znodes`, and the doors. Out: each change as a delivery, after which the memory is
kept. A lost connection ends the session; the next one looks at everything again and finds by the memory what came,
changed and went meanwhile, so nothing is lost that ZooKeeper still shows, and nothing told twice has a second id.
Kazoo has threads of its own; what blocks runs in ours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import structlog
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import WatchedEvent

from firehose.errors import TryLater, words
from firehose.event import Event, fingerprint
from firehose.intake.instance import Instance, word
from firehose.intake.remembering import Keep, Remembering
from firehose.intake.session import Doors, obey
from firehose.intake.znodes import Listing, Reading, Tree, ordered
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Seen, Znodes

log = structlog.get_logger("zookeeper")
PATIENCE: Final = 20.0
"""Seconds for a session to begin, and for an answer."""
TYPE: Final = "org.infra-firehose.source.unseen"


class TreeReader(Remembering):
    """The tree of one source. `run()` never returns."""

    def __init__(self, instance: Instance, want: Znodes, doors: Doors, keep: Keep, now: Now) -> None:
        super().__init__(instance, doors, keep, now)
        self._want = want
        self._tree = Tree(want.patterns)

    async def run(self) -> None:
        """Connect, look at everything, follow, and again, without end."""
        self._state = await self._restore()
        self._memory = await self._remember()
        waits = self._waits()
        while True:
            began = monotonic()
            try:
                await self._hold()
                why = "the session ended"
            except TryLater as error:
                why = error.detail
            except (KazooException, KazooTimeoutError, OSError, ValueError) as error:
                why = words(error)
            obey()
            if monotonic() - began >= self._pace.good:
                waits = self._waits()
            self._doors.report(f"not connected to {self._want.hosts}", why, "looks at everything again")
            log.info("not connected", source=self._instance.name, why=why)
            await asyncio.sleep(next(waits))

    async def _hold(self) -> None:
        """One session, from its begin to the loss of its connection."""
        watch = Watch(self._client(), asyncio.get_running_loop())
        try:
            await watch.begin()
            changed: list[str] = list(self._tree.roots)
            while not watch.lost:
                reading = await asyncio.to_thread(watch.look, changed, self._tree)
                await self._take(reading)
                self._doors.report(f"ZooKeeper {self._want.hosts}", "", "looks at everything again")
                changed = await watch.changes()
                obey()
        finally:
            await asyncio.shield(asyncio.to_thread(watch.end))

    async def _take(self, reading: Reading) -> None:
        """Tell what is new, then keep it."""
        now = self._now()
        found = [(seen.mzxid, one) for seen in reading.seen for one in self._memory.news(seen)]
        for listing in reading.listings:
            root = listing.path in self._tree.roots
            gone, unseen = self._memory.listed(listing, root=root)
            found += [(at, Seen(path, None, known.czxid, known.mzxid)) for at, known, path in gone]
            if unseen:
                await self._doors.announce(self._unseen(listing, unseen, now))
        told = {seen.path for _, seen in found}
        for path in reading.missing - told:
            found += [(at, Seen(path, None, one.czxid, one.mzxid)) for at, one, path in self._memory.missing(path)]
        await self._tell(ordered(found), self._want, now)

    def _unseen(self, listing: Listing, count: int, now: datetime) -> Event:
        name = self._instance.name
        return Event(
            id=fingerprint("unseen", name, listing.path, listing.czxid, listing.made),
            source=self._instance.settings.url.rstrip("/") or f"urn:firehose:{name}",
            type=TYPE,
            kind="incident.detected",
            subject=f"source/{name}",
            time=now,
            summary=f"Source {name} did not see {count} znodes in {listing.path}: they came and went between two looks",
            severity="notice",
        )

    def _client(self) -> Any:
        want = self._want
        password = word(self._instance.settings, want.secret)
        tls: dict[str, Any] = {}
        if want.ca_file:
            own = {"certfile": want.cert_file or None, "keyfile": want.key_file or None}
            tls = {"use_ssl": True, "ca": want.ca_file, "check_hostname": want.check_hostname, **own}
        login = [("digest", f"{want.user}:{password}")] if want.user else None
        return KazooClient(hosts=want.hosts, timeout=want.timeout, auth_data=login, **tls)


class Watch:
    """One session: looks, and the paths that changed since."""

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._changed: dict[str, None] = {}
        self._visited: set[str] = set()
        self._news = asyncio.Event()
        self.lost = False

    async def begin(self) -> None:
        """Connect; `TryLater` when that takes too long."""
        self._client.add_listener(self._listen)
        begun = self._client.start_async()
        until = monotonic() + PATIENCE
        while not (begun.is_set() and self._client.connected):
            if monotonic() > until:
                raise TryLater(f"no ZooKeeper answered within {PATIENCE:g} s")
            await asyncio.sleep(0.05)
        self.lost = False

    def end(self) -> None:
        """Give the session back. Blocks."""
        self._client.remove_listener(self._listen)
        with contextlib.suppress(KazooException, KazooTimeoutError, OSError):
            self._client.stop()
        with contextlib.suppress(KazooException, KazooTimeoutError, OSError):
            self._client.close()

    async def changes(self) -> list[str]:
        """The paths that changed, as soon as there is one; none when the connection is lost."""
        while not self._changed and not self.lost:
            self._news.clear()
            await self._news.wait()
        changed, self._changed = list(self._changed), {}
        return changed

    def look(self, paths: Iterable[str], tree: Tree) -> Reading:
        """Read paths, and what is new below them, leaving a watch everywhere. Blocks."""
        reading = Reading()
        level = list(paths)
        while level:
            asked = [(path, *self._ask(path, tree)) for path in level]
            level = [more for path, data, names in asked for more in self._answer(path, data, names, reading, tree)]
        return reading

    def _ask(self, path: str, tree: Tree) -> tuple[Any, Any]:
        self._visited.add(path)
        data = self._client.get_async(path, watch=self._fire) if tree.is_record(path) else None
        names = self._client.get_children_async(path, self._fire, True) if tree.has_more(path) else None
        return data, names

    def _answer(self, path: str, data: Any, names: Any, reading: Reading, tree: Tree) -> list[str]:
        """What was found at a path goes into the reading; what is to be looked at next comes back."""
        try:
            if data is not None:
                value, stat = data.get(timeout=PATIENCE)
                reading.seen.append(Seen(path, value, stat.czxid, stat.mzxid, stat.ctime, stat.mtime))
            if names is None:
                return []
            found, stat = names.get(timeout=PATIENCE)
        except NoNodeError:
            reading.missing.add(path)
            self._visited.discard(path)
            # Its maker is waited for. Elsewhere the watch of what is above tells of a new name.
            return [path] if path in tree.roots and self._client.exists(path, watch=self._fire) else []
        own = frozenset(name for name in found if tree.counts(f"{path}/{name}"))
        # ZooKeeper counts names that came and names that went: together with those that are there, what was ever made.
        made = (stat.cversion + len(found)) // 2
        if len(own) < len(found):
            made = 0
        reading.listings.append(Listing(path, own, stat.czxid, stat.pzxid, made))
        return [f"{path}/{name}" for name in sorted(own) if f"{path}/{name}" not in self._visited]

    def _fire(self, event: WatchedEvent) -> None:
        """A watch fired, in a thread of Kazoo's."""
        if event.path:
            self._loop.call_soon_threadsafe(self._note, event.path)

    def _note(self, path: str) -> None:
        self._changed[path] = None
        self._news.set()

    def _listen(self, state: str) -> None:
        if state != KazooState.CONNECTED:
            self._loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        self.lost = True
        self._news.set()
