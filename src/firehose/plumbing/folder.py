"""The data folder: whether it can be one, and making it. A slip in its name is told in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

from firehose.errors import Broken


def check(path: Path) -> None:
    """`Broken` (4) unless it is a folder that can be written, or can become one, as far as can be seen from here."""
    try:
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        folder = there.is_dir()
    except OSError as error:
        raise _none(path, error.strerror or repr(error)) from None
    if not folder:
        raise _none(path, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _none(path, f"{there} cannot be written")


def make(path: Path) -> Path:
    """The folder, made when it is not there; `Broken` (4) says why it cannot."""
    check(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _none(path, error.strerror or repr(error)) from None
    return path


def _none(path: Path, why: str) -> Broken:
    return Broken(f"hub.data: {path} cannot be the data folder: {why}; --data chooses another", code=4)
