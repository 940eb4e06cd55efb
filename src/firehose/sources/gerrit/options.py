"""What an operator can set for a Gerrit, and the addresses that follow from it. Nothing is opened or read here."""

from __future__ import annotations

from typing import Literal

from firehose import source
from firehose.errors import Broken

Resume = Literal["auto", "events-plugin", "events-log", "query", "none"]
SSH_PORT = 29418


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Gerrit: its stream over SSH, or its webhooks plugin, or both at once (the same event counts once).

    url: the web address, without a path to a page.
    ssh: `user@host:port` for the event stream (port 29418 if left out); "" when only webhooks come.
    key_file: the private key to log in with. known_hosts: a file with the server's key; host_key: the key itself,
    `ssh-ed25519 AAAA…`. One of the two is needed, an unknown key is never accepted.
    http_user, http_password_file, http_password_env: HTTP login for recovery after a gap; without it only what
    anybody may see is asked for, by change query.
    resume: how a gap is closed: `events-plugin`, `events-log`, `query` (see the README), `auto`: the first that the
    server has, `none`: not at all.
    The secret is the token that the webhooks plugin's URL carries.
    batch_refs: read `batch-ref-updated` and not the single `ref-updated`, for servers that send only the former.
    """

    freshness: int = 3_600
    ssh: str = ""
    key_file: str = ""
    known_hosts: str = ""
    host_key: str = ""
    http_user: str = ""
    http_password_file: str = ""
    http_password_env: str = ""
    resume: Resume = "auto"
    batch_refs: bool = False


def instance(settings: Settings, name: str) -> str:
    """The `source` attribute of this Gerrit's events: its web address, else where its stream is, else its `name` in the
    settings. Ids are unique within it: two Gerrits must never share it."""
    stream = settings.ssh.rpartition("@")[2]
    return settings.url.rstrip("/") or (f"ssh://{stream}" if stream else f"urn:firehose:{name}")


def login(settings: Settings) -> tuple[str, str, int]:
    """User, host and port of the stream; `Broken` (settings) says what is wrong."""
    user, at, place = settings.ssh.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, str(SSH_PORT)
    if not at or not user or not host or not port.isdigit():
        raise Broken(f'ssh = {settings.ssh!r} is not of the form "user@host:29418"', code=2)
    return user, host.strip("[]"), int(port)
