"""A source as it runs: its name in the settings, its kind's declaration, its settings, its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from firehose.errors import Broken, TryLater
from firehose.intake.ledger import Health
from firehose.settings import secret
from firehose.source import SourceKind


@dataclass(frozen=True)
class Instance:
    """One `[sources.<name>]`. `secrets` are the accepted ones, newest first, read once at start; `login`: a producer's
    login (`[[mqtt.logins]]`) hands in for it."""

    name: str
    kind: SourceKind
    settings: Any
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    login: bool = False

    @property
    def opening(self) -> Health:
        """What the ledger starts the source's books with; the caller sets `since`."""
        return Health(
            name=self.name,
            kind=self.kind.name,
            title=self.kind.title,
            family=getattr(self.settings, "family", "") or self.kind.family,
            url=self.settings.url,
            proof=self._proof,
            connection=urlsplit(self.settings.url).netloc,
            why=self.shut,
            freshness=self.settings.freshness,
            since=_NEVER,
        )

    @property
    def shut(self) -> str:
        """Why nothing can come in, as the source is set up; "" where something can."""
        kind, own = self.kind, self.settings
        connected = (kind.lines and kind.lines(own)) or (kind.holds and kind.holds(own))
        if connected or self.login or self.secrets or getattr(own, "open", False):
            return ""
        if any(scheme.check in ("bearer", "open") for scheme in kind.schemes) or not (
            kind.schemes or kind.lines or kind.holds
        ):
            return ""
        return "nothing can come in: the source has neither a secret nor a connection, see its README"

    @property
    def _proof(self) -> str:
        """How senders prove themselves, as it is set up: an open door is called so, a door without a key is none."""
        ways = ["host key"] if self.kind.lines and self.kind.lines(self.settings) else []
        ways += ["login"] if self.login else []
        if getattr(self.settings, "open", False):
            ways.append(_PROOFS["open"])
        elif self.secrets or not ways:
            ways += [_PROOFS.get(scheme.check, scheme.check) for scheme in self.kind.schemes]
        return ", ".join(dict.fromkeys(ways))


def word(settings: Any, name: str) -> str:
    """A connection's secret, read again for each try. One that cannot be read now is no reason to end the hub (a file
    that is being replaced): `TryLater`. At the start of the hub it is one, see `checks.load_instances`."""
    try:
        return secret(settings, name).decode()
    except Broken as error:
        raise TryLater(error.detail) from None


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00Z")
_PROOFS = {
    "hmac-sha256": "HMAC SHA-256",
    "hmac-sha1": "HMAC SHA-1",
    "token": "token",
    "standard": "Standard Webhooks",
    "bearer": "hub token",
    "open": "none",
}
