"""One believable event, in the form that streams and histories hand out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from firehose.event import Event, Recorded, encode

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)


@pytest.fixture(scope="session")
def recorded() -> Callable[..., Recorded]:
    """Makes the event; keyword arguments change its attributes."""
    return _recorded


def _recorded(sequence: int = 42, name: str = "gerrit", **changes: object) -> Recorded:
    values: dict[str, object] = {
        "id": "d-1",
        "source": "https://review.opendev.org",
        "type": "com.gerritcodereview.change-merged",
        "kind": "change.merged",
        "subject": "openstack/nova~12345",
        "time": datetime(2016, 10, 26, 10, 0, tzinfo=UTC),
        "project": "openstack/nova",
        "actor": "okonkwo",
        "summary": "Rebuild config drive before Live Migration, föhn",
        "link": "https://review.opendev.org/12345?x=(1)",
        "outcome": "failure",
        "severity": "warning",
        "refs": ("story/2000643", "buildset/abc"),
        "text": "hidden words",
        "data": (
            b'{"change":{"branch":"stable/newton","number":12345,"wip":false},"n":"17","none":null,"f":1.5,'
            b'"files":[{"path":"a.py"},{"path":"b.py"}],"labels":["x","y"],"big":123456789012345678901234567890}'
        ),
    }
    frame = encode(name, Event(**(values | changes)))  # type: ignore[arg-type]
    return Recorded(sequence, NOW, frame)
