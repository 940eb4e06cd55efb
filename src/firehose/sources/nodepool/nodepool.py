"""Nodepool and Zuul's launchers: what the states of their nodes, requests and images mean.

In: `{"path", "data"}` of a znode, as `znode.py` made it of what the hub found in ZooKeeper: with the state before and
the request it serves. Out: `environment.*` events about nodes and requests, `taskrun.*` and `artifact.*` about images;
each says provider, label and how long it took. A znode shows a state, so a node that came while nobody looked is told
twice: that it was created, and what it is now.
"""

from __future__ import annotations

from typing import Final

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.sources.nodepool import api
from firehose.sources.nodepool.kinds import IGNORED, KINDS, PLACES, STATES
from firehose.sources.nodepool.thing import Thing
from firehose.sources.nodepool.znode import observe, place_of
from firehose.wild import decode

_FIRST: Final = ("init", "requested")


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: Zuul's web address, for links. zookeeper: `host:port,host:port`, with a `/chroot` behind if there is one.

    tls_ca, tls_cert, tls_key: files, as in Zuul's and Nodepool's own configuration. tls_hostname: the server's
    certificate must name it. zookeeper_user, zookeeper_secret_file, zookeeper_secret_env: a digest login, if the znodes
    need one. timeout: seconds of a session.

    tenants: without ZooKeeper, the tenants whose nodes and requests Zuul's web API is asked for, `every` so many
    seconds.
    """

    tenants: tuple[str, ...] = ()
    every: float = 30.0

    zookeeper: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_hostname: bool = True
    zookeeper_user: str = ""
    zookeeper_secret_file: str = ""
    zookeeper_secret_env: str = ""
    timeout: float = 10.0


def holds(settings: Settings) -> source.Hold | None:
    """The tree to follow, or the lists to ask for."""
    if not settings.zookeeper:
        return api.inventory(settings.url, settings.tenants, settings.every) if settings.tenants else None
    return source.Znodes(
        hosts=settings.zookeeper,
        patterns=tuple(place.pattern for place in PLACES),
        observe=observe,
        user=settings.zookeeper_user,
        ca_file=settings.tls_ca,
        cert_file=settings.tls_cert,
        key_file=settings.tls_key,
        check_hostname=settings.tls_hostname,
        timeout=settings.timeout,
    )


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What a znode's state means."""
    thing = Thing(decode(delivery.body), delivery, settings.url.rstrip("/"))
    word = f"{thing.place.noun}.{thing.word}"
    if thing.place.noun in IGNORED or word in IGNORED:
        return source.Ignored(word if word in IGNORED else thing.place.noun)
    states = STATES[thing.place.noun]
    if thing.word not in states:
        raise UnknownKind(word)
    events = [thing.event(thing.word, states[thing.word])]
    if thing.new and thing.place.noun == "node" and thing.word not in _FIRST:
        events.insert(0, thing.event("new", states["new"]))
    return events


def native_kind(delivery: source.Delivery) -> str:
    """`node.ready` and the like; "" when it cannot be read."""
    try:
        body = decode(delivery.body)
        found = place_of(body["path"].text(""))
        if found is None:
            return ""
        state = body["data"]["state"].text("") or body["data"]["_state"].text("")
        return f"{found[0].noun}.{'gone' if body['gone'].flag(False) else state}"
    except Refused:
        return ""


SOURCE: Final = source.SourceKind(
    name="nodepool",
    title="Nodepool",
    family="cloud",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    native_kind=native_kind,
    holds=holds,
)
