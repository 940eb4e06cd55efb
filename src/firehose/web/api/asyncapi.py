"""`/asyncapi.json`: the channels that events leave and enter by, as an AsyncAPI 3.1 document.

In: where the hub listens. Out: the document: MQTT topics, server-sent events, WebSocket; one message, the event.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from firehose import __version__
from firehose.web.api.schemas import EVENT
from firehose.web.hub import Addresses

Entry = dict[str, Any]
_MESSAGE: Final[Entry] = {
    "name": "event",
    "title": "Event",
    "summary": "A CloudEvent 1.0 in JSON.",
    "contentType": "application/cloudevents+json",
    "payload": {"$ref": "#/components/schemas/Event"},
}
_LEVELS: Final = {
    "source": "The source's name in the settings.",
    "noun": "What it is about: change, pipelinerun, ticket.",
    "predicate": "What happened to it: created, merged, finished.",
    "project": "The project, all further levels.",
}
_META: Final = {
    "head": ("The head cursor, retained", "object"),
    "sources": ("How the sources are, retained", "array"),
    "sinks": ("How the sinks are, retained", "array"),
}
"""What the mirror keeps below `$meta/`: title and JSON type."""


def document(name: str, addresses: Addresses) -> Entry:
    """The document of a hub."""
    servers = _servers(addresses)
    mqtt = [{"$ref": f"#/servers/{key}"} for key in servers if key != "http"]
    message = {"event": {"$ref": "#/components/messages/event"}}
    over = {"servers": [{"$ref": "#/servers/http"}], "messages": message,
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}}}  # fmt: skip
    channels: Entry = {
        "events": {
            "address": "events/{source}/{noun}/{predicate}/{project}",
            "title": "Events over MQTT",
            "description": "Without a project the topic ends after the predicate. Never retained.",
            "servers": mqtt,
            "messages": message,
            "parameters": {key: {"description": words} for key, words in _LEVELS.items()},
        },
        **{name: _retained(name, *words, mqtt) for name, words in _META.items()},
        "stream": {
            "address": "/v1/stream",
            "title": "Events over server-sent events, NDJSON or WebSocket, from any cursor",
            **over,
        },
        "filteredStream": {
            "address": "/v1/stream/{filters}",
            "title": "The same, of some topics",
            **over,
            "parameters": {
                "filters": {
                    "description": "MQTT topic filters, separated by commas; a last segment sse, "
                    "json or ws picks the encoding."
                }
            },
        },
        "producers": {
            "address": "in/{source}",
            "title": "What producers with a login publish, by MQTT",
            "servers": mqtt,
            "messages": {"delivery": {"name": "delivery", "payload": {"description": "Whatever the source reads."}}},
            "parameters": {"source": {"description": _LEVELS["source"]}},
        },
    }
    return {
        "asyncapi": "3.1.0",
        "info": {"title": name, "version": __version__, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/cloudevents+json",
        "servers": servers,
        "channels": channels,
        "operations": {
            "sendEvents": _operation("send", "events", "event"),
            **{f"send{name.capitalize()}": _operation("send", name, name) for name in _META},
            "sendStream": _operation("send", "stream", "event"),
            "sendFilteredStream": _operation("send", "filteredStream", "event"),
            "receiveDeliveries": _operation("receive", "producers", "delivery"),
        },
        "components": {"messages": {"event": _MESSAGE}, "schemas": {"Event": EVENT}},
    }


def _retained(name: str, title: str, type_: str, servers: list[dict[str, str]]) -> Entry:
    message = {"name": name, "contentType": "application/json", "payload": {"type": type_}}
    return {"address": f"$meta/{name}", "title": title, "servers": servers, "messages": {name: message}}


def _operation(action: str, channel: str, message: str) -> Entry:
    place = f"#/channels/{channel}"
    return {"action": action, "channel": {"$ref": place}, "messages": [{"$ref": f"{place}/messages/{message}"}]}


def _servers(addresses: Addresses) -> Entry:
    known = {
        "http": (addresses.http, ""),
        "mqtt": (addresses.mqtt, "3.1.1"),
        "mqtts": (addresses.mqtt_tls, "3.1.1"),
        "websocket": (addresses.websocket, "3.1.1"),
    }
    servers: Entry = {}
    for key, (address, version) in known.items():
        if not address:
            continue
        parts = urlsplit(address)
        protocol = {"websocket": "mqtt", "mqtts": "secure-mqtt"}.get(key, parts.scheme)
        servers[key] = {"host": parts.netloc, "protocol": protocol}
        if version:
            servers[key]["protocolVersion"] = version
        if parts.path:
            servers[key]["pathname"] = parts.path
            servers[key]["description"] = f"MQTT over WebSocket ({parts.scheme})"
    return servers
