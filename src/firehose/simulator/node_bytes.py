"""Test nodes as CloudEvents, for the inbox: what a small service beside Zuul would say about its machines.

In: `NodeStep`. Out: the topic below `in/nodes/` and a structured CloudEvent. Its words are its own; the demo's
settings give them meaning by rules.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from firehose.simulator.happening import NodeStep

RULES: Final[list[dict[str, Any]]] = [
    {
        "type": "example.lumen.node.*",
        "kind": "{data.step}",
        "kinds": {"ready": "environment.created", "deleted": "environment.deleted"},
        "subject": "node/{data.node}",
        "actor": "launcher",
        "summary": "{data.label} node {data.node} is {data.step} in {data.region}",
        "refs": ["zuul-event/{data.request}", "region/{data.region}"],
    }
]


def native(happening: NodeStep) -> tuple[str, bytes]:
    """Topic and payload."""
    moment = datetime.fromtimestamp(happening.time, UTC).isoformat(timespec="milliseconds")
    event = {
        "specversion": "1.0",
        "id": f"{happening.node}-{happening.step}",
        "source": f"https://launcher.lumen.example/{happening.region}",
        "type": f"example.lumen.node.{happening.step}",
        "time": moment.replace("+00:00", "Z"),
        "data": {
            "step": happening.step,
            "node": happening.node,
            "label": happening.label,
            "region": happening.region,
            "request": happening.item.event,
            "address": f"198.51.100.{happening.number % 250 + 1}",
        },
    }
    return f"in/nodes/{happening.region}/{happening.label}", json.dumps(event).encode()
