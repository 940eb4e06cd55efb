"""What must be right before a hub starts: the same for `up`, `run`, `demo` and `doctor`; for `settings` the values.

In: settings. Out: faults, each a `Broken` that names the setting; and what start needs of the settings, with secrets
read. It reads files and variables that the settings name, it writes nothing and asks nobody. `misfits` reads no
secrets, so that settings can be judged where these are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any, Final

from firehose import logkeeping
from firehose import source as source_kinds
from firehose.bus import tls_front
from firehose.bus.engine_config import Producer
from firehose.delivery.room import outlets
from firehose.errors import Broken
from firehose.history.open import address
from firehose.history.retention import age, rules
from firehose.intake import places
from firehose.intake.instance import Instance
from firehose.plumbing import folder
from firehose.plumbing.clock import now
from firehose.settings import Engine, Settings, secret, secrets

_SYNC: Final = re.compile(r"always|([0-9]+(\.[0-9]+)?(ms|s|m|h))+")


def check(settings: Settings, *, delivering: bool = True) -> None:
    """The first fault is raised."""
    for fault in faults(settings, delivering=delivering):
        raise fault


def faults(settings: Settings, *, delivering: bool = True) -> Iterator[Broken]:
    """All that keeps a hub from starting here. delivering: this process sends to the sinks, so it needs their
    secrets."""
    said: set[str] = set()
    for fault in chain(misfits(settings), _wrong(_here(settings, delivering))):
        if fault.detail not in said:
            said.add(fault.detail)
            yield fault


def misfits(settings: Settings) -> Iterator[Broken]:
    """What is wrong with the values alone, wherever a hub is to run with them."""
    return _wrong(_values(settings))


def _wrong(steps: Iterator[Callable[[], object]]) -> Iterator[Broken]:
    for step in steps:
        try:
            step()
        except Broken as fault:
            yield fault


def _values(settings: Settings) -> Iterator[Callable[[], object]]:
    yield from (partial(listener, setting, place) for setting, place in _listeners(settings))
    yield partial(engine, settings.engine)
    yield partial(rules, settings.history.keep, now())
    yield partial(age, settings.history.keep_dumps, "history.keep_dumps")
    if not settings.history.url_env:
        yield partial(address, settings.history)
    yield from (partial(_source, settings, name) for name in settings.sources)
    yield partial(outlets, settings, now)


def _here(settings: Settings, delivering: bool) -> Iterator[Callable[[], object]]:
    """What is in the files and variables of this machine."""
    yield partial(folder.check, settings.data)
    yield partial(_tls, settings)
    yield partial(engine_password, settings)
    if settings.history.url_env:
        yield partial(address, settings.history)
    yield from (partial(_instance, settings, name) for name in settings.sources)
    yield partial(logkeeping.check, log_sources(settings))
    yield partial(load_producers, settings)
    yield partial(_door, settings)
    if delivering:
        owners = [(f"sinks.{name}", own) for name, own in settings.sinks.items()]
        owners += [("notify.mail", settings.notify.mail), ("notify.irc", settings.notify.irc)]
        yield from (partial(_secrets, where, own) for where, own in owners)


def _listeners(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "http.listen", settings.http.listen
    found = {
        "mqtt.listen": settings.mqtt.listen,
        "mqtt.websocket": settings.mqtt.websocket,
        "mqtt.tls_listen": settings.mqtt.tls_listen,
        "engine.listen": settings.engine.listen,
        "doors.gerrit.listen": settings.doors.gerrit.listen,
    }
    for name, own in log_sources(settings).items():
        found |= {f"sources.{name}.{word}": getattr(own, word) for word in logkeeping.LISTENERS}
    yield from ((setting, place) for setting, place in found.items() if place)


def listener(setting: str, place: str) -> None:
    """An address and a port."""
    host, _, port = place.rpartition(":")
    if not host or any(c.isspace() for c in host) or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Broken(f"{setting}: {place!r} is not an address and a port, such as 127.0.0.1:8080", code=2)


def engine(own: Engine) -> None:
    """What can be told of the engine before it starts."""
    if own.kind not in ("embedded", "external") or (own.kind == "external" and not own.urls):
        raise Broken(f"engine.kind: {own.kind!r} is neither embedded nor, with engine.urls, external", code=2)
    if own.replicas > 1 and not own.urls:
        raise Broken(
            f"engine.replicas: {own.replicas} copies need as many servers, and the embedded engine is one; "
            f"engine.urls names servers of your own",
            code=2,
        )
    if own.replicas not in (1, 3, 5):
        raise Broken(f"engine.replicas: {own.replicas} copies of a stream cannot be kept, 1, 3 or 5 can", code=2)
    if not _SYNC.fullmatch(own.sync):
        raise Broken(f"engine.sync: {own.sync!r} is neither `always` nor a duration such as `1s`", code=2)


def engine_password(settings: Settings) -> str:
    """The password of the hub's logins on engines that somebody else runs; "" with the embedded one."""
    if not settings.engine.urls:
        return ""
    with _of("engine"):
        password = secret(settings.engine).decode()
    if not password:
        raise Broken(
            "engine.urls needs engine.secret_file or engine.secret_env: the password that `firehose engine-config` "
            "wrote into the servers' configuration",
            code=2,
        )
    return password


