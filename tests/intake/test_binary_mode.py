"""CloudEvents in binary mode: the body is the data, of any media type or none, and leaves byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from firehose import settings, source
from firehose.errors import Refused
from firehose.event import Recorded, encode
from firehose.intake.instance import Instance
from firehose.intake.webhook import Arrival, take

NOW = datetime(2026, 1, 2, tzinfo=UTC)
INBOX = source.load("inbox")
OWN = settings.build({"sources": {"box": {"kind": "inbox"}}}).sources["box"]
PROOF = {"authorization": "Bearer fht_x"}
CE = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "/line", "ce-type": "example.lumen.deploy.started"}


@pytest.mark.parametrize(
    ("media", "body", "kept", "told"),
    [
        ("text/plain", "grüß dich\n".encode(), "text/plain", {"data": "grüß dich\n"}),
        ("Text/Plain ;charset=ISO-8859-1", b"gr\xfc\xdf", "text/plain;charset=ISO-8859-1", {"data_base64": "Z3L83w=="}),
        ("application/xml", b"<a>1</a>", "application/xml", {"data": "<a>1</a>"}),
        ("application/x-www-form-urlencoded", b"payload=1", "application/x-www-form-urlencoded", {"data": "payload=1"}),
        ("multipart/x; boundary=AbC", b"--AbC", "multipart/x; boundary=AbC", {"data": "--AbC"}),
        ("image/png", b"\x89PNG\r\n", "image/png", {"data_base64": "iVBORw0K"}),
        ("application/vnd.x+json ; v=1", b'{"a": 1}', "application/vnd.x+json; v=1", {"data": {"a": 1}}),
        ("text/plain", b"", "text/plain", {"data": ""}),
        ("", b'{"a": 1}', "application/json", {"data": {"a": 1}}),
        ("", b"", "application/json", {"data": None}),
        ("", b"plain words", "application/octet-stream", {"data": "plain words"}),
        ("", b"\xff\x00", "application/octet-stream", {"data_base64": "/wA="}),
    ],
)
def test_binary_mode_carries_any_media_type(media: str, body: bytes, kept: str, told: dict[str, Any]) -> None:
    headers = PROOF | CE | ({"content-type": media} if media else {})
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    box = Instance("box", INBOX, OWN)
    delivery = take("box", {"box": box}, Arrival(raw, body, NOW), lambda _token, _scope: True)
    (event,) = INBOX.read(delivery, OWN)
    recorded = Recorded(1, NOW, encode("box", event))
    line = json.loads(recorded.json)
    assert line["datacontenttype"] == kept
    assert {name: line[name] for name in ("data", "data_base64") if name in line} == told
    assert recorded.raw == (body or (b"" if media else b"null"))


def test_without_its_attributes_other_media_types_are_refused() -> None:
    box = Instance("box", INBOX, OWN)
    raw = [(b"authorization", b"Bearer fht_x"), (b"content-type", b"text/plain")]
    with pytest.raises(Refused) as caught:
        take("box", {"box": box}, Arrival(raw, b"words", NOW), lambda _token, _scope: True)
    assert caught.value.status == 415
