"""Webhooks: a request with its raw body becomes a verified `Delivery`, or is `Refused` with the cause and next step.

In: the source's name from the path, raw headers, raw query, raw body, and the instance with its secrets. Out: a
delivery whose headers no longer hold what proved it. Verification works on the raw bytes, in constant time, and comes
before anything is parsed. It knows no HTTP library and no payload, and it fails closed: a source without a secret
takes nothing, unless the operator wrote `open = true`. The statuses are listed at `take`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs

from firehose.errors import Refused
from firehose.intake.instance import Instance
from firehose.intake.judge import too_large
from firehose.source import MAX_BODY, Delivery, Scheme

TOLERANCE: Final = 300.0
"""How far a Standard Webhooks timestamp may be from our clock, in seconds, either way."""

MOST_SIGNATURES: Final = 8
"""How many signatures of one delivery are tried: enough for every rotation, too few to be a burden."""

Holds = Callable[[str, str], bool]
"""Whether a hub token has a scope: `holds(token, "publish:github")`."""

_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-gitlab-token", "webhook-signature", "x-hub-signature",
     "x-hub-signature-256"}
)  # fmt: skip
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A POST as the server read it. `headers` in any case, `query` without the `?`, `received` by our clock."""

    headers: Iterable[tuple[bytes, bytes]]
    body: bytes
    received: datetime
    query: str = ""


def take(name: str, instances: Mapping[str, Instance], arrival: Arrival, holds: Holds) -> Delivery:
    """The delivery that an arrival for `/in/<name>` is; `Refused` otherwise.

    404 `unknown-source`; 413 `too-large`; 401 `no-signature` (nothing that proves the sender); 403 `bad-signature`,
    `bad-token`, `stale-timestamp`, or `no-secret` (ours is missing); 415 `bad-content-type`, `bad-content-encoding`;
    400 `bad-form`. A delivery that was sent twice is not refused here: the gate answers it as a duplicate.
    """
    instance = instances.get(name)
    if instance is None or not (instance.kind.schemes or _is_open(instance)):
        what = "there is no source" if instance is None else "no webhooks are taken for"
        raise Refused(f"{what} {name!r}; check the last part of the URL", slug="unknown-source", status=404)
    if len(arrival.body) > MAX_BODY:
        raise too_large(len(arrival.body))
    headers = plain_headers(arrival.headers)
    verify(instance, arrival, headers, holds)
    return Delivery(
        source=name,
        body=_content(instance, headers, arrival.body),
        received=arrival.received,
        headers=without_proof(instance, headers),
    )


def plain_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; a repeated one is joined with commas, as RFC 9110 (5.3) reads it."""
    found: dict[str, str] = {}
    for key, value in raw:
        name, text = str(key, "latin-1").lower(), str(value, "latin-1").strip()
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def without_proof(instance: Instance, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without everything that proves a sender: deliveries are kept, credentials are not."""
    proof = _proof(tuple(instance.kind.schemes))
    return {name: value for name, value in headers.items() if name not in proof}


@lru_cache(maxsize=256)
def _proof(schemes: tuple[Scheme, ...]) -> frozenset[str]:
    """The names of headers that prove a sender."""
    return _CREDENTIALS | {scheme.header.lower() for scheme in schemes if scheme.header}


def verify(instance: Instance, arrival: Arrival, headers: Mapping[str, str], holds: Holds) -> None:
    """Every proof that the request carries must hold, and there must be one unless the source is open."""
    proven = False
    for scheme in instance.kind.schemes:
        given = _given(scheme, headers, arrival.query)
        if not given or (_is_open(instance) and not instance.secrets and scheme.check != "bearer"):
            continue
        match scheme.check:
            case "hmac-sha256" | "hmac-sha1":
                _check_hmac(scheme, given, arrival.body, _secrets(instance))
            case "token":
                _check_token(scheme, given, _secrets(instance))
            case "standard":
                _check_standard(given, headers, arrival, _secrets(instance))
            case "bearer":
                _check_bearer(instance, given, holds)
            case other:
                raise Refused(f"the scheme {other!r} is not known to this hub", slug="no-secret", status=403)
        proven = True
    if not proven and not _is_open(instance):
        raise Refused(_wanted(instance), slug="no-signature", status=401)


def _given(scheme: Scheme, headers: Mapping[str, str], query: str) -> str:
    """What a request carries for a scheme, "" if nothing."""
    if scheme.check == "bearer":
        kind, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""
    if scheme.check == "standard":
        return headers.get("webhook-signature", "")
    found = headers.get(scheme.header.lower(), "") if scheme.header else ""
    if not found and scheme.query and query:
        found = parse_qs(query, max_num_fields=50).get(scheme.query, [""])[0] if query.count("&") < 50 else ""
    return found


def _check_hmac(scheme: Scheme, given: str, body: bytes, secrets: tuple[bytes, ...]) -> None:
    digest = hashlib.sha1 if scheme.check == "hmac-sha1" else hashlib.sha256
    sent = given.removeprefix(scheme.prefix).lower().encode("latin-1", "replace")
    wanted = [hmac.new(secret, body, digest).hexdigest().encode() for secret in secrets]
    if not given.startswith(scheme.prefix) or not _any_equal(sent, wanted):
        raise Refused(
            f"{scheme.header} does not fit the body and this hub's secret; enter the same secret at the sender, and "
            f"let no proxy on the way rewrite the body",
            slug="bad-signature",
            status=403,
        )