def load_instances(settings: Settings) -> dict[str, Instance]:
    """The sources of the settings, with their secrets read."""
    return {name: _instance(settings, name) for name in settings.sources}


def load_producers(settings: Settings) -> tuple[Producer, ...]:
    """The logins of the settings, with their passwords read."""
    found: list[Producer] = []
    for login in settings.mqtt.logins:
        with _of(f"mqtt.logins: user {login.user!r}"):
            password = secret(login).decode()
        if not password:
            raise Broken(f"mqtt.logins: user {login.user!r} needs secret_file or secret_env", code=2)
        found.append(Producer(login.user, password, login.source, login.own_topics))
    return tuple(found)


def log_sources(settings: Settings) -> dict[str, Any]:
    """The settings of the sources that the log room serves."""
    return {name: own for name, own in settings.sources.items() if source_kinds.load(own.kind).name == "logs"}


def _instance(settings: Settings, name: str) -> Instance:
    own = settings.sources[name]
    with _of(f"sources.{name}"):
        read = {each: secret(own, each) for each in secrets(own)}
        keys = tuple(read[each] for each in ("secret", "old_secret") if read.get(each))
        fed = any(login.source == name for login in settings.mqtt.logins)
        return Instance(name, source_kinds.load(own.kind), own, keys, login=fed)


def _source(settings: Settings, name: str) -> None:
    own = settings.sources[name]
    if own.audience:
        raise Broken(f"sources.{name}.audience: private streams are not supported by this version", code=2)
    with _of(f"sources.{name}"):
        places.check(source_kinds.load(own.kind), own)


def _tls(settings: Settings) -> None:
    if settings.mqtt.tls_listen:
        tls_front.context(settings.mqtt.tls_cert, settings.mqtt.tls_key)


def _door(settings: Settings) -> None:
    if settings.doors.gerrit.listen:
        from firehose.ssh import gerrit  # not at the top: the SSH library takes a second to import

        if settings.doors.gerrit.host_key_file:
            gerrit.host_key(settings.doors.gerrit, settings.data)
        gerrit.readers(settings.doors.gerrit)
        gerrit.narrowed(settings)


def _secrets(where: str, owner: Any) -> None:
    with _of(where):
        for name in secrets(owner):
            secret(owner, name)


@contextmanager
def _of(where: str) -> Iterator[None]:
    """An error in there is about this part of the settings."""
    try:
        yield
    except Broken as error:
        raise Broken(f"{where}: {error.detail}", code=error.code) from None
