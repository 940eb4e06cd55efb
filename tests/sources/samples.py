"""The shared reference payloads, one by one: where each comes from, which source reads it, and by what way it travels.

In: the shared folder. Out: `Sample` values. What no source can read, though it lies among the samples, is in
`UNREADABLE` with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from firehose.ops.explain import Payload, payloads

Way = Literal["ssh", "http", "mqtt"]
PLAIN: Final[dict[str, tuple[str, Way]]] = {
    "gerrit": ("gerrit", "ssh"),
    "github": ("github", "http"),
    "gitlab": ("gitlab", "http"),
    "zuul": ("zuul", "mqtt"),
    "firehose": ("inbox", "mqtt"),
}
"""Folder -> the kind of source, and how the service brings such payloads."""
PAIRS: Final = "forge-webhooks-with-headers"
FOLDERS: Final = (*PLAIN, PAIRS)

# The original Firehose's own messages are plain JSON: the operator of an inbox says what names them.
OWN: Final[dict[str, dict[str, Any]]] = {
    "inbox": {"type": "org.openstack.firehose.{topic.0}", "id": "{topic}#{data.build_uuid}{data.bug-number}"}
}
UNREADABLE: Final = {
    "gitlab/group_merge_request.json": "the keys of this fixture end in blanks, GitLab's do not",
    "gerrit/gerritbot-rs-query-results.jsonl": "answers of gerrit query, no events",
    "gerrit/softwarefactory-rest-change-detail.json": "an answer of the REST API, no event",
    "zuul/launcher-14.3-zk-records.jsonl": "records from ZooKeeper, no messages of the reporter",
}
WEBHOOKS: Final = ("cdevents-doc-webhooks-plugin", "snix-2025-webhook-events")
"""Of Gerrit's: what its webhooks plugin sends."""


class Sample(NamedTuple):
    """One payload. `file` is `<folder>/<name>`, `number` its place in the file, `kind` the word of its source."""

    file: str
    number: int
    kind: str
    way: Way
    payload: Payload

    @property
    def folder(self) -> str:
        """The folder among the shared samples."""
        return self.file.partition("/")[0]


def samples(shared: Path) -> Iterator[Sample]:
    """Every payload of the folders that the hub must take."""
    root = shared / "samples"
    for folder, (kind, usual) in PLAIN.items():
        for path in sorted((root / folder).iterdir()):
            way: Way = "http" if path.stem in WEBHOOKS else usual
            for number, payload in enumerate(payloads(path.read_bytes(), file=path.name)):
                if way == "mqtt" and not payload.topic:
                    payload = msgspec.structs.replace(payload, topic=f"{folder}/{path.stem}")
                yield Sample(f"{folder}/{path.name}", number, kind, way, payload)
    for path in sorted((root / PAIRS).glob("*-payload.json")):
        headers = json.loads(path.with_name(path.name.replace("-payload", "-headers")).read_text())
        lower = {name.lower(): value for name, value in headers.items()}
        kind = path.name.partition(".")[0]
        yield Sample(f"{PAIRS}/{path.name}", 0, kind, "http", Payload(body=path.read_bytes(), headers=lower))
