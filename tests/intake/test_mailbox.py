"""New mail that a server tells of at an awkward moment."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from imapclient import IMAPClient
from tests.servers.dovecot import PASSWORD, USER, Dovecot

from firehose.intake.mailbox import busy, heard, told


def test_mail_that_was_told_with_another_answer_is_not_waited_for(dovecot: Dovecot) -> None:
    with IMAPClient("127.0.0.1", dovecot.port, ssl=False) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        told(client)
        assert not told(client)
        dovecot.put(b"Subject: x\r\n\r\nx\r\n")
        client.search()  # the server tells of the mail with this answer, and not in IDLE again
        client.idle()
        assert told(client)
        client.idle_done()


@pytest.mark.parametrize("tls", [False, True])
def test_mail_that_came_with_an_earlier_answer_is_heard(tls: bool, tls_dovecot: Dovecot, tmp_path: Path) -> None:
    """The answer to IDLE and the word of new mail in one piece: the socket itself has nothing more to say."""
    context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "authority.pem"))
    port = tls_dovecot.imaps if tls else tls_dovecot.port
    with IMAPClient("localhost", port, ssl=tls, ssl_context=context if tls else None, timeout=30) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        client.idle()
        assert not heard(client, 0.0)
        tls_dovecot.put(b"Subject: x\r\n\r\nx\r\n")
        assert b"EXISTS" in client._imap.file.peek()
        assert heard(client, 0.0)
        client.idle_done()
        assert told(client)


@pytest.mark.parametrize("server", [False, True])
def test_a_connection_that_ended_is_no_silence(server: bool, dovecot: Dovecot) -> None:
    with IMAPClient("127.0.0.1", dovecot.port, ssl=False, timeout=30) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        client.idle()
        if server:
            dovecot.stop()
        else:
            client.socket().shutdown(socket.SHUT_RD)
        with pytest.raises(OSError, match="closed"):
            to_the_end(client)


def to_the_end(client: IMAPClient) -> None:
    while heard(client, 30.0):
        client._imap.file.readline()  # it may say BYE


@pytest.mark.parametrize(
    ("refusal", "soon"),
    [
        ("b'[UNAVAILABLE] Temporary authentication failure.'", True),
        ("b'[LIMIT] Too many connections'", True),
        ("b'[AUTHENTICATIONFAILED] Authentication failed.'", False),
        ("b'no'", False),
    ],
)
def test_a_server_that_cannot_just_now_is_asked_again_soon(refusal: str, soon: bool) -> None:
    assert busy(refusal) is soon
