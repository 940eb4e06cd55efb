"""A source as it runs: its name in the settings, its kind's declaration, its settings, its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from firehose.intake.ledger import Health
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
            freshness=self.settings.freshness,
            since=_NEVER,
        )

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


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00Z")
_PROOFS = {
    "hmac-sha256": "HMAC SHA-256",
    "hmac-sha1": "HMAC SHA-1",
    "token": "token",
    "standard": "Standard Webhooks",
    "bearer": "hub token",
    "open": "none",
}
