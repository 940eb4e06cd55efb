"""The addresses in every message: why did I get this, less of this, stop; and the one that confirms a place.

In: a place, an event, the rules that asked. Out: links that only this hub can have made, and back. Whoever has the
message may stop or lessen what sent it, without a login, and nothing else; a link works as long as its rule exists.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from firehose.errors import Refused

WHY: Final = "/notify/why/"
STOP: Final = "/v1/notify/stop/"
CONFIRM: Final = "/notify/confirm/"
MOST_RULES: Final = 5
Sign = Callable[[bytes], bytes]


class Reason(msgspec.Struct, frozen=True):
    """What a link stands for: a place, the (first) event of the message, the rules that asked for it."""

    place: str
    sequence: int
    rules: tuple[str, ...]


class Links:
    """Makes and reads links. sign: the hub's signature; base: its public address."""

    def __init__(self, sign: Sign, base: str) -> None:
        self._sign = sign
        self._base = base

    def reason(self, place: str, sequence: int, rules: Sequence[str]) -> str:
        """The word of the links of a message."""
        about = f"{place}-{sequence}-{'+'.join(rules[:MOST_RULES])}"
        return f"{about}-{self._mac('why', about)}"

    def why(self, word: str) -> str:
        """Where somebody reads why they got it, and makes it less."""
        return f"{self._base}{WHY}{word}"

    def stop(self, word: str) -> str:
        """Where a mail program stops it by one request (RFC 8058)."""
        return f"{self._base}{STOP}{word}"

    def confirm(self, place: str, to: str) -> str:
        """Where whoever reads at a place says that it is theirs."""
        return f"{self._base}{CONFIRM}{place}-{self._mac('confirm', f'{place} {to}')}"

    def read(self, word: str) -> Reason:
        """What a word of ours stands for; `Refused` (404) when it is not one."""
        about, _, mac = word.rpartition("-")
        parts = about.split("-")
        if len(parts) != 3 or not parts[1].isdecimal() or not self._ours("why", about, mac):
            raise _foreign()
        return Reason(parts[0], int(parts[1]), tuple(filter(None, parts[2].split("+"))))

    def confirmed(self, word: str, to: Callable[[str], str]) -> str:
        """The place that a word confirms; `to` gives a place's address."""
        place, _, mac = word.rpartition("-")
        if not self._ours("confirm", f"{place} {to(place)}", mac):
            raise _foreign()
        return place

    def _ours(self, what: str, about: str, mac: str) -> bool:
        return hmac.compare_digest(self._mac(what, about).encode(), mac.encode())

    def _mac(self, what: str, about: str) -> str:
        # The signature is the same for the same text, so a part of its hash will do: links go into lines of chat.
        # It must not hold a "-", which parts a word.
        made = hashlib.sha256(self._sign(f"notify {what} {about}".encode())).digest()[:15]
        return base64.b32encode(made).decode().lower()


def _foreign() -> Refused:
    return Refused("this link is not one of this hub's, or it was cut", slug="bad-link", status=404)
