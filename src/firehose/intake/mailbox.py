"""A mailbox read over IMAP, from where it was left, and then as mail comes: by IDLE, else by looking now and then.

In: a source instance that asked for `Mailbox`, and the doors. Out: each message once, its bytes as a delivery. The
cursor is `<UIDVALIDITY>:<last UID>` and moves after the gate has stored what it covers. The mailbox is only looked at:
nothing is marked or deleted, so several hubs and people can read it. A message over the limit is refused and counted.
IMAPClient blocks, so it runs in threads, one step at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from collections.abc import Iterator
from typing import Final

import structlog
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from firehose.errors import TryLater, words
from firehose.intake import places
from firehose.intake.instance import Instance, word
from firehose.intake.judge import too_large
from firehose.intake.session import Doors, Session, obey
from firehose.plumbing.clock import Now, monotonic
from firehose.source import MAIL, MAX_BODY, Delivery, Mailbox

log = structlog.get_logger("mailbox")
BATCH: Final = 50
PATIENCE: Final = 30.0
"""Seconds for one answer of the server."""
SLICE: Final = 2.0
"""Seconds that a thread waits in one go, so that an end is not held up."""
SETTINGS_WAIT: Final = 60.0
BUSY: Final = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")


class MailboxReader(Session):
    """The mailbox of one source. `run()` never returns."""

    def __init__(self, instance: Instance, box: Mailbox, doors: Doors, now: Now) -> None:
        super().__init__(instance, doors, now)
        self._box = box
        self._place = places.mailbox(box)

    async def run(self) -> None:
        """Connect, read, wait for more, and again, without end."""
        self._state = await self._restore()
        waits = self._waits()
        while True:
            began = monotonic()
            wait = 0.0
            try:
                await self._hold()
            except TryLater as error:
                why, wait = error.detail, error.after if error.after >= SETTINGS_WAIT else 0.0
            except (IMAPClientError, OSError, ValueError) as error:
                why = words(error)
            obey()
            if monotonic() - began >= self._pace.good:
                waits = self._waits()
            self._doors.report(f"not connected to {self._box.place}", why, "resumes exactly")
            log.info("not connected", source=self._instance.name, why=why)
            await self._keep(now=True)
            await asyncio.sleep(wait or next(waits))

    async def _hold(self) -> None:
        """One connection, from login to its end."""
        client = await asyncio.to_thread(self._log_in)
        try:
            opened = await asyncio.to_thread(client.select_folder, self._box.folder, readonly=True)
            validity = int(opened[b"UIDVALIDITY"])
            idles = client.has_capability("IDLE")
            way = "IDLE" if idles else f"a look every {self._box.idle:g} s"
            self._doors.report(f"IMAP {self._box.place} {self._box.folder}: {way}", "", "resumes exactly")
            while True:
                told(client)  # what it told until now, the search sees
                await self._catch_up(client, validity)
                await (self._idle(client) if idles else self._wait(client))
        finally:
            with contextlib.suppress(IMAPClientError, OSError):
                client.shutdown()

    def _log_in(self) -> IMAPClient:
        host, port = self._place
        implicit = self._box.tls == "implicit"
        try:
            context = ssl.create_default_context(cafile=self._box.ca_file or None)
            client = IMAPClient(host, port, ssl=implicit, ssl_context=context if implicit else None, timeout=PATIENCE)
            if self._box.tls == "starttls":
                client.starttls(ssl_context=context)
            client.login(self._box.user, word(self._instance.settings, self._box.secret))
        except LoginError as error:
            why = f"{self._box.place} does not let {self._box.user} in: {error}"
            raise (TryLater(why) if busy(str(error)) else TryLater(why, after=SETTINGS_WAIT)) from None
        except ssl.SSLCertVerificationError as error:
            raise TryLater(f"{self._box.place}: {error.verify_message}", after=SETTINGS_WAIT) from None
        return client

    async def _catch_up(self, client: IMAPClient, validity: int) -> None:
        """All messages after the cursor. With another UIDVALIDITY that is all of them: their ids tell doubles."""
        kept, _, last = self._state.cursor.partition(":")
        after = int(last) if kept == str(validity) and last.isdigit() else 0
        found = await asyncio.to_thread(client.search, ["UID", f"{after + 1}:*"])
        # `n:*` always holds the last message, even when its number is smaller.
        for batch in _batches(sorted(uid for uid in found if uid > after)):
            obey()
            messages, sizes = await asyncio.to_thread(_fetch, client, batch)
            deliveries = []
            for uid in batch:
                if uid in messages:
                    deliveries.append(self._delivery(messages[uid]))
                elif uid in sizes:
                    self._doors.refuse(too_large(sizes[uid]))
            await self._pass(deliveries)
            self._moved(f"{validity}:{batch[-1]}", self._now())
            await self._keep(now=True)

    def _delivery(self, body: bytes) -> Delivery:
        headers = {"content-type": MAIL}
        return Delivery(source=self._instance.name, body=body, received=self._now(), headers=headers, channel="imap")

    async def _idle(self, client: IMAPClient) -> None:
        """Until the server says that something changed, or one IDLE has lasted long enough."""
        await asyncio.to_thread(client.idle)
        until = monotonic() + self._box.idle
        news = told(client)
        while not news and (left := until - monotonic()) > 0:
            news = await asyncio.to_thread(heard, client, min(left, SLICE))
            obey()
        await asyncio.to_thread(client.idle_done)

    async def _wait(self, client: IMAPClient) -> None:
        await asyncio.sleep(self._box.idle)
        await asyncio.to_thread(client.noop)


def busy(refusal: str) -> bool:
    """Whether a refused login says that the server cannot just now (RFC 5530), and nothing of name or password."""
    return any(code in refusal.upper() for code in BUSY)


def told(client: IMAPClient) -> bool:
    """Whether the server told of new messages since this was asked last. It tells with the answer to any command, of
    a SEARCH that did not see them as well, and does not tell IDLE again."""
    _, counts = client._imap.response("EXISTS")
    return bool(counts != [None])


def heard(client: IMAPClient, seconds: float) -> bool:
    """Whether the server says something in IDLE within so many seconds; an `OSError` when the connection has ended.

    IMAPClient's own `idle_check` asks the socket only: it misses what came together with an earlier answer, which lies
    in the buffer of the file or of TLS, and it takes an end for silence, at once and again and again."""
    sock, file = client.socket(), client._imap.file
    sock.setblocking(False)
    try:
        with contextlib.suppress(ssl.SSLWantReadError):
            if file.peek():
                return True
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        if not poller.poll(seconds * 1_000):
            return False
        try:
            if file.peek():
                return True
        except ssl.SSLWantReadError:
            return False  # TLS's own talk
        raise ConnectionResetError("the server closed the connection")
    finally:
        sock.settimeout(PATIENCE)


def _fetch(client: IMAPClient, batch: list[int]) -> tuple[dict[int, bytes], dict[int, int]]:
    """The messages that are not too large, and the sizes of all; what somebody deleted meanwhile is in neither."""
    sizes = {uid: int(one[b"RFC822.SIZE"]) for uid, one in client.fetch(batch, ["RFC822.SIZE"]).items()}
    small = [uid for uid, size in sizes.items() if size <= MAX_BODY]
    found = client.fetch(small, ["BODY.PEEK[]"]) if small else {}
    return {uid: one[b"BODY[]"] for uid, one in found.items() if b"BODY[]" in one}, sizes


def _batches(uids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(uids), BATCH):
        yield uids[start : start + BATCH]
