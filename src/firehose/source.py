"""What a source is: its declaration, a delivery, and the three verdicts. Loading by name.

In: the `kind` in the settings. Out: the `SourceKind` that the folder `firehose.sources.<kind>` declares as `SOURCE`.
A source says what foreign bytes mean and nothing else: no sockets, no clock, no bus. Where something must be
fetched or held open it returns *data* (`Feed`, `Request`) that `intake/` acts on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from firehose.errors import Refused
from firehose.event import Event
from firehose.kinds import Kinds
from firehose.wild import Wild, decode

MAX_BODY: Final = 1_048_576
"""Largest delivery, in bytes: 1 MiB."""


MAIL: Final = "message/rfc822"
"""The content type of a delivery that is a mail."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender handed over, untouched.

    `source` is the source's name in the settings; `headers` have lower-case names; `topic` is set when it came over
    MQTT or NATS (below `in/<source>/` or the sender's own topic); `received` is our clock, never part of an id;
    `channel` says how it came: `webhook`, `ssh`, `mqtt`, `nats`, `poll`, `imap`, `amqp`, `zookeeper`, `again`
    (re-injected), `explain`. `known`: answers to the source's `lookups`, by what they are about, as far as they came.
    """

    source: str
    body: bytes
    received: datetime
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    topic: str = ""
    channel: str = "webhook"
    known: Mapping[str, bytes] = msgspec.field(default_factory=dict)


class Ignored(msgspec.Struct, frozen=True):
    """The verdict "known, and on purpose not an event". `kind` is one of the source's declared list."""

    kind: str


Verdict = Sequence[Event] | Ignored


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every source can be told. Each source kind adds its own fields.

    url: the service's address, also the `source` attribute of its events.
    freshness: seconds of silence after which the source itself raises `incident.detected`; 0 never.
    redact: remove e-mail addresses from what is stored and published.
    audience: "" publishes to everybody; else only to readers with `read:<audience>`.
    """

    kind: str
    url: str = ""
    freshness: int = 0
    redact: bool = True
    audience: str = ""


class WebhookSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a source can be told whose sender shares a secret with the hub.

    secret_file, secret_env: the secret, as it is entered at the sender. old_secret_file, old_secret_env: the one
    before, accepted as well until it is removed, so that the secret can be changed without losing a delivery.
    open: take deliveries that prove nothing; shown on the Sources page.
    """

    secret_file: str = ""
    secret_env: str = ""
    old_secret_file: str = ""
    old_secret_env: str = ""
    open: bool = False


@dataclass(frozen=True)
class Scheme:
    """How a webhook proves who sent it. `check` names one of the schemes of `intake/webhook.py`.

    Checks: `hmac-sha256` (hex digest of the body in `header`, after `prefix`), `hmac-sha1`, `token` (the secret
    itself in `header`), `standard` (Standard Webhooks), `bearer` (a hub token with scope `publish:<source>`),
    `open` (nothing; the operator must write `open = true`, and the Sources page shows it).
    `query` is for senders that can set no header (Gerrit's webhooks plugin): the URL's parameter that holds the
    secret of a `token` check, compared like one and never stored.
    Several schemes: any one that the delivery carries must hold; carrying none is refused.
    """

    check: str
    header: str = ""
    prefix: str = ""
    query: str = ""


@dataclass(frozen=True)
class Request:
    """A GET request that a source wants made: `intake/poll.py` makes it. `about` is the source's own note.

    `headers` may hold `{secret}`; `user` asks for HTTP basic authentication with that secret as the password.
    `secret` names it in the settings (`<secret>_file` or `<secret>_env`).
    `way` groups requests that together are one way to recover a gap; ways are tried in order until one answers.
    `keep`: how many seconds the answer to a lookup holds.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    way: str = ""
    user: str = ""
    secret: str = "secret"
    keep: float = 3_600.0


@dataclass(frozen=True)
class SshLines:
    """A long connection: each line that `command` writes on the SSH server is one delivery.

    `exact`, if the service may have it, is a better command for a cursor: it goes on right after it, so that nothing
    needs recovery. It is tried first; a server that does not know it gets `command`. `only_exact` forbids that.
    `since` makes the cursor of a connection that began at a moment and broke before its first line.
    `probe` is a short command that any healthy server answers.
    """

    host: str
    port: int
    user: str
    key_file: str
    command: str
    known_hosts: str = ""
    host_key: str = ""
    exact: Callable[[str], str] | None = None
    since: Callable[[datetime], str] | None = None
    only_exact: bool = False
    probe: str = ""


@dataclass(frozen=True)
class Poll:
    """Requests that are made again and again, `every` so many seconds. `requests` gives the first ones of a round, from
    the cursor; the source's `recovered` says what is in an answer, `more` asks for its next page, `step` moves the
    cursor. Each is asked for conditionally (ETag, Last-Modified), and what the last answer held already is left out.
    """

    every: float
    requests: Callable[[str], Sequence[Request]]


Tls = Literal["implicit", "starttls", "none"]
"""How a mail server's connection is made safe."""


@dataclass(frozen=True)
class Mailbox:
    """A mailbox to read over IMAP: each message is one delivery, its bytes, with the content type `MAIL`.

    place: `host:port`, or `host` for the usual port. secret: names the password in the settings. ca_file: instead of
    the system's authorities. idle: seconds that one IDLE lasts, and between two looks where the server
    knows no IDLE.
    """

    place: str
    user: str
    secret: str = "imap_secret"
    folder: str = "INBOX"
    tls: Tls = "implicit"
    ca_file: str = ""
    idle: float = 300.0


@dataclass(frozen=True)
class Queue:
    """A queue to consume on an AMQP broker: each message is one delivery, with its routing key as the topic, and its
    headers under `amqp-<name>`.

    url: `amqp(s)://user@host:port/vhost`; secret: names the password in the settings. name: the queue, declared by us.
    exchange, bindings: what is bound to it; exchange_exists: the exchange is not declared by us. durable: it stays
    when the hub is away. ca_file, cert_file, key_file: for TLS. prefetch: messages under way at once.
    """

    url: str
    name: str
    exchange: str
    bindings: tuple[str, ...]
    secret: str = "amqp_secret"
    exchange_exists: bool = False
    durable: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    prefetch: int = 200


@dataclass(frozen=True)
class Seen:
    """A znode as it was found. data: its bytes, None when it is gone. czxid, mzxid: the transactions that made and last
    changed it. ctime, mtime: the same in milliseconds since 1970; of a znode that is gone nobody knows when."""

    path: str
    data: bytes | None
    czxid: int = 0
    mzxid: int = 0
    ctime: int = 0
    mtime: int = 0


@dataclass(frozen=True)
class Observed:
    """What a source makes of a znode. body: the delivery, None when there is nothing to tell. memory: what to know of
    this znode the next time, opaque JSON."""

    body: bytes | None
    memory: bytes = b""


Recall = Callable[[str], bytes]
"""The memory of a znode, by its path; b"" when there is none."""


@dataclass(frozen=True)
class Znodes:
    """Znodes to follow in ZooKeeper: each change of one that fits a pattern goes through `observe`, and what that makes
    of it is one delivery. ZooKeeper tells of states, not of changes: `observe` finds the change from its own memory,
    and decides what may leave, since a znode may hold anything.

    hosts: `a:2181,b:2181/chroot`. patterns: absolute paths, `*` for any one name. user, secret: a digest login.
    ca_file: speaks TLS and trusts this; cert_file, key_file: our own. check_hostname: the certificate must name the
    server. timeout: seconds of the session.
    """

    hosts: str
    patterns: tuple[str, ...]
    observe: Callable[[Seen, bytes, Recall], Observed]
    user: str = ""
    secret: str = "zookeeper_secret"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    check_hostname: bool = True
    timeout: float = 10.0


@dataclass(frozen=True)
class JsonLines:
    """An answer over HTTP that goes on for ever: the source's `step` says of each line whether it is a delivery, and
    where the cursor is after it.

    request: what to ask for, from a cursor ("" at the first time). restart: the cursor to go on from when the server
    does not take the one that it was given, from the answer's body; "" when that was not the trouble. origin: the
    cursor before everything. silence: seconds without a byte after which the connection is dead.
    """

    request: Callable[[str], Request]
    restart: Callable[[bytes], str]
    origin: str = "0"
    silence: float = 45.0


@dataclass(frozen=True)
class Inventory:
    """Things that a service lists as they are now, asked for `every` so many seconds: what came, changed and went is
    found by comparing, as with `Znodes`.

    requests: in the order in which their things are looked at; `about` names the path above them. things: those in an
    answer, by path. What several requests list above one path is one list. observe: as in `Znodes`.
    """

    every: float
    requests: tuple[Request, ...]
    things: Callable[[Request, bytes], Mapping[str, bytes]]
    observe: Callable[[Seen, bytes, Recall], Observed]


Hold = Poll | Mailbox | Queue | Znodes | JsonLines | Inventory
"""What a source can ask to be held, other than SSH lines."""


@dataclass(frozen=True)
class Step:
    """What a line does to a source's cursor: the cursor after it, and what the connection must know of the line.

    fresh: it tells something new (False: the cursor already holds it, under another id). dropped: with it the sender
    says that it left out events. broke: it does not follow on the cursor before, the resumption was not exact.
    """

    cursor: str
    fresh: bool = True
    dropped: bool = False
    broke: bool = False


@dataclass(frozen=True)
class Gap:
    """A time in which events may have been missed, as the connection saw it; `cursor` is the source's own."""

    since: datetime
    until: datetime
    cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceKind:
    """A source's declaration, the `SOURCE` of its folder.

    name: the kind's word in the settings, and the folder. title: for people. family: icon and colour on the pages
    (`review forge ci ticket deploy cloud log artifact people hub`).
    settings: the type of `[sources.<name>]`.
    read: what a delivery means. Pure: the same delivery and settings always give the same verdict.
    kinds: native kind -> normalised kinds, for the reference pages. ignored: native kind -> why.
    hidden: payload paths that never leave the hub (`a.b`, `*` for every item or member); the gate removes them.
    schemes: how its webhooks are verified; empty if it takes none. media: the content types that its webhooks may
    have; JSON in any form always, `*/*` takes all. any_media: whether a request with these headers (lower-case names)
    may have any content type or none, since they say by themselves what it is.
    guess: the headers that a sender would have given with a body that has none, from its shape or its file's name;
    {} when that is not clear. Only for `firehose explain`.
    also: other words for the settings that this folder serves, with the title of each (`gitea`: "Gitea"); `read`
    finds the operator's word in `settings.kind`.
    lines: the long SSH connection to hold, if its settings ask for one; holds: the same for any other protocol.
    step: what a line does to the cursor (opaque text, the source's own). Pure; a line that is no JSON leaves it.
    missed: the requests that bring back what a gap may have swallowed; recovered: the deliveries in an answer;
    more: the request for an answer's next page, None at the end.
    lookups: requests whose answers say what a delivery names by number only, each with `about`; asked again with what
    came, until nothing new is wanted. The answers are kept for a while; without them the delivery is read all the same.
    most: bytes of its largest delivery, for a connection
    whose deliveries hold more than a payload.
    door: `host:port` of a door of its own, in another process, for more deliveries than the hub's could take; the
    hub's `/in/<source>` passes requests with a token on to it.
    """

    name: str
    title: str
    family: str
    settings: type[Any]
    read: Callable[[Delivery, Any], Verdict]
    kinds: Mapping[str, str]
    ignored: Mapping[str, str] = field(default_factory=dict)
    schemes: Sequence[Scheme] = ()
    media: Sequence[str] = ()
    any_media: Callable[[Mapping[str, str]], bool] | None = None
    also: Mapping[str, str] = field(default_factory=dict)
    hidden: Sequence[str] = ()
    native_kind: Callable[[Delivery], str] | None = None
    guess: Callable[[Wild, str], Mapping[str, str]] | None = None
    lines: Callable[[Any], SshLines | None] | None = None
    holds: Callable[[Any], Hold | None] | None = None
    missed: Callable[[Gap, Any], Iterable[Request]] | None = None
    recovered: Callable[[Request, bytes, Any], Sequence[bytes]] | None = None
    step: Callable[[bytes, str], Step] | None = None
    more: Callable[[Request, bytes, Any], Request | None] | None = None
    lookups: Callable[[Delivery, Any], Sequence[Request]] | None = None
    most: int = MAX_BODY
    door: Callable[[Any], str] | None = None


_KINDS: Final = Kinds("firehose.sources", "SOURCE", SourceKind, "source")
load = _KINDS.load
folders = _KINDS.folders
kinds = _KINDS.words


def word_in(field: str) -> Callable[[Delivery], str]:
    """The `native_kind` of a service whose JSON says in one field what happened; "" when that cannot be read."""

    def word(delivery: Delivery) -> str:
        try:
            return decode(delivery.body)[field].text("")
        except Refused:
            return ""

    return word
