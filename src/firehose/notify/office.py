"""Puts the room together: papers, carriers, notifier and desk of one process.

In: settings, where to read events. Out: an `Office`: the desk for the web, an outlet and jobs for delivery. It decides
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from firehose.delivery.room import RESERVED, Room, signer
from firehose.delivery.runner import Ears
from firehose.history.papers import Papers, open_papers
from firehose.notify.carriers import Carriers
from firehose.notify.desk import Desk
from firehose.notify.links import Links
from firehose.notify.notifier import Notifier
from firehose.plumbing.webpush import Vapid
from firehose.settings import Settings
from firehose.sink import Outlet


@dataclass(frozen=True)
class Office:
    """One process's share. `outlet` belongs into the room where this process delivers."""

    papers: Papers
    notifier: Notifier
    desk: Desk

    @property
    def outlet(self) -> Outlet:
        """The sink that tells people."""
        return self.notifier.outlet()

    def jobs(self, room: Room) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs beside the room."""
        self.notifier.cursor = partial(room.cursor, RESERVED)
        return self.notifier.jobs()

    def close(self) -> None:
        """Let go of the papers."""
        self.papers.close()


async def open_office(settings: Settings, ears: Ears, *, delivering: bool) -> Office:
    """Open it, with the rules that are kept."""
    papers = await asyncio.to_thread(open_papers, settings.history, settings.data)
    sign = signer(settings.data)
    hub = (settings.hub.name, settings.public_url)
    vapid = Vapid(settings.data / "keys" / "vapid.pem", settings.notify.contact or settings.public_url)
    links = Links(sign.sign, settings.public_url)
    carriers = Carriers(settings.notify, hub, sign, vapid, ears.now)
    notifier = Notifier(papers, ears, carriers, links, hub)
    await notifier.load()
    desk = Desk(
        papers=papers, reader=ears.reader, carriers=carriers, links=links, vapid=vapid, now=ears.now,
        notifier=notifier if delivering else None,
    )  # fmt: skip
    return Office(papers, notifier, desk)
