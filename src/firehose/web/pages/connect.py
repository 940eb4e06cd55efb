"""The Connect page: how programs follow this hub, with its own addresses in every example.

In: the query in the address, where to start. Out: examples for curl, MQTT, Python, JavaScript and feeds, the topics,
the addresses, and a panel where the answer of the live stream can be seen. Nothing here needs an account.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from shlex import quote
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog
from litestar import Response, get
from litestar.params import FromQuery

from firehose.errors import Refused
from firehose.query import params
from firehose.query.tree import All, Everything, Filter, Is, Like, Node
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages.asked import Asked, ask
from firehose.web.pages.render import page

log = structlog.get_logger("pages")
STARTS: Final = (
    ("", "Live only"),
    ("10m", "10 minutes ago"),
    ("24h", "Yesterday"),
    ("earliest", "Everything"),
)
EXAMPLES: Final = (
    ("", "Every event"),
    ("kind:change.merged", "Every merge"),
    ("outcome:failure", "Failures"),
    ("kind:ticket.*", "Tickets"),
)


class Snippet(msgspec.Struct, frozen=True):
    """An example: its word on the tab, its text, and what to know about it."""

    name: str
    word: str
    text: str
    note: str = ""


@get("/connect", include_in_schema=False)
async def connect(hub: GivenHub, q: FromQuery[str] = "", since: FromQuery[str] = "") -> Response[str]:
    """The page."""
    asked = ask(q, hub.now())
    start, misread = begin(since, hub.now())
    text = asked.text if asked.node is not None else ""
    values: dict[str, Any] = {
        "asked": asked,
        "start": start,
        "misread": misread,
        "starts": STARTS if start in dict(STARTS) else (*STARTS, (start, start)),
        "examples": EXAMPLES,
        "addresses": addresses(hub),
        "topics": topics(hub),
        "snippets": snippets(hub, text, start, topic_of(asked)),
        "topic": topic_of(asked),
        "address": lambda **changes: "/connect?" + urlencode({"q": text, "since": start, **changes}),
        "data": {"q": text, "since": start},
        **await how_many(hub, asked.node or Everything(), hub.now()),
    }
    return page(hub, "connect.html", "connect", values)


def begin(since: str, now: datetime) -> tuple[str, str]:
    """Where to start, and what is wrong with it when it cannot be read; then the start is live only."""
    try:
        if since:
            params.place("since", since, now)
    except Refused as refused:
        return "", refused.detail
    return since, ""


async def how_many(hub: Hub, node: Node, now: datetime) -> dict[str, Any]:
    """How often such events come, and the last one."""
    try:
        counts = await hub.reader.counts(node, since=now - timedelta(days=1))
        found = await hub.reader.find(node, limit=1)
    except Exception as error:
        log.warning("the history does not answer the Connect page", error=repr(error))
        return {"per_day": None, "last": None}
    return {"per_day": sum(count.count for count in counts), "last": found.events[0] if found.events else None}


def addresses(hub: Hub) -> list[tuple[str, str]]:
    """What is offered, and where."""
    own = hub.addresses
    found = [
        ("Streams", f"{own.http}/v1/stream"),
        ("Search", f"{own.http}/v1/events"),
        ("Counts", f"{own.http}/v1/counts?by=source&per=hour"),
        ("MQTT 3.1.1", own.mqtt),
        ("MQTT over TLS", own.mqtt_tls),
        ("MQTT over WebSocket", own.websocket),
        ("Hourly dumps", f"{own.http}/v1/dumps"),
        ("HTTP API", f"{own.http}/openapi.json"),
        ("Streams API", f"{own.http}/asyncapi.json"),
    ]
    return [(word, address) for word, address in found if address]


def topics(hub: Hub) -> list[tuple[str, str]]:
    """Topics that this hub has, in words."""
    names = [health.name for health in hub.ledger.report()]
    own = [(f"events/{name}/#", f"everything from {name}") for name in names[:4]]
    return [
        ("events/#", "everything"),
        ("events/+/change/merged/#", "every merge, all sources"),
        *own,
        ("$meta/sources", "how the sources are (retained)"),
    ]


def topic_of(asked: Asked) -> str:
    """The narrowest topic filter that lets everything through that the query asks for."""
    node = asked.node
    parts = node.parts if isinstance(node, All) else (node,)
    said = {part.field: part.value for part in parts if isinstance(part, Is)}
    likes = {part.field: part.pattern for part in parts if isinstance(part, Like)}
    whole = next((part.filter for part in parts if isinstance(part, Filter)), "")
    if whole:
        return whole
    source = said.get("source", "")
    kind = said.get("kind", "") or likes.get("kind", "")
    noun, _, predicate = kind.partition(".")
    levels = ["events", source, noun, predicate, said.get("project", "")]
    plain = [level if level and not set(level) & set("*?") and "://" not in level else "+" for level in levels]
    if plain[4] != "+":
        return "/".join(plain)
    while len(plain) > 1 and plain[-1] == "+":
        plain.pop()
    return "/".join([*plain, "#"])


def snippets(hub: Hub, q: str, since: str, topic: str) -> list[Snippet]:
    """The examples."""
    own = hub.addresses
    asked = [(name, value) for name, value in (("q", q), ("since", since)) if value]
    stream = f"{own.http}/v1/stream/sse{'?' + urlencode(asked) if asked else ''}"
    data = "".join(f" \\\n     --data-urlencode {quote(f'{name}={value}')}" for name, value in asked)
    mqtt, ws = urlsplit(own.mqtt), own.websocket
    partly = f"MQTT has topics, not queries: {topic} is the narrowest one for it." if q else ""
    made = [
        Snippet("curl", "curl", f"curl -NG {own.http}/v1/stream/json{data}", "One line of JSON for each event."),
        Snippet("python", "Python", PYTHON.format(url=own.http, params=dict(asked))),
        Snippet(
            "javascript",
            "JavaScript",
            JAVASCRIPT.format(url=stream),
            "A browser comes back by itself, with its cursor.",
        ),
    ]
    if own.mqtt:
        made += [
            Snippet(
                "mosquitto",
                "mosquitto_sub",
                f"mosquitto_sub -h {mqtt.hostname} -p {mqtt.port} -v -t {quote(topic)}",
                partly,
            ),
            Snippet("paho", "paho", PAHO.format(host=mqtt.hostname, port=mqtt.port, topic=topic), partly),
        ]
    if ws:
        made.append(Snippet("mqttjs", "MQTT.js", MQTTJS.format(url=ws, topic=topic), partly))
    feed = f"{own.http}/v1/events?{urlencode({'format': 'atom', **({'q': q} if q else {})})}"
    made.append(Snippet("feed", "Feed", feed, "For feed readers and chat bots: the newest events as Atom."))
    return made


PYTHON: Final = """\
import json
import httpx

