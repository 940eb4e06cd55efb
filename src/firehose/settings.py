"""Settings: a TOML file and the environment become one frozen value; every mistake names the nearest right word.

In: `firehose.toml`, `FIREHOSE_<SECTION>__<KEY>` variables. Out: `Settings`, with each source's own settings type
filled in by its declaration, and the origin of each value for `firehose settings --explain`. Secrets are never
values here: `…_file` names a file, `…_env` a variable; `secret()` reads them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from firehose import sink as sinks
from firehose import source as sources
from firehose import urls
from firehose.errors import Broken


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: shown on the pages. public_url: how readers reach the hub, `https://host…`, for links ("" = from the
    listening address). data: folder for everything the hub keeps. log: what is told from which weight on."""

    name: str = "Firehose"
    public_url: str = ""
    data: str = "firehose-data"
    log: Literal["debug", "info", "warning", "error"] = "info"


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """listen: address and port. trusted_proxies: addresses whose `X-Forwarded-For` is believed."""

    listen: str = "127.0.0.1:8080"
    trusted_proxies: tuple[str, ...] = ()


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A producer that speaks MQTT or NATS. user and secret (by file or variable) are its login; what it publishes
    goes to `source`. own_topics: it publishes to topics of its own (Zuul's reporter) instead of `in/<source>/…`."""

    user: str
    source: str
    secret_file: str = ""
    secret_env: str = ""
    own_topics: bool = False


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """listen: MQTT 3.1.1. websocket: MQTT over WebSocket, path `/mqtt`. tls_listen, tls_cert, tls_key: MQTT over TLS
    and, with them, secure WebSocket. logins: producers. aliases: also publish the original topics."""

    listen: str = "127.0.0.1:1883"
    websocket: str = "127.0.0.1:8083"
    tls_listen: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    logins: tuple[Login, ...] = ()
    aliases: bool = True


class Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """kind: `embedded` (a nats-server child) or, with urls, `external`. binary: which nats-server; else the one in
    PATH, else the one that came with Firehose. listen: a fixed NATS address for producers that speak NATS ("" = a free
    local port). secret_file, secret_env: the password of the hub's own logins on external servers, as
    `firehose engine-config` wrote it into their configuration. replicas: copies of each stream, 1, 3 or 5.
    sync: `always` (an acknowledged event is on disk) or a duration such as `1s`. keep_days, keep_gib: what the
    stream itself keeps."""

    kind: str = "embedded"
    urls: tuple[str, ...] = ()
    secret_file: str = ""
    secret_env: str = ""
    binary: str = ""
    listen: str = ""
    replicas: int = 1
    sync: str = "always"
    keep_days: int = 7
    keep_gib: int = 20


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """url: `sqlite:///FILE` ("" = in the data folder) or `postgresql://…`; url_env: a variable that holds it.
    keep: rules such as `365d` or `source:logs 30d`; the first that fits counts. keep_dumps: how long hourly dumps are
    kept, such as `90d` ("" = without end)."""

    url: str = ""
    url_env: str = ""
    keep: tuple[str, ...] = ()
    keep_dumps: str = ""


class GerritDoor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """listen: where `gerrit stream-events` is served by SSH ("" = not at all). host_key_file: the server's private key
    ("" = one is made and kept in the data folder). readers: a name and its public key each, as in a .pub file; several
    lines are several keys. sources: the Gerrits (names of `[sources.…]`) whose events are told
    (none = all sources of kind `gerrit`).
    replay_hours: how old what a reader missed may be. version: what `gerrit version` answers."""

    listen: str = ""
    host_key_file: str = ""
    readers: dict[str, str] = msgspec.field(default_factory=dict)
    sources: tuple[str, ...] = ()
    replay_hours: int = 24
    version: str = "3.11.0"


class Doors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other people's interfaces that need a listener of their own. gerrit: see `[doors.gerrit]`."""

    gerrit: GerritDoor = GerritDoor()


class NotifyMail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server that notifications leave by: url, `smtp://host[:port]` or `smtps://…` ("" = nobody is told by mail).
    sender: the From address. starttls: `require`, `if-offered` or `never`. user and secret_file or secret_env: its
    login."""

    url: str = ""
    sender: str = ""
    starttls: Literal["require", "if-offered", "never"] = "if-offered"
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""


class NotifyIrc(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network where people are told by nick: host ("" = none), port, tls, ca_file. nick: the hub's own there,
    another one than a sink's. account and secret_file or secret_env: its SASL login. pace: seconds between lines."""

    host: str = ""
    port: int = 6697
    tls: bool = True
    ca_file: str = ""
    nick: str = "firetells"
    account: str = ""
    secret_file: str = ""
    secret_env: str = ""
    pace: float = 0.5


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Notification rules of people. mail, irc: see `[notify.mail]` and `[notify.irc]`. apprise: services that
    people may name by URL, all with hosts of their own. contact: `mailto:` or `https:` for push services ("" = the
    hub's public URL). allow: hosts, addresses and networks that webhooks and push may go to although they are not
    public; allow_private: any address."""

    mail: NotifyMail = NotifyMail()
    irc: NotifyIrc = NotifyIrc()
    apprise: tuple[str, ...] = ("discord", "pover", "slack", "tgram")
    contact: str = ""
    allow: tuple[str, ...] = ()
    allow_private: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an operator can set. `sources` and `sinks` hold each kind's own settings type, by name."""

    hub: Hub = Hub()
    http: Http = Http()
    mqtt: Mqtt = Mqtt()
    engine: Engine = Engine()
    history: History = History()
    doors: Doors = Doors()
    notify: Notify = Notify()
    sources: dict[str, Any] = msgspec.field(default_factory=dict)
    sinks: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder."""
        return Path(self.hub.data)

    @property
    def public_url(self) -> str:
        """Where readers reach the hub, without a trailing slash."""
        return (self.hub.public_url or f"http://{self.http.listen}").rstrip("/")


Origins = dict[str, str]


def load(file: Path | None, environ: Mapping[str, str], *, data: str = "") -> tuple[Settings, Origins]:
    """The settings and where each came from. `file` None: `./firehose.toml` when it is there, else defaults."""
    path = file or Path("firehose.toml")
    raw: dict[str, Any] = {}
    origins: Origins = {}
    if path.exists():
        raw = _parse(path)
        _note(raw, str(path), origins)
    elif file is not None:
        raise Broken(f"the settings file {path} does not exist", code=2)
    for name, value in sorted(environ.items()):
        if name.startswith("FIREHOSE_") and "__" in name:
            keys = [part.lower() for part in name.removeprefix("FIREHOSE_").split("__")]
            _put(raw, keys, value, name)
            origins[".".join(keys)] = f"${name}"
    if data:
        _put(raw, ["hub", "data"], data, "--data")
        origins["hub.data"] = "--data"
    return build(raw), origins


def build(raw: dict[str, Any]) -> Settings:
    """Settings from plain values; `Broken` (code 2) names the field and the nearest known key."""
    plain = {key: value for key, value in raw.items() if key not in ("sources", "sinks")}
    settings: Settings = _convert(plain, Settings, "")
    declared = {name: _source(name, table) for name, table in raw.get("sources", {}).items()}
    for login in settings.mqtt.logins:
        if login.source not in declared:
            raise Broken(
                f"mqtt.logins: user {login.user!r} publishes to the source {login.source!r}, "
                f"which [sources.…] does not have",
                code=2,
            )
    for name in settings.doors.gerrit.sources:
        if name not in declared:
            raise Broken(f"doors.gerrit.sources: there is no [sources.{name}]", code=2)
    public = settings.hub.public_url
    if public and (urls.problem(public, ("http", "https")) or any(c in "?#" or c.isspace() for c in public)):
        raise Broken(
            f"hub.public_url: {public!r} is not the address of a hub, such as https://hub.example.org",
            code=2,
        )
    mail = settings.notify.mail
    if mail.url and "@" not in parseaddr(mail.sender)[1]:
        raise Broken("notify.mail.sender: it needs the address that notifications come from", code=2)
    outlets = {name: _sink(name, table) for name, table in raw.get("sinks", {}).items()}
    return msgspec.structs.replace(settings, sources=declared, sinks=outlets)


def secret(owner: object, name: str = "secret") -> bytes:
    """The secret that `<name>_file` or `<name>_env` of a settings value points at; b"" when neither is set."""
    file, variable = getattr(owner, f"{name}_file", ""), getattr(owner, f"{name}_env", "")
    if file:
        try:
            return Path(file).read_bytes().strip()
        except OSError as error:
            raise Broken(f"{name}_file: cannot read {file}: {error.strerror}", code=2) from None
    if variable:
        if variable not in os.environ:
            raise Broken(f"{name}_env: the environment variable {variable} is not set", code=2)
        return os.environ[variable].strip().encode()
    return b""


def secrets(owner: Any) -> list[str]:
    """The names of a table's secrets, each for `secret()`: `<name>_file` or `<name>_env`."""
    ends = ("secret_file", "secret_env")
    names = (field.rpartition("_")[0] for field in owner.__struct_fields__ if field.endswith(ends))
    return list(dict.fromkeys(names))


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path}: {error}", code=2) from None
    except OSError as error:
        raise Broken(f"cannot read {path}: {error.strerror}", code=2) from None


def _source(name: str, table: Any) -> Any:
    kind = _kind(f"sources.{name}", name, table, sources.kinds)
    return _convert(table, sources.load(kind).settings, f"sources.{name}")


def _sink(name: str, table: Any) -> Any:
    kind = _kind(f"sinks.{name}", name, table, sinks.kinds)
    return _convert(table, sinks.load(kind).settings, f"sinks.{name}")


def _kind(where: str, name: str, table: Any, known: Callable[[], list[str]]) -> str:
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise Broken(f'[{where}] needs kind = "…", one of: {", ".join(known())}', code=2)
    if not name.replace("-", "").replace("_", "").isalnum():
        raise Broken(f"[{where}]: a name has letters, digits, '-' and '_' only", code=2)
    return str(table["kind"])


def _convert(raw: dict[str, Any], type_: type[Any], where: str) -> Any:
    _check_keys(raw, type_, where)
    try:
        return msgspec.convert(raw, type_, strict=False)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        inner = path.rstrip("`").lstrip(".")
        place = ".".join(part for part in (where, inner) if part)
        raise Broken(f"{place or 'settings'}: {text}{_choices(type_, inner)}", code=2) from None


def _choices(type_: type[Any], path: str) -> str:
    """What may stand at a path that takes some words only; "" for any other."""
    found: Any = type_
    for key in path.split("."):
        found = get_type_hints(found).get(key) if isinstance(found, type) else None
    return f"; known: {', '.join(map(str, get_args(found)))}" if get_origin(found) is Literal else ""


def _check_keys(raw: dict[str, Any], type_: type[Any], where: str) -> None:
    hints = get_type_hints(type_)
    for key, value in raw.items():
        place = f"{where}.{key}" if where else key
        if key not in hints:
            near = get_close_matches(key, hints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(hints))}"
            raise Broken(f"unknown setting {place}{hint}", code=2)
        inner = hints[key]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, dict):
            _check_keys(value, inner, place)
        elif key == "logins" and isinstance(value, list):
            for index, item in enumerate(value):
                _check_keys(item, Login, f"{place}[{index}]")


def _note(raw: dict[str, Any], origin: str, origins: Origins, prefix: str = "") -> None:
    for key, value in raw.items():
        if isinstance(value, dict):
            _note(value, origin, origins, f"{prefix}{key}.")
        else:
            origins[f"{prefix}{key}"] = origin


def _put(raw: dict[str, Any], keys: list[str], value: str, name: str) -> None:
    table = raw
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise Broken(f"{name}: {key} is not a section", code=2)
    # Lists are written with commas; the types decide on numbers and flags.
    table[keys[-1]] = value.split(",") if keys[-1] in ("urls", "keep", "trusted_proxies") else value
