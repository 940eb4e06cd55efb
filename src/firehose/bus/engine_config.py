"""The engine's configuration as text: listeners, accounts, limits. Pure: values in, nats-server configuration out.

Four kinds of accounts, apart by construction: HUB (streams and state; only the hub), PUBLIC (what the mirror
publishes; anonymous readers, read only, MQTT only), one PRODUCER account for each login, and SYS. Nothing private is
ever in PUBLIC, so no permission mistake can show it.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

MAX_PAYLOAD = 4 * 1024 * 1024
"""Bytes: 1 MiB of delivery, escaped as JSON text at worst twice, and the envelope."""
MAX_CONSUMERS = 100_000
"""Each QoS 1 subscription takes one or two; the server's default of 1,000 refuses the 499th reader (measured)."""


class Producer(msgspec.Struct, frozen=True):
    """A login that may publish: MQTT below `in/<source>/` (or anywhere, `own_topics`), NATS below `in.<source>.`."""

    user: str
    password: str
    source: str
    own_topics: bool = False

    @property
    def account(self) -> str:
        """The login's own account, so that nobody else sees or shadows its topics."""
        return f"PRODUCER_{self.user.upper()}"


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration is made from. Listeners are `host:port`, "" for none; the embedded engine's passwords
    are made at start. `cluster` and `routes`: for servers of a cluster that the operator runs."""

    name: str
    folder: Path
    cluster: str = ""
    routes: tuple[str, ...] = ()
    nats: str
    mqtt: str = ""
    websocket: str = ""
    websocket_cert: str = ""
    websocket_key: str = ""
    sync: str = "always"
    max_store: int = 0
    hub_password: str
    mirror_password: str
    producers: tuple[Producer, ...] = ()


def render(config: EngineConfig) -> str:
    """The configuration file."""
    blocks = [
        f"server_name: {_text(config.name)}",
        f"listen: {_text(config.nats)}",
        'http: "127.0.0.1:-1"',
        f"ports_file_dir: {_text(str(config.folder))}",
        f"max_payload: {MAX_PAYLOAD}",
        "max_pending: 256MB",
        'write_deadline: "10s"',
        'lame_duck_duration: "30s"',
        _jetstream(config),
        _accounts(config),
        "system_account: SYS",
    ]
    if config.mqtt:
        # ack_wait: with the default of 30 s a failover delays redelivery by 40 s (measured). Consumer state stays on
        # disk: sessions must outlive a crash of the engine.
        blocks.append(
            f'mqtt {{ listen: {_text(config.mqtt)}, no_auth_user: anon, ack_wait: "5s", max_ack_pending: 1024 }}'
        )
    if config.websocket:
        tls = "no_tls: true"
        if config.websocket_cert:
            tls = f"tls {{ cert_file: {_text(config.websocket_cert)}, key_file: {_text(config.websocket_key)} }}"
        blocks.append(f"websocket {{ listen: {_text(config.websocket)}, no_auth_user: anon, {tls} }}")
    if config.cluster:
        routes = ", ".join(_text(f"nats://{route}") for route in config.routes)
        blocks.append(f"cluster {{ name: firehose, listen: {_text(config.cluster)}, routes: [{routes}] }}")
    return "\n".join(blocks) + "\n"


def _jetstream(config: EngineConfig) -> str:
    limit = f"max_file_store: {config.max_store}, " if config.max_store else ""
    return (
        f"jetstream {{ store_dir: {_text(str(config.folder / 'store'))}, sync_interval: {_text(config.sync)}, "
        f"max_memory_store: 256MB, {limit}limits {{ default_max_consumers: {MAX_CONSUMERS} }} }}"
    )


def _accounts(config: EngineConfig) -> str:
    rows = [
        f"  HUB {{ jetstream: enabled, users: [ {{ user: hub, password: {_text(config.hub_password)} }} ] }}",
        "  PUBLIC { jetstream: enabled, users: [",
        f"    {{ user: mirror, password: {_text(config.mirror_password)} }}",
        f"    {{ user: anon, password: anon, {_MQTT_ONLY}, permissions: {{ {_ANONYMOUS} }} }} ] }}",
    ]
    rows += [_producer(config, producer) for producer in config.producers]
    rows.append("  SYS { users: [] }")
    return "accounts {\n" + "\n".join(rows) + "\n}"


_MQTT_ONLY = 'allowed_connection_types: ["MQTT", "MQTT_WS"]'
_ANONYMOUS = 'publish: { deny: ">" }, subscribe: { allow: [">"], deny: ["$JS.>", "$SYS.>", "_INBOX.>", "in", "in.>"] }'


def _producer(config: EngineConfig, producer: Producer) -> str:
    # Zuul's reporter publishes wherever its operator configured; `$` topics belong to the server.
    allow = '{ allow: [">"], deny: ["$JS.>", "$SYS.>", "$KV.>"] }'
    if not producer.own_topics:
        allow = f'{{ allow: ["in.{producer.source}.>", "$JS.API.INFO"] }}'
    return (
        f"  {producer.account} {{ jetstream: enabled, users: [\n"
        f"    {{ user: {_text('hub-' + producer.user)}, password: {_text(config.hub_password)} }}\n"
        f"    {{ user: {_text(producer.user)}, password: {_text(producer.password)}, permissions: {{ publish: {allow}, "
        f'subscribe: {{ allow: ["_INBOX.>", "$MQTT.sub.>"] }} }} }} ] }}'
    )


def _text(value: str) -> str:
    return json.dumps(value)
