"""Dumps over HTTP: what the list names can be taken, and checks out."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from firehose.history.dumps import Dumps, verify
from firehose.plumbing.clock import now

if TYPE_CHECKING:
    from tests.web.conftest import Desk


async def test_what_the_list_names_can_be_taken_and_verified(desk: Desk, tmp_path: Path) -> None:
    await desk.give("1", "2")
    data = desk.hub.settings.data
    assert (await desk.http.get("/v1/dumps")).json()["dumps"] == []
    Dumps(data / "dumps", data / "keys" / "dumps.key").make(desk.hub.reader.store, now() + timedelta(hours=2))
    listed = (await desk.http.get("/v1/dumps")).json()
    (dump,) = listed["dumps"]
    assert (dump["first"], dump["count"]) == (f"{1:020d}", 2)
    taken = await desk.http.get(f"/v1/dumps/{dump['name']}")
    assert hashlib.sha256(taken.content).hexdigest() == dump["sha256"]
    assert taken.headers["etag"] == f'"{dump["sha256"]}"'
    assert "immutable" in taken.headers["cache-control"]
    (tmp_path / dump["name"]).write_bytes(taken.content)
    (tmp_path / "index.ndjson").write_bytes((await desk.http.get("/v1/dumps/index.ndjson")).content)
    assert verify(tmp_path, listed["public_key"]) == []
    assert (await desk.http.get("/v1/dumps/2016-10-25-22.ndjson.zst")).status_code == 404
    assert (await desk.http.get("/v1/dumps/..%2Fkeys%2Fdumps.key")).status_code == 404
