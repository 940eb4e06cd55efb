"""The predicate over real recorded events: a table of queries with yes or no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from firehose.event import Recorded
from firehose.query.match import glob, predicate
from firehose.query.parse import parse

Make = Callable[..., Recorded]
NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)


YES = """
source:gerrit
source:https://review.opendev.org
source:ger*
source:https://*
kind:change.merged
kind:(change.created OR change.merged)
kind:*.merged
type:com.gerritcodereview.*
project:openstack/*
project:o*/n*a
project:openstack/nov?
-actor:zuul
actor:*
outcome:failure
severity:warning
severity:>=warning
severity:[notice TO error]
-severity:>warning
subject:openstack/nova~12345
subject:openstack/nova~*
refs:story/2000643
refs:buildset/*
refs:*
link:https://review.opendev.org/12345?x=(1)
id:d-1
topic:events/+/change/merged/#
topic:events/gerrit/#
topic:#
topic:events/gerrit/change/merged/openstack/nova
topic:events/gerrit/change/merged/openstack/nova/#
seq:42
sequence:[42 TO 42]
sequence:{41 TO 43}
"live migration"
live MIGRATION
migr*
"before live"
FÖHN
hidden
okonkwo
openstack/nova
nova~12345
summary:"config drive"
summary:conf*
summary:*drive*
-summary:hidden
time:2016-10-26
time:[2016-10-25 TO 2016-10-26]
time:>2016-10-25
since:7d
data.change.branch:stable/*
data.change.branch:stable/newton
data.change.number:12345
data.change.number:>=12345
data.change.number:[1 TO 99999]
data.n:>9
data.f:1.5
data.change.wip:false
data.none:null
data.files.path:b.py
data.files.1.path:b.py
-data.files.0.path:b.py
data.labels:y
data.labels.0:x
data.big:123456789012345678901234567890
data.change.branch:*
-data.change.missing:*
-data.change:*
actor:(a OR okonkwo)
nothing OR hidden
(nothing OR hidden) -zuul
-(nothing AND hidden)
""".strip().splitlines()

NO = """
source:git
kind:change
kind:Change.Merged
project:openstack
project:nova
project:openstack/nov
actor:""
severity:<warning
outcome:*cess
subject:openstack/nova~1234
refs:story/200064
refs:""
topic:events/gerrit/change/created/#
topic:events/+/change/merged
topic:$meta/#
seq:43
sequence:{42 TO 43}
"migration live"
igration
"live migra"
summary:hidden
summary:*Drive*
time:2016-10-27
time:<2016-10-26T10:00:00Z
until:2016-10-26
since:latest
data.change.branch:newton
data.n:>17
data.change.wip:>0
data.none:>0
data.missing:""
data.missing:*
data.labels.7:*
-hidden
nothing hidden
""".strip().splitlines()


@pytest.mark.parametrize("query", YES)
def test_finds(query: str, recorded: Make) -> None:
    assert predicate(parse(query, NOW))(recorded())


@pytest.mark.parametrize("query", NO)
def test_passes_over(query: str, recorded: Make) -> None:
    assert not predicate(parse(query, NOW))(recorded())


def test_an_event_without_refs_has_none(recorded: Make) -> None:
    bare = recorded(refs=())
    assert predicate(parse('refs:""', NOW))(bare)
    assert not predicate(parse("refs:*", NOW))(bare)


@pytest.mark.parametrize("data", [b"not json", b"[" * 5_000 + b"]" * 5_000, b"7", b"[[1]]"])
def test_a_payload_that_cannot_be_read_has_no_fields(data: bytes, recorded: Make) -> None:
    kind = "application/json" if data[:1] in b"7[" and len(data) < 10 else "text/plain"
    assert not predicate(parse("data.x:*", NOW))(recorded(data=data, datacontenttype=kind))


def test_binary_payloads_have_no_fields(recorded: Make) -> None:
    assert not predicate(parse("data.x:*", NOW))(recorded(data=b"\xff\xfe", datacontenttype="application/x"))


def test_the_payload_is_not_decoded_when_nobody_asks(recorded: Make) -> None:
    event = recorded()
    predicate(parse("data.change.branch:* kind:other", NOW))(event)
    assert "data" not in event.__dict__


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a*b*c", "a--b--c", True),
        ("a*b*c", "a--c--b", False),
        ("a?c", "a\nc", True),
        ("a?c", "ac", False),
        ("?", "💧", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        (r"*\?*", "what? no", True),
        (r"a\\*", "a\\b", True),
        ("*.(x)+", "y.(x)+", True),
    ],
)
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    assert glob(pattern)(text) is fits


def test_patterns_are_linear() -> None:
    # A backtracking matcher would need about 10**20 steps here.
    assert not glob("*a" * 20 + "*b")("a" * 50_000)
