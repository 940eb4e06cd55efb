"""Chunks become whole, bounded lines, however they were cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firehose.intake.lines import Lines, Oversize


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), st.integers(1, 20))
def test_any_cut_gives_the_same_lines(lines: list[bytes], size: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = Lines()
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found == [line.strip() for line in lines if line.strip()]


@given(st.integers(11, 100), st.integers(1, 20))
def test_a_line_over_the_limit_is_counted_and_let_go(length: int, size: int) -> None:
    stream = b"short\n" + b"x" * length + b"\nend\n"
    splitter = Lines(limit=10)
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found[0] == b"short"
    assert isinstance(found[1], Oversize)
    assert found[1].size == length
    assert found[1].head.startswith(b"x")
    assert found[2:] == [b"end"]


def test_what_has_no_end_is_kept_inside() -> None:
    splitter = Lines()
    assert splitter.feed(b'{"half":') == []
    assert splitter.feed(b" 1}\r\n") == [b'{"half": 1}']
