"""Zuul's tokens: JWTs as its `[auth …]` drivers HS256, RS256 and OpenIDConnect accept them, or a token from outside.

In: the sink's settings, a secret, the time. Out: the value of `Authorization`. A token is made for one request and
lives for a minute, so that one which leaks from a log is worth little.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import jwt

from firehose.errors import Broken

_EARLY: Final = 10
"""Seconds that a token is dated back: Zuul refuses one from its future, and clocks differ."""
_LEAST: Final = 32
"""Bytes of a shared secret (RFC 7518, 3.2: as long as the hash)."""


def maker(settings: Any, secret: bytes) -> Callable[[datetime], str]:
    """What makes the header's value at a moment; `Broken` (code 2) when the secret cannot be one."""
    if not secret:
        what = {"HS256": "Zuul's shared secret", "RS256": "a private key (PEM)", "token": "a token"}[settings.auth]
        raise Broken(f"set secret_file (or secret_env) to {what}", code=2)
    if settings.auth == "token":
        if secret.split() != [secret] or not secret.isascii():
            raise Broken("the secret is not a token: it has white space or letters beyond ASCII", code=2)
        given = f"Bearer {secret.decode()}"
        return lambda now: given
    if settings.auth == "HS256" and len(secret) < _LEAST:
        raise Broken(f"the secret is shorter than {_LEAST} bytes; make one with: openssl rand -base64 48", code=2)

    def make(now: datetime) -> str:
        at = int(now.timestamp())
        claims: dict[str, Any] = {
            **settings.claims, "iss": settings.issuer, "aud": settings.audience, "sub": settings.user,
            "iat": at - _EARLY, "exp": at + settings.valid,
        }  # fmt: skip
        if settings.admin:
            claims["zuul"] = {"admin": [settings.tenant]}
        headers = {"kid": settings.key_id} if settings.key_id else None
        return "Bearer " + jwt.encode(claims, secret, algorithm=settings.auth, headers=headers)

    try:
        make(datetime.fromtimestamp(0))
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Broken(f"the secret is not a key for {settings.auth}; it needs a private key in PEM", code=2) from None
    return make
