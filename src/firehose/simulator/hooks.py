"""Webhooks as GitHub, Forgejo and GitLab send them: headers, signature, and coming again when the hub cannot take it.

In: a service, an event's name, a body. Out: the hub's answer, after as many tries as its patience allows; a 4xx is
final. Whoever calls keeps the order.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import monotonic

_LONGEST_WAIT: Final = 5.0


class Answer(msgspec.Struct, frozen=True):
    """The last status, 0 if there was none, and whether an event came of it."""

    status: int
    events: int = 0
    tries: int = 1

    @property
    def promised(self) -> bool:
        """Whether the hub has it for good."""
        return 200 <= self.status < 300 and self.events > 0


class Hooks:
    """The forges' side of their webhooks. `base` is the hub's address; `secrets` are by service."""

    def __init__(self, base: str, secrets: Mapping[str, bytes], *, patience: float = 60.0) -> None:
        self._base = base.rstrip("/")
        self._secrets = secrets
        self._patience = patience
        # Loopback only: a proxy of the environment has no business here.
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, service: str, name: str, body: bytes, delivery: str) -> Answer:
        """Send until the hub takes or refuses it."""
        headers = signed(service, name, body, delivery, self._secrets[service])
        waits = delays(first=0.2, most=_LONGEST_WAIT)
        end = monotonic() + self._patience
        status = tries = 0
        while True:
            tries += 1
            wait = next(waits)
            try:
                answer = await self._client.post(f"{self._base}/in/{service}", content=body, headers=headers)
                status = answer.status_code
                if status < 500 and status != 429:
                    return Answer(status, _events(answer), tries)
                wait = min(_seconds(answer.headers.get("retry-after", ""), wait), _LONGEST_WAIT)
            except httpx.HTTPError:
                status = 0
            if monotonic() + wait > end:
                return Answer(status, 0, tries)
            await asyncio.sleep(wait)


def signed(service: str, name: str, body: bytes, delivery: str, secret: bytes) -> dict[str, str]:
    """The headers that a service sends with a delivery."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    common = {"content-type": "application/json"}
    if service == "github":
        return common | {
            "user-agent": "GitHub-Hookshot/5f1d2c3",
            "x-github-event": name,
            "x-github-delivery": _dashed(delivery),
            "x-github-hook-id": "491622597",
            "x-hub-signature-256": f"sha256={digest}",
        }
    if service == "gitlab":
        return common | {
            "user-agent": "GitLab/18.1.0",
            "x-gitlab-event": name,
            "x-gitlab-event-uuid": _dashed(delivery),
            "x-gitlab-webhook-uuid": _dashed(delivery[::-1]),
            "idempotency-key": _dashed(delivery),
            "x-gitlab-token": secret.decode(),
        }
    event, _, kind = name.partition(" ")
    return common | {
        "user-agent": "Go-http-client/1.1",
        "x-forgejo-event": event,
        "x-forgejo-event-type": kind,
        "x-forgejo-delivery": _dashed(delivery),
        "x-forgejo-signature": digest,
        "x-hub-signature-256": f"sha256={digest}",
    }


def _dashed(uuid: str) -> str:
    return f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"


def _events(answer: httpx.Response) -> int:
    """How many events the hub says came of it: one id and sequence, or a list of them."""
    try:
        told = answer.json()
    except ValueError:
        return 0
    if not isinstance(told, dict) or told.get("verdict") in ("ignored", "unknown"):
        return 0
    return max(len(told.get("events") or ()), int(bool(told.get("sequence"))))


def _seconds(text: str, otherwise: float) -> float:
    return float(text) if text.isdigit() else otherwise
