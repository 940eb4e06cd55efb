"""No secret is kept of a line, and lines of one kind look alike."""

from __future__ import annotations

import time

import pytest

from firehose.fleet.logs.scrub import HIDDEN, Keys, mask, scrub

SECRET = "s3cr3tV4lue9"


@pytest.mark.parametrize(
    "line",
    [
        f"password={SECRET}",
        f"OS_PASSWORD='{SECRET} and more'",
        f'{{"admin_password": "{SECRET}", "user": "ada"}}',
        f"db_passwd: {SECRET}",
        f"Authorization: Bearer {SECRET}abc",
        f"authorization: Basic {SECRET}==",
        f"mysql://root:{SECRET}@db1/nova",
        f"amqp://u:{SECRET}@10.0.0.1:5672/",
        f"curl --password {SECRET} https://x.example",
        f"X-Auth-Token: {SECRET}",
        f"aws_secret_access_key = {SECRET}",
        f"Set-Cookie: session_id={SECRET}; Path=/",
        f"api_key => {SECRET}",
        f"my password is {SECRET}",
    ],
)
def test_a_secret_is_hidden(line: str) -> None:
    assert SECRET not in scrub(line)
    assert HIDDEN in scrub(line)


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "glpat-" + "x" * 20,
        "xoxb-123456789012-abcdef",
        "fht_" + "q" * 43,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "gAAAAABkZ" + "Q" * 30 + "==",
    ],
)
def test_a_token_is_known_by_its_form(token: str) -> None:
    assert scrub(f"got {token} from the vault") == f"got {HIDDEN} from the vault"


def test_an_address_goes_and_ordinary_lines_stay() -> None:
    assert "ada@" not in scrub("mail to ada@lumen.example bounced")
    for line in ("GET /v2/servers 200 0.123", "tokenised 5 rows", "user ada logged in", "see https://x.example/a?b=c"):
        assert scrub(line) == line


def test_a_private_key_over_many_lines_is_hidden_to_its_end() -> None:
    keys = Keys()
    lines = ["a -----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEA", "abc", "-----END RSA PRIVATE KEY-----", "after"]
    assert [keys.scrub(line) for line in lines] == [f"a {HIDDEN}", HIDDEN, HIDDEN, HIDDEN, "after"]


def test_lines_of_one_kind_have_one_mask() -> None:
    one = "2025-10-09 09:20:00.123 req-1b4e28ba-2fa1-11d2-883f-0016d3cca427 10.0.0.7:8080 took 12.5 ms, 0xdeadbeef"
    two = "2026-01-02 19:21:59.001 req-6fa459ea-ee8a-3ca4-894e-db77e160355e 10.9.0.1:80 took 9 ms, 0x1"
    assert mask(one) == mask(two) == "<time> req-<uuid> <ip> took <num> ms, <hex>"


@pytest.mark.parametrize(
    "text", ["a" * 65_000, "password=" * 7_000, "://" * 20_000, "-----BEGIN " * 6_000, "1.1" * 20_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    mask(scrub(text))
    # A pattern that goes back over a text of this length takes minutes.
    assert time.process_time() - began < 20
