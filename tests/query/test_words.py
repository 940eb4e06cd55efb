"""The rule for words: fast for ASCII, and the same for all text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from firehose.query.words import MOST, words


@given(st.text() | st.text(st.characters(max_codepoint=127)) | st.text("aB1_ -é", max_size=300))
def test_words_are_runs_of_letters_and_digits_whatever_the_path(text: str) -> None:
    assert words(text) == [word[:64] for word in re.findall(r"[^\W_]+", text.lower())[:MOST]]


def test_no_more_words_than_the_limit() -> None:
    assert len(words("a b " * MOST)) == MOST
    assert len(words("a ü " * MOST)) == MOST
