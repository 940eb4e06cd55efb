"""Named queries: SQL lives in `.sql` files, every statement with a name and a sentence on what it is for.

In: the name of a file beside this module. Out: its statements by name. A statement starts at a line `-- name: word`
and ends at the next one; the comment lines below the name explain it and are not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*$", re.MULTILINE)


@cache
def load(file: str) -> Mapping[str, str]:
    """The statements of `firehose/history/<file>` by name."""
    return split(files("firehose.history").joinpath(file).read_text("utf-8"))


def split(text: str) -> Mapping[str, str]:
    """The statements of a text by name; `ValueError` when a name comes twice or has no statement."""
    found: dict[str, str] = {}
    pieces = _NAME.split(text)
    for name, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        statement = _COMMENT.sub("", piece).strip().rstrip(";")
        if name in found or not statement:
            raise ValueError(f"the query {name!r} is there twice, or empty")
        found[name] = statement
    return found


def migrations(dialect: str) -> list[tuple[str, str]]:
    """The schema's steps in order, as (name, script)."""
    folder = files("firehose.history").joinpath("migrations").joinpath(dialect)
    return sorted((step.name.removesuffix(".sql"), step.read_text("utf-8")) for step in folder.iterdir())
