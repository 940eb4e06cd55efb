"""What is taken out of an event, and what only looks like an address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firehose.event import Event
from firehose.intake.redact import REMOVED, redact, scrub_place, scrub_text

ARCHIVE = "https://lists.example.org/archives/list/devel@lists.example.org/message/S3PH/"


def event(**more: object) -> Event:
    given: dict[str, object] = {
        "id": "1", "source": "s", "type": "t", "kind": "a.b", "subject": "x", "time": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Event(**{**given, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "package/pypi/atlas@2.1.0.post1", "package/pypi/atlas@2.1.dev3", "package/rubygems/rails@7.0.0.rc1",
        "package/crates/atlas@1.0.0-rc.ab", "package/oci/lumen/atlas@2.post1", "package/maven/org.x:y@5.4.2.Final",
        "lumen/atlas@refs/heads/main",
    ],
)  # fmt: skip
def test_a_version_is_no_address(name: str) -> None:
    assert scrub_place(name) == scrub_text(name) == name


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "ada.b+c@163.com",
        "a@1und1.de",
        "legit@example.org",
        "ada@2.x.example.org",
        "ada@1984.dev",
        "ada@365.1und1.de",
        "ada@12.post",
        "ada@7.ga",
        "j\xfc@b\xfccher.example",
    ],
)
def test_an_address_is_one(address: str) -> None:
    assert scrub_text(f"by {address}, now") == f"by {REMOVED}, now"


def test_the_user_of_a_clone_address_is_nobody() -> None:
    assert scrub_text("git@github.com:a/b ssh://git@host.example/c") == "git@github.com:a/b ssh://git@host.example/c"


def test_the_archive_of_a_list_stays_a_link() -> None:
    clean = ARCHIVE.replace("@", "%40")
    found = redact(event(link=ARCHIVE, subject=f"article/{ARCHIVE}"), addresses=True)
    assert (found.link, found.subject) == (clean, f"article/{clean}")


def test_a_link_keeps_its_host_and_refs_say_what_the_subject_says() -> None:
    found = redact(
        event(link="https://x.example/?who=ada@example.org", subject="user/ada@example.org",
              refs=("user/ada@example.org", "lumen/atlas#12")),
        addresses=True,
    )  # fmt: skip
    assert found.link == f"https://x.example/{REMOVED}"
    assert found.subject == f"user/{REMOVED}"
    assert found.refs == (f"user/{REMOVED}", "lumen/atlas#12")
