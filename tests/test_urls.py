"""What of an address may be shown, and what is said of one that cannot work."""

from __future__ import annotations

import pytest

from firehose.urls import place, problem

SECRET = "SECRETTOKEN"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (f"https://hooks.example:8443/{SECRET}?key=1", "https://hooks.example:8443"),
        (f"https://me:{SECRET}@hooks.example", "https://hooks.example"),
        (f"https://hooks.example?key={SECRET}", "https://hooks.example"),
        (f"https://hooks.example#{SECRET}", "https://hooks.example"),
        (f"hooks.example/{SECRET}", "hooks.example"),
        (f"me:{SECRET}@hooks.example:25", "hooks.example:25"),
        (f"/{SECRET}", ""),
        (f"http://[::1/{SECRET}", "http://…"),
        (f"http://hooks.example:{SECRET}/x", "http://…"),
        ("http://hooks.example:99999/x", "http://…"),
        (f"tgram://12345:{SECRET}/7", "tgram://…"),
        (f"slack://{SECRET}/x", "slack://…"),
        (f"mqtt://me:{SECRET}@[2001:db8::1]:1883", "mqtt://[2001:db8::1]:1883"),
        ("", ""),
    ],
)
def test_only_the_place_is_shown(url: str, seen: str) -> None:
    assert place(url) == seen


@pytest.mark.parametrize(
    "url",
    ["", " ", f"hooks.example/{SECRET}", f"htp://hooks.example/{SECRET}", f"https:///{SECRET}",
     f"https://me@hooks.example/{SECRET}", f"https://me:{SECRET}@hooks.example", f"https://hooks.example:99999/{SECRET}",
     f"https://hooks.example:0/{SECRET}", f"https://hooks.example:x/{SECRET}", f"https://[::1/{SECRET}",
     f"https://hooks example/{SECRET}"],
)  # fmt: skip
def test_what_cannot_work_is_told_without_secrets(url: str) -> None:
    said = problem(url, ("http", "https"))
    assert said
    assert SECRET not in said


@pytest.mark.parametrize("url", ["https://hooks.example", "http://[::1]:8080/x", "https://bücher.example/x?y"])
def test_what_can_work(url: str) -> None:
    assert problem(url, ("http", "https")) == ""


def test_a_name_before_the_host_only_where_it_has_a_meaning() -> None:
    assert problem("amqp://me@mq.example/v", ("amqp", "amqps"), user=True) == ""
    assert "login" in problem("amqp://me:word@mq.example/v", ("amqp", "amqps"), user=True)
