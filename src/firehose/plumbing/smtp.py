"""Hands one mail to an SMTP server of the operator's. A thread at a time, since the library blocks.

In: server, login, addresses, the mail's bytes. Out: the server's word. Errors: `GiveUp` when it refuses this mail or
recipient for good (5xx) or nobody could be given it, `TryLater` for everything else; it refuses to know what is
written. Addresses are ASCII: SMTPUTF8 is not spoken.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from firehose import urls
from firehose.errors import Broken, GiveUp, TryLater

PORTS: Final = {"smtp": 25, "smtps": 465}
SECONDS: Final = 30.0


class Server(msgspec.Struct, frozen=True):
    """url: `smtp://host[:port]` or `smtps://…`. starttls: `require`, `if-offered` or `never`. user, password: the
    login, "" without one."""

    url: str
    starttls: Literal["require", "if-offered", "never"] = "if-offered"
    user: str = ""
    password: str = ""


def check(url: str) -> None:
    """`Broken` (code 2) when a URL names no mail server."""
    if problem := urls.problem(url, tuple(PORTS)):
        raise Broken(f"url: {problem}", code=2)


async def send(server: Server, sender: str, to: str, mail: bytes) -> str:
    """One mail to one recipient."""
    return await asyncio.to_thread(_send, server, sender, to, mail)


def _send(server: Server, sender: str, to: str, mail: bytes) -> str:
    try:
        with _connected(server) as client:
            if server.user:
                client.login(server.user, server.password)
            client.sendmail(sender, [to], mail)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(*error.recipients[to]) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _refused(error.smtp_code, error.smtp_error) from None
    except (smtplib.SMTPException, OSError) as error:
        raise TryLater(f"the mail server did not take it: {error}") from None
    except ValueError as error:
        # What cannot be said in SMTP, such as an address with other letters, can be said at no later time either.
        raise GiveUp(f"no mail server can be given it: {error}") from None
    return "accepted"


def _connected(server: Server) -> smtplib.SMTP:
    parts = urlsplit(server.url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
    client = smtplib.SMTP(host, port, timeout=SECONDS)
    client.ehlo()
    if server.starttls == "require" or (server.starttls == "if-offered" and client.has_extn("starttls")):
        client.starttls(context=ssl.create_default_context())
        client.ehlo()
    return client


def _refused(code: int, words: bytes | str) -> Exception:
    said = f"{code} {words.decode('utf-8', 'replace') if isinstance(words, bytes) else words}"
    return GiveUp(said) if code >= 500 else TryLater(said)
