"""Zuul's web API: the nodes and the requests of a tenant, for a hub that may not read ZooKeeper.

In: Zuul's address and tenants. Out: requests, and what they list as if it lay in ZooKeeper. A node that serves nobody
yet is listed by every tenant that may get it; it is one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from firehose.errors import Refused
from firehose.source import Inventory, Request
from firehose.sources.nodepool.znode import observe
from firehose.wild import Wild, decode

REQUESTS: Final = "/zuul/nodeset/requests"
NODES: Final = "/zuul/nodes/nodes"


def inventory(url: str, tenants: Sequence[str], every: float) -> Inventory:
    """What to ask for: requests before the nodes that serve them."""
    lists = [(REQUESTS, "nodeset-requests"), (NODES, "nodes")]
    asked = [
        Request(f"{url.rstrip('/')}/api/tenant/{quote(tenant, safe='')}/{page}", about=above)
        for above, page in lists
        for tenant in tenants
    ]
    return Inventory(max(every, 1.0), tuple(asked), things, observe)


def things(request: Request, body: bytes) -> Mapping[str, bytes]:
    """The things in an answer, by the path that they have in ZooKeeper. Nodepool's own nodes are told too briefly there
    to be told again."""
    tenant = unquote(request.url.split("/")[-2])
    return {
        f"{request.about}/{uuid}": _record(item, tenant)
        for item in decode(body).each()
        if item.is_object() and (uuid := _uuid(item))
    }


def _uuid(item: Wild) -> str:
    uuid = item["uuid"].text("")
    if "/" in uuid:
        raise Refused("a uuid holds a slash", slug="bad-field", status=422, field="uuid")
    return uuid


def _record(item: Wild, tenant: str) -> bytes:
    record: dict[str, Any] = msgspec.json.decode(item.json())
    if "request_id" not in record or record["request_id"]:
        record["tenant_name"] = tenant
    # Who holds it just now is no news.
    for name in ("is_locked", "lock_holder", "relative_priority"):
        record.pop(name, None)
    return msgspec.json.encode(record)