def _check_token(scheme: Scheme, given: str, secrets: tuple[bytes, ...]) -> None:
    if not _any_equal(given.encode("latin-1", "replace"), secrets):
        place = scheme.header or f"the URL parameter {scheme.query!r}"
        raise Refused(
            f"{place} is not this source's secret token; enter the content of its secret_file at the sender",
            slug="bad-signature",
            status=403,
        )


def _check_standard(given: str, headers: Mapping[str, str], arrival: Arrival, secrets: tuple[bytes, ...]) -> None:
    """Standard Webhooks: a list of `v1,<base64>` over `id.timestamp.body`; one that fits is enough (rotation)."""
    # Weblate sends a fraction of a second in the header, and signs the whole seconds.
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "").partition(".")[0]
    if not id_ or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        raise Refused(
            "webhook-id and webhook-timestamp (seconds since 1970) must come with webhook-signature",
            slug="bad-signature",
            status=403,
        )
    signed = b"%b.%b.%b" % (id_.encode("latin-1"), stamp.encode(), arrival.body)
    wanted = [base64.b64encode(hmac.new(_standard_key(key), signed, hashlib.sha256).digest()) for key in secrets]
    parts = given.replace(", ", " ").split()[:MOST_SIGNATURES]
    sent = [part.removeprefix("v1,").encode("latin-1", "replace") for part in parts if part.startswith("v1,")]
    if not sum(_any_equal(each, wanted) for each in sent):
        raise Refused(
            "no signature in webhook-signature fits the body and this hub's secret; enter the same one at the sender",
            slug="bad-signature",
            status=403,
        )
    if abs(arrival.received.timestamp() - int(stamp)) > TOLERANCE:
        raise Refused(
            f"webhook-timestamp is more than {TOLERANCE:.0f} s from this hub's clock; sign each attempt anew, and set "
            f"both clocks by NTP",
            slug="stale-timestamp",
            status=403,
        )


def _standard_key(secret: bytes) -> bytes:
    if not secret.startswith(b"whsec_"):
        return secret
    try:
        return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return secret


def _check_bearer(instance: Instance, token: str, holds: Holds) -> None:
    scope = f"publish:{instance.name}"
    if not holds(token, scope):
        raise Refused(
            f"the token is not valid here; it needs the scope {scope!r}: firehose token create --scope {scope}",
            slug="bad-token",
            status=403,
        )


def _any_equal(sent: bytes, wanted: Iterable[bytes]) -> bool:
    # Each one is compared, in constant time, so that the time tells neither which one fits nor how far.
    return sum(hmac.compare_digest(sent, each) for each in wanted) > 0


def _secrets(instance: Instance) -> tuple[bytes, ...]:
    found = tuple(secret for secret in instance.secrets if secret)
    if not found:
        raise Refused(
            f"this hub has no secret for {instance.name!r}, so it can prove nothing; its operator sets secret_file in "
            f"[sources.{instance.name}]",
            slug="no-secret",
            status=403,
        )
    return found


def _is_open(instance: Instance) -> bool:
    return getattr(instance.settings, "open", False) is True


def _wanted(instance: Instance) -> str:
    """What a request without any proof is told."""
    ways = {
        "hmac-sha256": "{} (HMAC SHA-256 of the body)",
        "hmac-sha1": "{} (HMAC SHA-1 of the body)",
        "token": "{} (the secret token)",
        "standard": "webhook-signature (Standard Webhooks)",
        "bearer": "Authorization: Bearer (a hub token with scope publish:" + instance.name + ")",
    }
    schemes = [scheme for scheme in instance.kind.schemes if scheme.check in ways]
    asked = " or ".join(ways[s.check].format(s.header or f"the URL parameter {s.query!r}") for s in schemes)
    return (
        f"nothing proves who sent this; {instance.kind.title} deliveries carry {asked or 'a signature'}: "
        f"enter the secret at the sender"
    )


def _content(instance: Instance, headers: dict[str, str], body: bytes) -> bytes:
    """The JSON (or whatever the source takes) that a verified body holds; a form's `payload` is unwrapped."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("", "identity"):
        raise Refused(
            f"the body is encoded as {encoding[:40]!r}; send it without Content-Encoding",
            slug="bad-content-encoding",
            status=415,
        )
    if instance.kind.any_media and instance.kind.any_media(headers):
        return body
    media, _, parameters = headers.get("content-type", "application/json").partition(";")
    media = media.strip().lower()
    if "*/*" in instance.kind.media or media in instance.kind.media:
        return body
    if media == _FORM:
        headers["content-type"] = "application/json"
        return _form_payload(body)
    charset = parameters.lower().partition("charset=")[2].split(";")[0].strip(' "')
    is_json = media == "application/json" or media.endswith("+json")
    if not is_json or charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Refused(
            f"the content type is {headers.get('content-type', '')[:80]!r}; send application/json in UTF-8",
            slug="bad-content-type",
            status=415,
        )
    return body


def _form_payload(body: bytes) -> bytes:
    try:
        found = parse_qs(body, strict_parsing=True, max_num_fields=20).get(b"payload", [])
    except ValueError:
        found = []
    if len(found) != 1:
        raise Refused(
            "a form must have exactly one field 'payload' with the JSON text; better choose application/json",
            slug="bad-form",
            status=400,
            field="payload",
        )
    return found[0]
