"""Launchpad: declaration and dispatch. Webhooks are read in `hooks.py`, mail in `mail.py`.

In: a webhook's JSON, or a mail that the hub took from a mailbox. Out: events about bugs, merge proposals, pushes and
builds. It refuses to make private bugs public.
"""

from __future__ import annotations

from typing import Final

from firehose import source
from firehose.event import Event
from firehose.sources.launchpad import hooks, mail

KINDS: Final = {
    "git:push": "branch.created, branch.updated, branch.deleted, tag.created, tag.updated, tag.deleted, ref.updated",
    "bzr:push": "branch.updated",
    "merge-proposal": "change.created, change.updated, change.reviewed, change.merged, change.abandoned, "
    "change.deleted",
    "bug": "ticket.created, ticket.updated, ticket.closed",
    "bug:comment": "comment.added",
    "mail.bug": "ticket.created, ticket.updated, ticket.closed, comment.added",
    **dict.fromkeys(
        (name for name in hooks.READERS if name.endswith("build")), "taskrun.queued, taskrun.started, taskrun.finished"
    ),
}
IGNORED: Final = {
    "ping": "Launchpad's test button",
    "mail.not-launchpad": "somebody else's mail in the same mailbox",
    "mail.private-bug": "private bugs must not become public (streams for an audience come in a later version)",
    **dict.fromkeys((f"mail.{kind}" for kind in mail.OTHERS), "no bug; the webhooks tell it better"),
}


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: Launchpad's address. secret_file, secret_env: of its webhooks.

    imap: `host` or `host:port` of a mailbox that gets bug mail, "" for none. imap_user, imap_secret_file,
    imap_secret_env: its login. imap_folder: what is read there. imap_tls: `implicit`, `starttls` or `none`.
    imap_ca_file: the authorities of the mail server, "" for the system's. idle: seconds that one IDLE lasts, and
    between two looks where the server knows no IDLE.
    """

    url: str = "https://launchpad.net"
    imap: str = ""
    imap_user: str = ""
    imap_secret_file: str = ""
    imap_secret_env: str = ""
    imap_folder: str = "INBOX"
    imap_tls: source.Tls = "implicit"
    imap_ca_file: str = ""
    idle: float = 300.0


def holds(settings: Settings) -> source.Mailbox | None:
    """The mailbox, if there is one."""
    if not settings.imap:
        return None
    return source.Mailbox(
        place=settings.imap,
        user=settings.imap_user,
        folder=settings.imap_folder,
        tls=settings.imap_tls,
        ca_file=settings.imap_ca_file,
        idle=settings.idle,
    )


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What a delivery means."""
    base = Event(
        id="", source=settings.url.rstrip("/"), type="", kind="", subject="", time=delivery.received, data=delivery.body
    )
    if delivery.headers.get("content-type", "").startswith(source.MAIL):
        return mail.read(delivery, base, private=bool(settings.audience))
    return hooks.read(delivery, base)


def native_kind(delivery: source.Delivery) -> str:
    """Launchpad's word for the event."""
    if delivery.headers.get("content-type", "").startswith(source.MAIL):
        return "mail.bug"
    return delivery.headers.get("x-launchpad-event-type", "")


SOURCE: Final = source.SourceKind(
    name="launchpad",
    title="Launchpad",
    family="ticket",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    schemes=(source.Scheme("hmac-sha1", header="X-Hub-Signature", prefix="sha1="),),
    native_kind=native_kind,
    holds=holds,
)
