"""The Errbot plugin: rooms and people subscribe to queries, and ask what a thing is and why they were told.

In: chat commands. Out: what the hub knows, said in the room. Subscriptions live in a file of their own below
`BOT_DATA_DIR`, each with its cursor, so that a bot that was away, or killed, tells what it missed: Errbot's storage
is written when the bot stops in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

from errbot import BotPlugin, botcmd
from firehose_hub import Event, Follower, Hub, Kept, Trouble, plain

KEPT = 50
LIMIT = 20


class Firehose(BotPlugin):
    """What happens, as a Firehose hub sees it."""

    def get_configuration_template(self) -> dict[str, str]:
        """`!plugin config Firehose {'HUB': 'https://firehose.example.org', 'TOKEN': ''}`"""
        return {"HUB": "http://127.0.0.1:8080", "TOKEN": ""}

    def activate(self) -> None:
        """Go on with every subscription where it was."""
        super().activate()
        self.lock = threading.Lock()
        self.kept = Kept(Path(self.bot_config.BOT_DATA_DIR) / "firehose.subscriptions.json")
        if not self.kept.path.exists():
            self.kept.write(dict(self.get("subscriptions", {})))  # where they lived before
        config = getattr(self.bot_config, "FIREHOSE", None) or self.config or self.get_configuration_template()
        self.hub = Hub(config["HUB"], config.get("TOKEN", ""))
        self.followers: dict[str, Follower] = {}
        self.said: dict[str, deque[tuple[str, str, Event]]] = {}
        for number in self._all():
            self._follow(number)

    def deactivate(self) -> None:
        """Fall silent."""
        for follower in getattr(self, "followers", {}).values():
            follower.stop()
        super().deactivate()

    @botcmd
    def subscribe(self, message: Any, args: str) -> str:
        """Tell this room of events: !subscribe kind:change.merged project:openstack/nova"""
        query = args.strip()
        if not query:
            return "What should I tell? For example: !subscribe kind:change.merged project:openstack/*"
        place = self._place(message)
        own = self._of(place)
        if any(kept["query"] == query for kept in own.values()):
            return f"I tell that here already. {self._listed(place)}"
        if len(own) >= LIMIT:
            return f"{LIMIT} subscriptions are the most for one place; !unsubscribe NUMBER makes room."
        try:
            meaning = self.hub.explain(query)
        except Trouble as trouble:
            return plain(str(trouble))
        number = str(next(n for n in count(1) if str(n) not in self._all()))
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")  # noqa: TID251, UP017 - not in the hub; 3.10, too
        with self._changed() as kept:
            kept[number] = {"place": place, "query": query, "by": str(message.frm), "since": now, "cursor": ""}
        self._follow(number)
        return plain(f"Subscription {number}: {meaning} Stop it with !unsubscribe {number}.")

    @botcmd
    def unsubscribe(self, message: Any, args: str) -> str:
        """Stop telling: !unsubscribe 3, !unsubscribe kind:change.merged, or !unsubscribe all"""
        place, asked = self._place(message), args.strip()
        gone = [n for n, own in self._of(place).items() if asked in ("all", n, own["query"])]
        if not gone:
            return f"There is no subscription {asked!r} here. {self._listed(place)}"
        with self._changed() as kept:
            for number in gone:
                kept.pop(number, None)
        for number in gone:
            self.followers.pop(number).stop()
        return f"Stopped: {', '.join(gone)}. {self._listed(place)}"

    @botcmd
    def subscriptions(self, message: Any, args: str) -> str:
        """List what is told here: !subscriptions"""
        return self._listed(self._place(message))

    @botcmd
    def what(self, message: Any, args: str) -> str:
        """What is known of a change, a story, a build: !what 1201, !what openstack/nova~1201, !what <address>"""
        if not args.strip():
            return "Of what? A number, a subject or an address: !what 1201"
        try:
            return plain(self.hub.what(args.strip()))
        except Trouble as trouble:
            return plain(str(trouble))

    @botcmd
    def why(self, message: Any, args: str) -> str:
        """Why something was said here: !why for the last line, !why 3 for the third last"""
        said = self.said.get(self._place(message))
        if not said:
            return "I have said nothing here since I started."
        back = int(args) if args.strip().isdigit() and int(args) else 1
        if back > len(said):
            return f"I remember {len(said)} lines here."
        number, text, event = said[-back]
        own = self._all().get(number)
        if own is None:
            return f"I said {text!r} for subscription {number}, which is gone by now."
        try:
            meaning = self.hub.explain(own["query"])
        except Trouble as trouble:
            meaning = str(trouble)
        page = f" The event: {self.hub.url}/events/{event['sequence']}." if event else ""
        return plain(
            f"I said {text!r} because {own['by']} subscribed this place on {own['since']} to {own['query']} -- "
            f"{meaning}{page} Less of it: narrow the query; none of it: !unsubscribe {number}."
        )

    def _all(self) -> dict[str, dict[str, str]]:
        with self.lock:
            return self.kept.read()

    @contextmanager
    def _changed(self) -> Iterator[dict[str, dict[str, str]]]:
        # The threads that keep cursors and the commands write the same file.
        with self.lock:
            every = self.kept.read()
            yield every
            self.kept.write(every)

    def _of(self, place: str) -> dict[str, dict[str, str]]:
        return {number: own for number, own in self._all().items() if own["place"] == place}

    def _listed(self, place: str) -> str:
        own = self._of(place)
        if not own:
            return "Nothing is told here."
        return plain("Told here: " + "; ".join(f"{number}: {kept['query']}" for number, kept in sorted(own.items())))

    def _place(self, message: Any) -> str:
        """A room, else the person who asks, in a form that this backend reads again."""
        if message.is_group:
            return str(message.to)
        try:
            self.build_identifier(message.frm.person)
        except ValueError:
            return str(message.frm)
        return str(message.frm.person)

    def _follow(self, number: str) -> None:
        own = self._all()[number]
        place = own["place"]

        def say(lines: list[str], events: list[Event]) -> None:
            kept = self.said.setdefault(place, deque(maxlen=KEPT))
            by_link = {event.get("link") or event["sequence"]: event for event in events}
            for text in lines:
                self.send(self.build_identifier(place), plain(text))
                event = next((found for mark, found in by_link.items() if text.endswith(mark)), {})
                kept.append((number, text, event))

        def keep(cursor: str) -> None:
            with self._changed() as every:
                if number in every:
                    every[number]["cursor"] = cursor

        follower = Follower(self.hub, own["query"], own["cursor"], say, keep)
        self.followers[number] = follower
        follower.start()
