"""What lines say in the form of each sender, byte by byte as their programs write them; broken ones are lines, too."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.errors import Refused
from firehose.fleet.logs import journal, shapes, syslog
from firehose.fleet.logs.line import Line


def read(body: bytes, media: str = "application/json") -> list[Line]:
    lines, _ = shapes.read(body, media)
    return [line.finished() for line in lines]


def told(line: Line) -> tuple[str, str, float, str, str]:
    return line.text, line.severity, line.time, line.host, line.unit


MOMENT = 1_760_001_600.5
STAMP = "2025-10-09T09:20:00.500Z"


def test_logstash_in_its_own_and_in_elastics_common_form() -> None:
    own = {"@timestamp": STAMP, "@version": "1", "message": "disk is full", "host": "db1", "loglevel": "ERROR"}
    common = {
        "@timestamp": STAMP, "message": "disk is full", "host": {"name": "db1"}, "log": {"level": "warn"},
        "service": {"name": "api"},
    }  # fmt: skip
    assert told(read(json.dumps(own).encode())[0]) == ("disk is full", "error", MOMENT, "db1", "")
    assert told(read(json.dumps([own, common]).encode())[1]) == ("disk is full", "warning", MOMENT, "db1", "api")


def test_logstash_of_a_build_and_of_the_years_before() -> None:
    line = {
        "@timestamp": STAMP, "@message": "FAILED", "@fields": {
            "build_uuid": "b7e1", "filename": "console.html", "project": "lumen/atlas", "build_status": "FAILURE",
            "build_change": "4711", "log_url": "https://logs.lumen.example/b7e1/console.html",
        },
    }  # fmt: skip
    file = read(json.dumps(line).encode())[0].file
    assert file is not None
    assert (file.build, file.name, file.project, file.outcome, file.change) == (
        "b7e1", "console.html", "lumen/atlas", "failure", "4711",
    )  # fmt: skip


def test_vector_one_a_line() -> None:
    row = {"appname": "nginx", "host": "web1", "message": "gone", "severity": "crit", "timestamp": STAMP}
    assert [told(line) for line in read(json.dumps(row).encode() + b"\n" + json.dumps(row).encode() + b"\n")] == [
        ("gone", "error", MOMENT, "web1", "nginx")
    ] * 2


def test_fluent_bit_with_its_date_and_without_anything_between_objects() -> None:
    row = json.dumps({"date": MOMENT, "log": "gone\n", "stream": "stderr"}).encode()
    assert [told(line) for line in read(row + row + row)] == [("gone", "info", MOMENT, "", "")] * 3
    with pytest.raises(Refused) as refused:
        read(b"\x93\x01", "application/msgpack")
    assert "format json_lines" in refused.value.detail


def test_journald_as_json_with_bytes_that_are_no_text() -> None:
    row = {
        "__REALTIME_TIMESTAMP": "1760001600500000", "MESSAGE": "failed", "PRIORITY": "3", "_HOSTNAME": "db1",
        "SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "init.scope",
    }  # fmt: skip
    assert told(read(json.dumps(row).encode())[0]) == ("failed", "error", MOMENT, "db1", "systemd")
    row["MESSAGE"] = [255, 102, 97]  # type: ignore[assignment]
    assert read(json.dumps(row).encode())[0].text == "\ufffdfa"


def test_a_record_without_a_message_is_all_of_it() -> None:
    assert read(b'{"cpu": 3, "tags": ["a"]}')[0].text == '{"cpu":3,"tags":["a"]}'


def test_what_is_no_record_is_a_line_of_its_own_and_is_told() -> None:
    body = b'{"message":"a"}\n{"message": cut\n\xff\xfe\n{"message":"b"}{"mess'
    lines, broken = shapes.read(body, "application/json")
    assert [line.text for line in lines] == ["a", '{"message": cut', "\ufffd\ufffd", "b", '{"mess']
    assert broken == 3
    assert [line.whole for line in lines] == [True, False, False, True, False]


FIELDS = st.sampled_from(["message", "level", "log", "host", "@timestamp", "@fields", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists, max_leaves=3
)


@given(st.lists(st.dictionaries(FIELDS, VALUES), max_size=5))
def test_any_records_are_as_many_lines(rows: list[dict[str, object]]) -> None:
    bodies = [json.dumps(row) for row in rows]
    assert len(read("\n".join(bodies).encode())) == len(bodies)
    assert len(read(f"[{','.join(bodies)}]".encode())) == len(bodies)


FRAME = (
    b'<165>1 2025-10-09T09:20:00.5Z db1 app 88 ID47 [ex@32473 iut="3" text="a\\"]b"][more@1] '
    b"\xef\xbb\xbfit is f\xc3\xbcll\n"
)


def test_rfc_5424_with_structured_data_and_a_byte_order_mark() -> None:
    line = syslog.read(FRAME)
    assert told(line) == ("it is füll", "notice", MOMENT, "db1", "app")
    assert line.size == len(FRAME)
    assert told(syslog.read(b"<34>1 - - - - - -")) == ("", "error", 0.0, "", "")


def test_the_form_before_it_and_what_is_neither() -> None:
    line = syslog.read(b"<13>Oct  9 09:20:00 db1 su[42]: no such user")
    assert told(line) == ("no such user", "notice", 0.0, "db1", "su")
    assert not syslog.read(b"hello").whole
    assert not syslog.read(b"<999>1 - - - - - - x").whole


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.booleans()),
                max_size=8), st.integers(1, 40))  # fmt: skip
def test_frames_come_out_however_they_are_cut(parts: list[tuple[bytes, bool]], cut: int) -> None:
    wanted, stream = [], b""
    for text, counted in parts:
        body = b"<13>" + text.replace(b"\n", b" ").replace(b"\0", b" ")
        wanted.append(body)
        stream += b"%d %b" % (len(body), body) if counted else body + b"\n"
    frames = syslog.Frames()
    found = [frame for at in range(0, len(stream), cut) for frame in frames.feed(stream[at : at + cut])]
    assert (found, frames.end(), frames.problem) == (wanted, b"", None)


def test_a_length_that_cannot_be_ends_the_connection_but_what_came_before_counts() -> None:
    frames = syslog.Frames()
    assert frames.feed(b"5 <13>a99999999 x") == [b"<13>a"]
    assert frames.problem is not None
    assert frames.end() == b"99999999 x"


def entry(message: bytes, binary: bool = False) -> bytes:
    text = b"MESSAGE\n" + len(message).to_bytes(8, "little") + message if binary else b"MESSAGE=" + message
    return (
        b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1760001600500000\n_HOSTNAME=db1\nPRIORITY=4\n" + text
        + b"\nSYSLOG_IDENTIFIER=app\nANYTHING=else\n\n"
    )  # fmt: skip


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=6), st.integers(1, 300))
def test_journal_entries_come_out_however_they_are_cut(parts: list[tuple[bytes, bool]], cut: int) -> None:
    stream = b"".join(entry(text if binary else text.replace(b"\n", b" "), binary) for text, binary in parts)
    entries = journal.Entries()
    found = [line for at in range(0, len(stream), cut) for line in entries.feed(stream[at : at + cut])]
    assert [line.size for line in found] == [len(text) for text, _ in parts]
    assert all(told(line)[1:] == ("warning", MOMENT, "db1", "app") for line in found)
    assert (entries.end(), entries.problem) == ([], None)


def test_a_journal_that_is_cut_off_or_none() -> None:
    entries = journal.Entries()
    assert entries.feed(entry(b"whole") + b"MESSAGE=half\nPRIORITY=3\n_HOST") != []
    (last,) = entries.end()
    assert (last.text, last.severity, last.whole) == ("half", "error", False)
    entries = journal.Entries()
    entries.feed(b"MESSAGE\n" + (2**40).to_bytes(8, "little"))
    assert entries.problem is not None
    entries = journal.Entries()
    entries.feed(b"<html>\n")
    assert entries.problem is not None
