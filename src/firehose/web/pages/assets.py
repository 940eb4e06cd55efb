"""Fingerprinted files of the pages: which address a name has, and how they are served.

In: `static/built/manifest.json`, written by the asset build. Out: `address("app.css")`, and a handler that serves the
folder for ever, because a changed file has another name. A hub without built files starts all the same and says so.
"""

from __future__ import annotations

import json
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from firehose.errors import Broken

BUILT: Final = Path(__file__).resolve().parent.parent / "static" / "built"
FOREVER: Final = "public, max-age=31536000, immutable"
MISSING: Final = "the pages' styles and scripts are not built: run ./run assets (or tools/build_assets.py)"


@lru_cache(maxsize=1)
def manifest() -> dict[str, str]:
    """Names and their fingerprinted files; `Broken` when nothing was built."""
    try:
        names: dict[str, str] = json.loads((BUILT / "manifest.json").read_text())
    except (OSError, ValueError):
        raise Broken(MISSING, code=4) from None
    return names


def address(name: str) -> str:
    """Where a browser gets a file: `/static/app-K2J4.css`."""
    return f"/static/{manifest()[name]}"


@lru_cache(maxsize=64)
def _content(name: str) -> tuple[bytes, str] | None:
    # Only plain names that are really in the folder: nothing of the address becomes a path.
    if name not in {path.name for path in BUILT.iterdir()} if BUILT.is_dir() else True:
        return None
    return (BUILT / name).read_bytes(), mimetypes.guess_type(name)[0] or "application/octet-stream"


@get("/static/{name:str}", include_in_schema=False, sync_to_thread=False)
def static_file(name: FromPath[str]) -> Response[bytes]:
    """One built file."""
    found = _content(name)
    if found is None:
        raise NotFoundException(f"there is no file {name[:80]!r}")
    headers = {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}
    return Response(found[0], media_type=found[1], headers=headers)
