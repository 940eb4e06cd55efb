"""A znode of Nodepool's or Zuul's: where it is, what of it may leave, and whether it tells anything new.

In: what the hub found in ZooKeeper, and the memory of the last time. Out: a delivery with nothing in it that is not on
the list of fields, and the new memory. Zuul packs its records (zlib, a node's behind its driver's name), Nodepool does
not.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firehose.source import Observed, Recall, Seen
from firehose.sources.nodepool.kinds import PLACES, REQUESTOR, Place

MOST: Final = 4 * 2**20
"""Bytes of an unpacked record."""
_PATHS: Final = [(re.compile(place.pattern.replace("*", "([^/]+)")), place) for place in PLACES]
_DRIVER: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}\x00")


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a znode. times: when each state began. record: as it left. related: the request that a node
    serves, and what that knows."""

    state: str = ""
    times: dict[str, float] = {}
    record: dict[str, Any] = {}
    related: dict[str, str] = {}


_memories: Final = msgspec.json.Decoder(Memory)


def place_of(path: str) -> tuple[Place, tuple[str, ...]] | None:
    """Where a path is, and its names."""
    for pattern, place in _PATHS:
        if found := pattern.fullmatch(path):
            return place, found.groups()
    return None


def unpack(data: bytes) -> dict[str, Any] | None:
    """The record in a znode; None when it is none."""
    if found := _DRIVER.match(data):
        data = data[found.end() :]
    if data[:1] == b"\x78":
        try:
            data = zlib.decompressobj().decompress(data, MOST)
        except zlib.error:
            return None
    try:
        record = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def plain(record: dict[str, Any], place: Place) -> dict[str, Any]:
    """The fields that may leave: plain values and lists of them, nothing nested, but for what is known here."""
    nodes = record.get("provider_node_data")
    if isinstance(nodes, list):
        record = {**record, "nodes": [node.get("uuid") for node in nodes if isinstance(node, dict)]}
    found = {name: record[name] for name in place.fields if name in record}
    out = {name: value for name, value in found.items() if _is_plain(value)}
    if isinstance(asked := found.get("requestor_data"), dict):
        out["requestor_data"] = {name: asked[name] for name in REQUESTOR if isinstance(asked.get(name), str)}
    for name in ("resources", "quota"):
        if isinstance(amounts := found.get(name), dict):
            out[name] = {what: count for what, count in amounts.items() if isinstance(count, (int, float))}
    return out


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(item is None or isinstance(item, (str, int, float)) for item in value)
    return value is None or isinstance(value, (str, int, float))


def state_of(record: dict[str, Any]) -> str:
    """A record's state; "" when it has none."""
    state = record.get("state", record.get("_state"))
    return state if isinstance(state, str) else ""


def observe(seen: Seen, kept: bytes, recall: Recall) -> Observed:
    """What a znode's new content tells."""
    memory = _memories.decode(kept) if kept else Memory()
    found = place_of(seen.path)
    if found is None:
        return Observed(None)
    place, _ = found
    stat = {"czxid": seen.czxid, "mzxid": seen.mzxid}
    told: dict[str, Any] = {"path": seen.path, "stat": stat}
    if seen.data is None:
        # Without any memory it came while the hub was dying, and went before it was back.
        if place.noun == "assignment" or seen.path.endswith("/lock") or (kept and not memory.state):
            return Observed(None)
        gone = {**told, "gone": True, "data": memory.record, "was": _was(memory), "related": memory.related}
        return Observed(msgspec.json.encode(gone))
    record = unpack(seen.data)
    if record is None:
        # A lock beside the records has no content. What has one that nobody can read is for the quarantine, without it.
        told |= {"data": None}
        return Observed(msgspec.json.encode(told) if seen.data else None, kept)
    record = plain(record, place)
    state, moment = state_of(record), _moment(record, seen)
    related = _related(record, place, seen.path, memory.related, recall)
    times = memory.times if state == memory.state else {**memory.times, state: moment}
    new = msgspec.json.encode(Memory(state, times, record, related))
    if place.noun == "assignment" or state == memory.state:
        return Observed(None, new)
    stat |= {"ctime": seen.ctime, "mtime": seen.mtime}
    body = {**told, "new": not memory.state, "data": record, "was": _was(memory), "related": related}
    return Observed(msgspec.json.encode(body), new)


def _was(memory: Memory) -> dict[str, Any]:
    return {"state": memory.state, "times": memory.times}


def _moment(record: dict[str, Any], seen: Seen) -> float:
    value = record.get("state_time")
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return seen.mtime / 1000
    return float(value) if isinstance(value, (int, float)) else seen.mtime / 1000


def _related(record: dict[str, Any], place: Place, path: str, before: dict[str, str], recall: Recall) -> dict[str, str]:
    """The request that a node is for, and its event, buildset and job. Requests go before their nodes do, so what was
    once known stays while the request is the same."""
    own = own_related(record, place)
    if place.noun != "node":
        return own
    request, above = own.get("request", ""), "/nodepool/requests"
    if place.program == "launcher":
        kept = recall(f"{path}/assignment")
        assigned = _memories.decode(kept).record if kept else {}
        # The web API says it in the node itself.
        request, above = _text(assigned.get("request_id") or record.get("request_id")), "/zuul/nodeset/requests"
        own["tenant"] = _text(assigned.get("tenant_name") or record.get("tenant_name"))
    kept = recall(f"{above}/{request}") if request else b""
    known = _memories.decode(kept).related if kept else {}
    stays = before if not request or request == before.get("request") else {}
    found = {**stays, **{name: value for name, value in own.items() if value}, **known}
    return {**found, "request": request} if request else found


def own_related(record: dict[str, Any], place: Place) -> dict[str, str]:
    """What a record itself says of its reason: the event, buildset, job, pipeline, tenant and request."""
    data = record.get("requestor_data")
    inner = data if isinstance(data, dict) else {}
    found = {
        "event": record.get("event_id") or record.get("zuul_event_id"),
        "buildset": inner.get("buildset_uuid") or record.get("buildset_uuid"),
        "job": inner.get("job_name") or record.get("job_name"),
        "pipeline": inner.get("pipeline_name") or record.get("pipeline_name"),
        "tenant": inner.get("tenant_name") or record.get("tenant_name"),
        "request": record.get("allocated_to") if place.noun == "node" else "",
    }
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