asked = {params!r}
with httpx.stream("GET", "{url}/v1/stream/json", params=asked, timeout=None) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        event = json.loads(line)
        if "sequence" in event:
            print(event["sequence"], event["kind"], event["summary"])
            # keep the sequence: cursor=… goes on after it, nothing missed, nothing twice
"""
JAVASCRIPT: Final = """\
const hub = new EventSource("{url}");
hub.onmessage = message => {{
  const event = JSON.parse(message.data);
  console.log(event.sequence, event.kind, event.summary);
}};
"""
PAHO: Final = """\
import json
import paho.mqtt.client as mqtt

def on_connect(client, userdata, flags, reason, properties):
    client.subscribe("{topic}", qos=1)

def on_message(client, userdata, message):
    event = json.loads(message.payload)
    print(message.topic, event["summary"])

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="my-reader", clean_session=False)
client.on_connect, client.on_message = on_connect, on_message
client.connect("{host}", {port})
client.loop_forever()
"""
MQTTJS: Final = """\
import mqtt from "mqtt";

const client = mqtt.connect("{url}", {{ protocolVersion: 4 }});
client.on("connect", () => client.subscribe("{topic}", {{ qos: 1 }}));
client.on("message", (topic, payload) => {{
  const event = JSON.parse(payload);
  console.log(topic, event.summary);
}});
"""
