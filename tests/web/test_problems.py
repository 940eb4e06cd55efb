"""Every problem that the hub may answer with has a page at its `type`, which says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import firehose
from firehose.web.problems import PAGES

SOURCE = Path(firehose.__file__).parent
SAID = re.compile(r'slug(?:: str)? ?= ?"([a-z-]+)"')


def test_each_word_that_stands_in_the_code_has_a_page() -> None:
    files = [path for path in SOURCE.rglob("*.py") if not path.name.startswith("test_")]
    said = {word for path in files for word in SAID.findall(path.read_text())}
    assert len(said) > 25
    assert said - set(PAGES) == set()


def test_each_page_says_what_to_do() -> None:
    assert all(name and advice.endswith(".") for name, advice in PAGES.values())
