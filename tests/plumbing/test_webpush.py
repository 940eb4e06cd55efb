"""Web push: only the subscribed browser can read it, the push service can tell who sends, and it fits RFC 8291."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import http_ece  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from firehose.errors import Broken, GiveUp
from firehose.plumbing.webpush import MOST, Subscription, Vapid, encrypt, raw, text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def private(number: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(number), "big"), ec.SECP256R1())


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def browser() -> tuple[ec.EllipticCurvePrivateKey, bytes, Subscription]:
    """A browser's private key, its secret, and what it gives away."""
    key, secret = ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes !!"
    return key, secret, Subscription("https://push.example/send/abc", text(point(key)), text(secret))


def test_the_example_of_the_standard() -> None:
    """RFC 8291, section 5 and appendix A."""
    subscription = Subscription(
        "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    body = encrypt(
        subscription, b"When I grow up, I want to be a watermelon",
        private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), raw("DGv6ra1nlYgDCS1FRnbzlw"),
    )  # fmt: skip
    assert text(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
        "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_an_independent_program_reads_it_with_the_browsers_key_and_no_other(tmp_path: Path) -> None:
    key, secret, subscription = browser()
    message = "Zoë merged “it”".encode()
    request = Vapid(tmp_path / "vapid.pem", "mailto:ops@example.org").request(subscription, message, NOW)
    assert http_ece.decrypt(request.body, private_key=key, auth_secret=secret, version="aes128gcm") == message
    assert message not in request.body
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises((InvalidTag, http_ece.ECEException)):
        http_ece.decrypt(request.body, private_key=other, auth_secret=secret, version="aes128gcm")


def test_the_push_service_can_check_who_sends(tmp_path: Path) -> None:
    vapid = Vapid(tmp_path / "keys" / "vapid.pem", "mailto:ops@example.org")
    _, _, subscription = browser()
    headers = vapid.request(subscription, b"x", NOW).headers
    scheme, _, rest = headers["authorization"].partition(" ")
    token, key = (part.partition("=")[2] for part in rest.split(", "))
    assert (scheme, key, headers["content-encoding"]) == ("vapid", vapid.public, "aes128gcm")
    signed, _, signature = token.rpartition(".")
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    assert claims == {
        "aud": "https://push.example",
        "exp": int(NOW.timestamp()) + 43_200,
        "sub": "mailto:ops@example.org",
    }
    both = raw(signature)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(key))
    public.verify(
        utils.encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big")), signed.encode(),
        ec.ECDSA(hashes.SHA256()),
    )  # fmt: skip


def test_the_key_is_kept_for_the_hub_alone_and_used_again(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "vapid.pem"
    first = Vapid(file, "mailto:a@example.org").public
    assert Vapid(file, "mailto:a@example.org").public == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("not a key")
    with pytest.raises(Broken):
        Vapid(file, "mailto:a@example.org")


def test_a_subscription_that_is_none_and_a_message_that_is_too_long_are_given_up(tmp_path: Path) -> None:
    vapid = Vapid(tmp_path / "vapid.pem", "mailto:a@example.org")
    _, _, subscription = browser()
    for wrong in (
        Subscription(subscription.endpoint, "AAAA", subscription.auth),
        Subscription(subscription.endpoint, "not base64!", subscription.auth),
        Subscription(subscription.endpoint, text(b"\x04" + bytes(64)), subscription.auth),
    ):
        with pytest.raises(GiveUp):
            vapid.request(wrong, b"x", NOW)
    with pytest.raises(GiveUp):
        vapid.request(subscription, bytes(MOST + 1), NOW)
