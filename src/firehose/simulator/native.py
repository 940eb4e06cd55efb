"""From a happening to the service that would tell it, and the native bytes.

In: any happening. Out: service name, what goes beside the body (a topic, or an event header's value), and the body.
None where a service would say nothing.
"""

from __future__ import annotations

import json
from typing import assert_never

from firehose.simulator import forgejo_bytes, gerrit_bytes, github_bytes, gitlab_bytes, node_bytes, zuul_bytes
from firehose.simulator.happening import Happening, NodeStep, Post, RefUpdate, Report, Review

Native = tuple[str, str, bytes]


def render(happening: Happening) -> Native | None:
    """Service, topic or event name, body."""
    match happening:
        case Review() | RefUpdate():
            event = gerrit_bytes.native(happening)
            return "gerrit", event["type"], json.dumps(event).encode()
        case Report():
            return "zuul", *zuul_bytes.native(happening)
        case NodeStep():
            return "nodes", *node_bytes.native(happening)
        case Post():
            return _forge(happening)
        case other:
            assert_never(other)


def _forge(happening: Post) -> Native | None:
    match happening.project.host:
        case "github":
            name, body = github_bytes.native(happening)
        case "gitlab":
            name, body = gitlab_bytes.native(happening)
        case _:
            found = forgejo_bytes.native(happening)
            if found is None:
                return None
            event, kind, body = found
            # Forgejo has two headers; event and type travel together here.
            name = f"{event} {kind}"
    return happening.project.host, name, json.dumps(body).encode()
