"""Webhooks are verified on raw bytes, fail closed, and each refusal names its cause without giving a secret away."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose import source
from firehose.errors import Refused
from firehose.intake.instance import Instance
from firehose.intake.webhook import MOST_SIGNATURES, Arrival, take
from firehose.source import Delivery, Scheme, SourceKind, WebhookSettings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NEW, OLD = b"correct-horse-battery", b"the-secret-before"
BODY = b'{"ok": true}'
SHA256 = Scheme("hmac-sha256", header="X-Hub-Signature-256", prefix="sha256=")
SHA1 = Scheme("hmac-sha1", header="X-Hub-Signature", prefix="sha1=")
TOKEN = Scheme("token", header="X-Gitlab-Token", query="token")
STANDARD = Scheme("standard")
BEARER = Scheme("bearer")


def instance(
    *schemes: Scheme, secrets: tuple[bytes, ...] = (NEW, OLD), open_: bool = False, media: tuple[str, ...] = ()
) -> Instance:
    kind = SourceKind(
        name="tested",
        title="Tested",
        family="hub",
        settings=WebhookSettings,
        read=lambda _delivery, _settings: [],
        kinds={},
        schemes=schemes,
        media=media,
    )
    return Instance("one", kind, WebhookSettings(kind="tested", open=open_), secrets)


def arrive(
    to: Instance,
    headers: dict[str, str] | None = None,
    *,
    body: bytes = BODY,
    query: str = "",
    name: str = "one",
    holds: Callable[[str, str], bool] = lambda _token, _scope: False,
) -> Delivery:
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in (headers or {}).items()]
    return take(name, {"one": to}, Arrival(raw, body, NOW, query), holds)


def refused(to: Instance, headers: dict[str, str] | None = None, **more: object) -> Refused:
    with pytest.raises(Refused) as problem:
        arrive(to, headers, **more)  # type: ignore[arg-type]
    assert NEW.decode() not in problem.value.detail
    assert OLD.decode() not in problem.value.detail
    return problem.value


def sign(body: bytes = BODY, secret: bytes = NEW) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def standard(body: bytes = BODY, key: bytes = NEW, *, at: datetime = NOW, id_: str = "msg_1") -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signed = f"{id_}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def test_a_signed_delivery_is_taken_and_its_proof_is_not_kept() -> None:
    taken = arrive(
        instance(SHA256), {"X-Hub-Signature-256": sign(), "X-GitHub-Event": "ping", "Authorization": "Basic x"}
    )
    assert (taken.body, taken.source, taken.received) == (BODY, "one", NOW)
    assert taken.headers == {"x-github-event": "ping"}


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_old_and_new_secret_overlap(secret: bytes) -> None:
    assert arrive(instance(SHA256), {"x-hub-signature-256": sign(secret=secret)}).body == BODY
    assert arrive(instance(TOKEN), {"x-gitlab-token": secret.decode()}).body == BODY
    assert arrive(instance(STANDARD), standard(key=secret)).body == BODY


@pytest.mark.parametrize(
    ("signature", "slug"),
    [
        (sign(secret=b"wrong"), "bad-signature"),
        (sign(body=b"{}"), "bad-signature"),
        (sign().removeprefix("sha256="), "bad-signature"),
        (sign()[:-1], "bad-signature"),
        ("sha256=", "bad-signature"),
        ("sha1=" + sign(), "bad-signature"),
        (sign() + ", " + sign(), "bad-signature"),
        ("sha256=\xff\xfe", "bad-signature"),
    ],
)
def test_a_signature_that_does_not_fit_is_403(signature: str, slug: str) -> None:
    problem = refused(instance(SHA256), {"x-hub-signature-256": signature})
    assert (problem.status, problem.slug) == (403, slug)
    assert "X-Hub-Signature-256" in problem.detail


def test_no_signature_is_401_and_says_which_is_wanted() -> None:
    problem = refused(instance(SHA256, TOKEN))
    assert (problem.status, problem.slug) == (401, "no-signature")
    assert "X-Hub-Signature-256" in problem.detail
    assert "X-Gitlab-Token" in problem.detail


def test_verification_comes_before_parsing() -> None:
    assert refused(instance(SHA256), body=b"not json", name="one").slug == "no-signature"
    assert refused(instance(SHA256), {"content-type": "text/plain"}).slug == "no-signature"
    assert refused(instance(SHA256), {"content-type": "application/x-www-form-urlencoded"}, body=b"%").status == 401


def test_every_proof_that_is_carried_must_hold() -> None:
    both = {"x-hub-signature-256": sign(), "x-hub-signature": "sha1=" + "0" * 40}
    assert refused(instance(SHA256, SHA1), both).slug == "bad-signature"
    both["x-hub-signature"] = "sha1=" + hmac.new(NEW, BODY, hashlib.sha1).hexdigest()
    assert arrive(instance(SHA256, SHA1), both).body == BODY


def test_a_source_without_a_secret_takes_nothing() -> None:
    problem = refused(instance(SHA256, secrets=()), {"x-hub-signature-256": sign(secret=b"")})
    assert (problem.status, problem.slug) == (403, "no-secret")
    assert "secret_file" in problem.detail
    assert refused(instance(TOKEN, secrets=(b"",)), {"x-gitlab-token": "x"}).slug == "no-secret"


def test_open_must_be_spelled_out_and_still_checks_what_it_can() -> None:
    assert refused(instance(SHA256, secrets=())).status == 401
    assert arrive(instance(SHA256, secrets=(), open_=True)).body == BODY
    assert arrive(instance(SHA256, secrets=(), open_=True), {"x-hub-signature-256": "sha256=1"}).body == BODY
    assert refused(instance(SHA256, open_=True), {"x-hub-signature-256": "sha256=1"}).slug == "bad-signature"


def test_a_token_may_come_in_the_url_and_is_not_kept() -> None:
    taken = arrive(instance(TOKEN), query=urlencode({"a": "b", "token": NEW.decode()}))
    assert "token" not in repr(taken.headers)
    assert refused(instance(TOKEN), query="token=wrong").slug == "bad-signature"
    assert refused(instance(TOKEN), query="token=" + NEW.decode() + "&x" * 100).status == 401


def test_standard_webhooks_with_several_signatures_and_a_base64_key() -> None:
    key = b"\x00\x01\x02 twenty-four bytes ok"
    secret = b"whsec_" + base64.b64encode(key)
    headers = standard(key=key)
    headers["webhook-signature"] = "v1a,AAAA v1,AAAA " + headers["webhook-signature"]
    assert arrive(instance(STANDARD, secrets=(secret,)), headers).headers["webhook-id"] == "msg_1"
    headers["webhook-signature"] = "v1,AAAA " * MOST_SIGNATURES + standard(key=key)["webhook-signature"]
    assert refused(instance(STANDARD, secrets=(secret,)), headers).slug == "bad-signature"


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_stale_timestamp_is_refused_even_when_signed(seconds: int) -> None:
    problem = refused(instance(STANDARD), standard(at=NOW + timedelta(seconds=seconds)))
    assert (problem.status, problem.slug) == (403, "stale-timestamp")
    assert arrive(instance(STANDARD), standard(at=NOW + timedelta(seconds=299))).body == BODY


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "9" * 40, "١٢"])
def test_a_timestamp_that_is_none_is_a_bad_signature(stamp: str) -> None:
    headers = {
        key: value if key != "webhook-timestamp" else stamp.encode().decode("latin-1")
        for key, value in standard().items()
    }
    assert refused(instance(STANDARD), headers).slug == "bad-signature"


def test_a_hub_token_needs_the_scope_of_this_source() -> None:
    def holds(token: str, scope: str) -> bool:
        return (token, scope) == ("fh_1", "publish:one")

    assert arrive(instance(BEARER), {"Authorization": "bearer fh_1"}, holds=holds).headers == {}
    problem = refused(instance(BEARER), {"Authorization": "Bearer fh_2"}, holds=holds)
    assert (problem.status, problem.slug) == (403, "bad-token")
    assert "--scope publish:one" in problem.detail
    assert "fh_2" not in problem.detail
    assert refused(instance(BEARER), {"Authorization": "Basic fh_1"}, holds=holds).status == 401


def test_unknown_source_and_source_without_webhooks_are_404() -> None:
    assert (refused(instance(SHA256), name="two").status, refused(instance()).status) == (404, 404)


def test_an_oversized_body_is_413_and_names_the_limit() -> None:
    body = b" " * (source.MAX_BODY + 1)
    problem = refused(instance(SHA256), {"x-hub-signature-256": sign(body)}, body=body)
    assert (problem.status, problem.slug) == (413, "too-large")
    assert "1,048,576" in problem.detail


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        ("application/json", True),
        ("application/json; charset=UTF-8", True),
        ("application/cloudevents+json", True),
        ('application/json; charset="utf-8"; x=1', True),
        ("text/plain", False),
        ("application/xml", False),
        ("application/json; charset=latin-1", False),
        ("multipart/form-data; boundary=x", False),
    ],
)
def test_content_types(content: str, fits: bool) -> None:
    headers = {"x-hub-signature-256": sign(), "content-type": content}
    if fits:
        assert arrive(instance(SHA256), headers).body == BODY
    else:
        assert (refused(instance(SHA256), headers).status, refused(instance(SHA256), headers).slug) == (
            415,
            "bad-content-type",
        )
    assert arrive(instance(SHA256, media=("*/*",)), headers).body == BODY


def test_a_compressed_body_is_415() -> None:
    headers = {"x-hub-signature-256": sign(), "content-encoding": "gzip"}
    assert refused(instance(SHA256), headers).slug == "bad-content-encoding"


def test_a_forms_payload_is_unwrapped_after_its_signature_was_checked() -> None:
    body = urlencode({"payload": BODY.decode()}).encode()
    headers = {"x-hub-signature-256": sign(body), "content-type": "application/x-www-form-urlencoded"}
    taken = arrive(instance(SHA256), headers, body=body)
    assert taken.body == BODY
    assert taken.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [b"", b"payload", b"other=1", b"payload=1&payload=2", b"x=1&" * 40 + b"payload=1"])
def test_a_form_without_one_payload_is_400(body: bytes) -> None:
    headers = {"x-hub-signature-256": sign(body), "content-type": "application/x-www-form-urlencoded"}
    problem = refused(instance(SHA256), headers, body=body)
    assert (problem.status, problem.slug, problem.field) == (400, "bad-form", "payload")


TEXT = st.text(st.characters(max_codepoint=255), max_size=40)
NAMES = st.sampled_from(
    ["x-hub-signature-256", "x-hub-signature", "x-gitlab-token", "webhook-signature", "webhook-id", "webhook-timestamp",
     "authorization", "content-type", "content-encoding"]
)  # fmt: skip


@given(headers=st.dictionaries(NAMES, TEXT), body=st.binary(max_size=60), query=st.text(max_size=60))
def test_whatever_arrives_unproven_is_refused_and_never_crashes(
    headers: dict[str, str], body: bytes, query: str
) -> None:
    all_schemes = instance(SHA256, SHA1, TOKEN, STANDARD, BEARER)
    problem = refused(all_schemes, headers, body=body, query=query)
    assert problem.status in (401, 403)


@pytest.mark.parametrize(
    ("query", "status"), [("token=right", 0), ("a=b&token=right", 0), ("token=wrong", 403), ("token=", 401), ("", 401)]
)
def test_gerrits_webhooks_plugin_carries_its_token_in_the_url(query: str, status: int) -> None:
    gerrit = source.load("gerrit")
    settings = gerrit.settings(kind="gerrit", url="https://review.example.org")
    instances = {"gerrit": Instance("gerrit", gerrit, settings, (b"right",))}
    arrival = Arrival([(b"content-type", b"application/json")], b'{"type":"x"}', NOW, query)
    if not status:
        assert take("gerrit", instances, arrival, lambda token, scope: False).body == b'{"type":"x"}'
        return
    with pytest.raises(Refused) as refused:
        take("gerrit", instances, arrival, lambda token, scope: False)
    assert refused.value.status == status
    assert "right" not in refused.value.detail
