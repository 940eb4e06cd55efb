"""An event's bytes: one line on every way out, the payload otherwise as it came."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose.event import Event, Recorded, encode

NOW = datetime(2016, 10, 27, 14, 0, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def recorded(data: bytes, kind: str = "application/json") -> Recorded:
    event = Event(
        id="1", source="urn:x", type="t", kind="a.b", subject="s", time=NOW, data=data, datacontenttype=kind, text="w"
    )
    return Recorded(7, NOW, encode("x", event))


@given(VALUES, st.sampled_from([None, 1, "\t"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_payload_of_many_lines_becomes_one_line_with_the_same_value(value: object, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    event = recorded(text.replace("\n", "\r\n").encode())
    assert b"\n" not in event.json
    assert b"\r" not in event.json
    assert json.loads(event.json)["data"] == value


@pytest.mark.parametrize("data", [b'{"a": 1.50,  "b": 1E5}', b'{"n":123456789012345678901234567890}', b'"\xc3\xa9"'])
def test_a_payload_of_one_line_stays_byte_for_byte(data: bytes) -> None:
    assert recorded(data).raw == data


def test_numbers_keep_their_digits() -> None:
    assert recorded(b'{\n"n": 1.50}').raw == b'{"n":1.50}'


@pytest.mark.parametrize(("data", "kind"), [(b"a\nb", "text/plain"), (b"\xff\n", "application/x-thing")])
def test_other_payloads_come_back_as_they_were(data: bytes, kind: str) -> None:
    event = recorded(data, kind)
    assert event.raw == data
    assert b"\n" not in event.json


def test_the_private_line_is_not_in_what_readers_get() -> None:
    event = recorded(b"{}")
    assert event.private.text == "w"
    assert b'"text"' not in event.json
