"""Zuul's times: seconds since 1970, as a number (the code writes floats) or as text (the documentation shows strings).

In: a wild value. Out: an aware time, None when Zuul gives none; a value that is no time is refused with its path.
"""

from __future__ import annotations

from datetime import UTC, datetime

from firehose.errors import Refused
from firehose.wild import Wild


def moment(value: Wild) -> datetime | None:
    """The time, UTC."""
    if not value.present or (value.is_text() and not value.text()):
        return None
    seconds = value.number()
    try:
        if seconds >= 0:
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Refused(f"{value.path} is no time: {seconds!r}", slug="bad-field", status=422, field=value.path)
