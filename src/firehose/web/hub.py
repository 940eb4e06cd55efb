"""The hub as the web sees it: one frozen value that the composition root fills and every handler is given.

In: the running parts. Out: the same parts by name. It holds no logic but where people reach what.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from firehose.access.tokens import Tokens
from firehose.bus.contract import Bus
from firehose.bus.live import Live
from firehose.errors import TryLater
from firehose.history.reader import Reader
from firehose.intake.gate import Gate
from firehose.intake.ledger import Ledger
from firehose.notify.desk import Desk
from firehose.plumbing.clock import Now
from firehose.settings import Settings


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where readers reach the hub, as URLs without a trailing slash; "" is not offered."""

    http: str
    mqtt: str = ""
    mqtt_tls: str = ""
    websocket: str = ""


async def no_log_room(name: str, _body: bytes) -> bytes:
    """Where no log room runs."""
    raise TryLater(f"the log room of {name} is not running")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Everything that the web may use.

    `ready` says why the hub cannot serve yet, "" when it can. `now` is the clock. `lines` asks the log room of a source
    (`fleet/logs/reading.py`). `desk` None: no notification rules here."""

    settings: Settings
    bus: Bus
    live: Live
    reader: Reader
    gate: Gate
    ledger: Ledger
    tokens: Tokens
    now: Now
    ready: Callable[[], str] = lambda: ""
    lines: Callable[[str, bytes], Awaitable[bytes]] = no_log_room
    desk: Desk | None = None

    @property
    def addresses(self) -> Addresses:
        """Where the settings say that everything listens; the public name of the hub, where they know one."""
        settings = self.settings
        public = urlsplit(settings.public_url).hostname or "localhost"
        host = f"[{public}]" if ":" in public else public
        mqtt = settings.mqtt
        secure = "wss" if mqtt.tls_cert else "ws"
        return Addresses(
            http=settings.public_url,
            mqtt=_public("mqtt", host, mqtt.listen),
            mqtt_tls=_public("mqtts", host, mqtt.tls_listen),
            websocket=_public(secure, host, mqtt.websocket, "/mqtt"),
        )


def _public(scheme: str, host: str, listen: str, path: str = "") -> str:
    return f"{scheme}://{host}:{listen.rpartition(':')[2]}{path}" if listen else ""
